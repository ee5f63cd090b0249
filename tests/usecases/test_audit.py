"""Batches at the provider that no item will ever own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from batchdrop.core.errors import Rejected, RetryLater
from batchdrop.core.housekeeping import Auditing
from batchdrop.core.model import Batch, Key
from batchdrop.core.states import BatchState
from batchdrop.ports import BatchPage, RemoteBatch
from batchdrop.usecases import audit
from batchdrop.usecases.audit import Audit, Audited
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.recover import CANNOT_FENCE, Recover
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World

SETTLE = 1_800


def made(world: World, item: str = samples.batch().item, **changes: Any) -> RemoteBatch:
    """A batch at the provider that carries our stack's id and names ``item``."""
    metadata = {
        "batchdrop_stack": world.ledger.stack(world.clock.now()).id,
        "batchdrop_job": samples.JOB_ID,
        "batchdrop_item": item,
    }
    file_id = world.api.upload("x.jsonl", world.objects.replayable(world.source))
    metadata |= changes.pop("metadata", {})
    remote = world.api.create(file_id=file_id, endpoint="/v1/x", completion_window="24h", metadata=metadata)
    return world.api.change(remote.id, **changes) if changes else remote


def of(remote: RemoteBatch, state: BatchState = BatchState.IN_FLIGHT, **changes: Any) -> dict[str, Any]:
    """What an item says that owns ``remote``."""
    known = {"file_id": remote.input_file_id, "openai_batch_id": remote.id}
    return {"state": state, "openai_created_at": remote.created_at} | known | changes


def audited(
    world: World, at: Auditing | None = None, *current: Batch, deadline: FakeDeadline | None = None
) -> tuple[Audited, Auditing]:
    use_case = Audit(world.ledger, world.api, world.clock, SETTLE)
    return use_case(at or Auditing(), current, Budget(deadline or FakeDeadline()).share())


def orphan(world: World, remote: RemoteBatch) -> Mapping[str, Any] | None:
    return world.table.get(Key("stack", f"orphan#{remote.id}"))


def is_stopped(world: World, remote: RemoteBatch) -> bool:
    return world.api.batches[remote.id].status == "cancelling"


# ── whose it is ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes",
    [
        {"state": BatchState.QUEUED},
        {"state": BatchState.UPLOADING},
        {"state": BatchState.CREATING, "file_id": "file-of-another-claim"},
        {"state": BatchState.IN_FLIGHT, "file_id": "file-2", "openai_batch_id": "batch-of-the-same-item"},
        {"state": BatchState.FETCHED, "file_id": "file-2", "openai_batch_id": "batch-of-the-same-item"},
        {"state": BatchState.RETIRED},
        {"state": BatchState.BLOCKED, "reason": "invalid_api_key: no"},
    ],
)
def test_a_batch_that_its_item_can_never_adopt_is_stopped_and_noted(world: World, changes: dict[str, Any]) -> None:
    batch, remote = world.batch(**changes), made(world)
    found, _ = audited(world)
    assert (found.orphans, found.cancelled, found.strays) == (1, 1, 0)
    assert is_stopped(world, remote)
    noted = orphan(world, remote)
    assert noted
    assert (noted["of_job"], noted["of_item"], noted["what"]) == (batch.job_id, batch.item, "cancelled")


def test_a_second_batch_of_the_same_file_is_an_orphan_once_the_item_has_the_first(world: World) -> None:
    first = made(world)
    second = made(world, input_file_id=first.input_file_id)
    world.batch(**of(first))
    assert audited(world)[0].orphans == 1
    assert (is_stopped(world, first), is_stopped(world, second)) == (False, True)


def test_a_batch_of_an_item_that_is_not_there_is_an_orphan_if_its_job_is(world: World) -> None:
    remote = made(world, "chunk#000001#batch#0009")
    assert audited(world)[0].orphans == 1
    assert is_stopped(world, remote)


@pytest.mark.parametrize("state", [BatchState.IN_FLIGHT, BatchState.ENDED, BatchState.FETCHED, BatchState.QUARANTINED])
def test_an_items_own_batch_is_left_alone(world: World, state: BatchState) -> None:
    remote = made(world)
    world.batch(**of(remote, state))
    assert audited(world)[0] == Audited(pages=1)
    assert not is_stopped(world, remote)


def test_a_create_under_way_matches_by_its_file_and_is_never_touched(world: World) -> None:
    remote = made(world)
    batch = world.batch(**of(remote, BatchState.CREATING, openai_batch_id=None, openai_created_at=None))
    assert audited(world)[0] == Audited(pages=1)
    assert not is_stopped(world, remote)
    assert world.read(batch.key) == batch


def test_what_the_operator_was_to_look_for_is_adopted_where_it_shows_up(world: World) -> None:
    remote = made(world)
    lost = {"openai_batch_id": None, "openai_created_at": None, "reason": CANNOT_FENCE}
    batch = world.batch(**of(remote, BatchState.BLOCKED, **lost))
    assert audited(world)[0] == Audited(pages=1, adopted=1)
    adopted = world.read(batch.key)
    assert (adopted.state, adopted.openai_batch_id, adopted.reason) == (BatchState.IN_FLIGHT, remote.id, None)
    assert audited(world)[0] == Audited(pages=1)
    assert not is_stopped(world, remote)


@pytest.mark.parametrize("page_size", [1, 100])
def test_of_two_batches_of_a_blocked_items_file_the_oldest_is_adopted_and_the_other_stopped(
    world: World, page_size: int
) -> None:
    first = made(world, status="completed", completed=5)
    world.clock.advance(minutes=1)
    second = made(world, input_file_id=first.input_file_id)
    batch = world.batch(**of(first, BatchState.BLOCKED, openai_batch_id=None, reason=CANNOT_FENCE))
    world.api.page_size = page_size
    found, at = audited(world)
    assert (found.adopted, found.orphans, found.cancelled) == (1, 0, 0)
    assert world.read(batch.key).openai_batch_id == first.id
    found, _ = audited(world, at)
    assert (found.adopted, found.orphans, found.cancelled) == (0, 1, 1)
    assert is_stopped(world, second)


def test_the_item_is_read_after_its_batch_was_listed(world: World) -> None:
    """The other order cancels live batches: the create may be recorded in between."""
    queued = world.batch(state=BatchState.QUEUED)
    remote = made(world)
    page = world.api.page

    def recorded_meanwhile(cursor: str | None = None) -> BatchPage:
        listed = page(cursor)
        world.batch(**of(remote))
        return listed

    world.api.page = recorded_meanwhile  # type: ignore[method-assign]
    assert audited(world, None, queued)[0].orphans == 0
    assert not is_stopped(world, remote)


def test_a_batch_that_became_an_items_own_since_the_open_items_were_read_is_left_alone(world: World) -> None:
    stale = world.batch(state=BatchState.ADMITTED)
    remote = made(world)
    world.batch(**of(remote))
    assert audited(world, None, stale)[0].orphans == 0


def test_batches_that_open_items_name_as_theirs_cost_no_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = world.batch(**of(made(world)))
    monkeypatch.setattr(type(world.ledger), "get", None)
    assert audited(world, None, batch)[0] == Audited(pages=1)


def test_the_wave_of_a_batch_is_another_item_with_a_batch_of_its_own(world: World) -> None:
    first, wave = made(world, status="completed", completed=1, failed=1), made(world, "chunk#000001#batch#0001.r")
    world.batch(**of(first, BatchState.FETCHED))
    world.put(samples.batch(item="chunk#000001#batch#0001.r", **of(wave)))
    assert audited(world)[0] == Audited(pages=1)


@pytest.mark.parametrize("metadata", [{"batchdrop_stack": "another"}, {"batchdrop_stack": ""}])
def test_batches_of_others_in_the_project_are_not_even_counted(world: World, metadata: dict[str, str]) -> None:
    remote = made(world, metadata=metadata)
    assert audited(world)[0] == Audited(pages=1)
    assert not is_stopped(world, remote)


@pytest.mark.parametrize(
    "metadata",
    [{"batchdrop_job": "unknown-000000000000"}, {"batchdrop_job": ""}, {"batchdrop_item": "job"}],
)
def test_one_whose_job_is_not_in_the_table_is_counted_and_never_stopped(world: World, metadata: dict[str, str]) -> None:
    remote = made(world, metadata=metadata)
    assert audited(world)[0] == Audited(pages=1, strays=1)
    assert not is_stopped(world, remote)
    assert orphan(world, remote) is None


# ── what it did ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_that_ended_and_did_work_is_noted_once(world: World) -> None:
    remote = made(world, status="completed", completed=2)
    world.batch(state=BatchState.QUEUED)
    assert audited(world)[0] == Audited(pages=1, orphans=1)
    assert audited(world)[0] == Audited(pages=1)
    noted = orphan(world, remote)
    assert noted
    assert noted["what"].startswith("ended by itself")


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_one_that_ended_without_any_work_cost_nothing(world: World, status: str) -> None:
    remote = made(world, status=status)
    world.batch(state=BatchState.QUEUED)
    assert audited(world)[0] == Audited(pages=1)
    assert orphan(world, remote) is None


def test_a_cancel_that_did_not_take_is_sent_again_and_counted_once(world: World) -> None:
    remote = made(world)
    world.batch(state=BatchState.QUEUED)
    audited(world)
    world.api.change(remote.id, status="in_progress")
    assert audited(world)[0] == Audited(pages=1, cancelled=1)


def test_one_that_ended_before_it_could_be_stopped_keeps_no_other_from_it(world: World) -> None:
    remotes = [made(world), made(world)]
    world.batch(state=BatchState.QUEUED)
    world.api.script("cancel", Rejected("invalid_request", "it has ended"))
    assert audited(world)[0].orphans == 2
    assert sum(is_stopped(world, remote) for remote in remotes) == 1


def test_a_cancel_that_fails_keeps_no_other_orphan_from_being_stopped(world: World) -> None:
    remotes = [made(world), made(world)]
    world.batch(state=BatchState.QUEUED)
    world.api.script("cancel", RetryLater("busy"))
    found, at = audited(world)
    assert list(map(str, found.troubles)) == ["busy"]
    assert (found.orphans, found.cancelled, at.checked_until) == (2, 1, world.clock.now())
    audited(world, at)
    assert all(is_stopped(world, remote) for remote in remotes)


def test_a_double_that_recovery_stopped_is_not_counted_again(world: World) -> None:
    first = made(world)
    made(world, input_file_id=first.input_file_id)
    now = world.clock.now()
    world.batch(**of(first, BatchState.CREATING, openai_batch_id=None, intent_at=now, lease_until=now))
    recovered = Recover(world.ledger, world.api, world.clock, SETTLE)(
        [world.read(samples.batch().key)], Budget(FakeDeadline())
    )
    assert recovered.doubles == 1
    assert audited(world)[0].orphans == 0


# ── how far back ────────────────────────────────────────────────────────────────────────────────────────────────────


def many(world: World, number: int, *, minutes: float) -> list[RemoteBatch]:
    """Batches of others, one after the other."""
    found = []
    for _ in range(number):
        found.append(made(world, metadata={"batchdrop_stack": "another"}))
        world.clock.advance(minutes=minutes)
    return found


def test_a_round_reads_back_to_before_the_last_one_and_a_part_of_what_is_older(world: World) -> None:
    world.api.page_size = 1
    many(world, 60, minutes=10)  # ten hours
    first, at = audited(world, Auditing(checked_until=world.clock.now() - dt.timedelta(minutes=5)))
    assert first.pages == audit.PAGES
    assert at.cursor
    assert at.checked_until == world.clock.now()


def test_everything_of_the_last_day_is_seen_from_time_to_time(world: World) -> None:
    world.api.page_size = 1
    world.batch(state=BatchState.CREATING, file_id="file-x", intent_at=world.clock.now())
    old = made(world, input_file_id="file-x")
    many(world, 60, minutes=10)
    _, at = audited(world)
    for _ in range(6):
        world.clock.advance(minutes=5)
        _, at = audited(world, at)
    assert not is_stopped(world, old)
    world.batch(state=BatchState.QUARANTINED, file_id="file-x")
    for _ in range(7):
        world.clock.advance(minutes=5)
        _, at = audited(world, at)
    assert is_stopped(world, old)


def test_what_is_older_than_a_day_is_not_looked_for(world: World) -> None:
    world.api.page_size = 1
    many(world, 5, minutes=60)
    world.clock.advance(hours=30)
    found, at = audited(world)
    assert found.pages == 1
    assert at.cursor is None


def test_a_flood_of_new_batches_keeps_the_older_ones_from_being_seen_for_no_longer_than_a_few_rounds(
    world: World,
) -> None:
    world.api.page_size = 1
    remote = made(world)
    world.batch(state=BatchState.QUEUED)
    many(world, 3 * audit.PAGES, minutes=0)
    at = Auditing()
    for _ in range(6):
        _, at = audited(world, at)
    assert is_stopped(world, remote)


def test_a_round_ends_in_time_and_the_next_one_begins_where_it_was(world: World) -> None:
    remotes = [made(world) for _ in range(12)]
    world.api.page_size = 3
    world.batch(state=BatchState.QUEUED)
    at = Auditing()
    _, at = audited(world, at, deadline=FakeDeadline(30, each=1))
    assert at.checked_until is None
    assert 0 < sum(is_stopped(world, remote) for remote in remotes) < 12
    for _ in range(6):
        for remote in remotes:
            if is_stopped(world, remote):
                world.api.change(remote.id, status="cancelled")
        _, at = audited(world, at, deadline=FakeDeadline(30, each=1))
    assert {world.api.batches[remote.id].status for remote in remotes} == {"cancelled"}


def test_a_cursor_that_the_provider_does_not_know_is_given_up(world: World) -> None:
    world.api.page_size = 1
    many(world, 3, minutes=1)
    page = world.api.page

    def known_alone(cursor: str | None = None) -> BatchPage:
        if cursor == "of another project":
            raise Rejected("invalid_request", "no such batch")
        return page(cursor)

    world.api.page = known_alone  # type: ignore[method-assign]
    _, at = audited(world, Auditing(cursor="of another project"))
    assert at.cursor is None


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_no_job_was_open_for_a_day_nothing_is_asked() -> None:
    assert not audit.is_due(Auditing(), samples.NOW, has_jobs=False)
    over = Auditing(next_at=samples.NOW, active_until=samples.NOW)
    assert not audit.is_due(over, samples.NOW, has_jobs=False)


def test_the_first_open_job_is_reason_to_look_at_once() -> None:
    assert audit.is_due(Auditing(), samples.NOW, has_jobs=True)
    assert audit.is_due(Auditing(next_at=samples.LATER, active_until=samples.NOW), samples.NOW, has_jobs=True)


def test_rounds_are_made_every_five_minutes_and_every_hour_for_a_day_after_the_last_job() -> None:
    at = audit.next_round(Auditing(), samples.NOW, has_jobs=True)
    assert not audit.is_due(at, samples.NOW + dt.timedelta(minutes=4), has_jobs=True)
    assert audit.is_due(at, samples.NOW + dt.timedelta(minutes=4, seconds=59), has_jobs=True), "a tick came early"
    assert audit.is_due(at, samples.NOW + dt.timedelta(minutes=5), has_jobs=False)
    idle = audit.next_round(at, samples.NOW, has_jobs=False)
    assert not audit.is_due(idle, samples.NOW + dt.timedelta(minutes=59), has_jobs=False)
    assert audit.is_due(idle, samples.NOW + dt.timedelta(hours=25), has_jobs=False)
    assert not audit.is_due(idle, samples.NOW + dt.timedelta(hours=26), has_jobs=False)

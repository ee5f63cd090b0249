"""Looking at the provider, with as few calls as will do."""

from __future__ import annotations

import pytest

from batchdrop.core.states import BatchState
from batchdrop.usecases.observe import CALLS, Observe, Observed
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World


def look(world: World) -> Observed:
    flying = [batch for batch in world.ledger.batches("reviews-000000000000") if batch.state is BatchState.IN_FLIGHT]
    world.api.calls.clear()
    return Observe(world.ledger, world.api, world.messages, world.clock)(flying, FakeDeadline())


def test_an_ended_batch_is_recorded_with_its_files_and_sent_to_the_collector(world: World) -> None:
    batch = world.in_flight()
    remote = world.api.finish(batch.openai_batch_id or "")
    assert look(world).ended == 1
    ended = world.read(batch.key)
    assert (ended.state, ended.output_file_id) == (BatchState.ENDED, remote.output_file_id)
    assert world.messages.keys("collect") == [batch.key]


@pytest.mark.parametrize("missing", [None, ""])
def test_completed_without_its_file_ids_is_looked_at_again(world: World, missing: str | None) -> None:
    batch = world.in_flight()
    done = world.api.finish(batch.openai_batch_id or "")
    world.api.change(done.id, output_file_id=missing, error_file_id=missing)
    assert look(world).ended == 0
    assert world.read(batch.key).state is BatchState.IN_FLIGHT
    world.api.change(done.id, output_file_id=done.output_file_id)
    assert look(world).ended == 1


def test_an_end_that_counts_answers_waits_for_the_file_that_holds_them(world: World) -> None:
    batch = world.in_flight()
    expired = world.api.expire(batch.openai_batch_id or "", done=0.5)
    world.api.change(expired.id, output_file_id=None)
    assert look(world).ended == 0


def test_all_requests_failed_ends_without_an_output_file(world: World) -> None:
    batch = world.in_flight()
    world.api.change(batch.openai_batch_id or "", status="completed", failed=2, error_file_id="file-e")
    assert look(world).ended == 1
    assert world.read(batch.key).output_file_id is None


def test_a_look_that_shows_nothing_new_writes_nothing(world: World) -> None:
    world.in_flight()
    before = repr(world.table.items)
    assert look(world) == Observed(calls=1)
    assert repr(world.table.items) == before


def test_progress_is_recorded(world: World) -> None:
    batch = world.in_flight()
    world.api.change(batch.openai_batch_id or "", status="in_progress", completed=1)
    assert look(world).changed == 1
    assert world.read(batch.key).remote_completed == 1


def test_an_unknown_status_stays_in_flight_and_is_told(world: World) -> None:
    batch = world.in_flight()
    world.api.change(batch.openai_batch_id or "", status="pondering")
    assert look(world).odd_statuses == ("pondering",)
    assert world.read(batch.key).remote_status == "pondering"


def test_many_young_batches_are_listed_not_asked_for_one_by_one(world: World) -> None:
    for number in range(1, 151):
        world.in_flight(number)
    assert look(world).unseen == 0
    assert world.api.calls["retrieve"] == 0
    assert world.api.calls["page"] == 2


def test_one_old_batch_behind_many_finished_ones_costs_one_call(world: World) -> None:
    old = world.in_flight(1)
    for minute in range(1, 600):
        world.clock.advance(minutes=1)
        world.api.finish(world.in_flight(minute + 1).openai_batch_id or "")
        world.table.items.pop((old.job_id, f"chunk#000001#batch#{minute + 1:04d}"))
    seen = sum((look(world).calls, world.clock.advance(minutes=1))[0] for _ in range(5))
    assert seen == 1, "an old batch is looked at once in five minutes, with one call"


def test_no_more_than_the_allowed_calls_are_made(world: World) -> None:
    for number in range(1, 141):
        world.in_flight(number)
    world.api.batches.clear()
    seen = look(world)
    assert seen.calls == CALLS
    assert len(seen.unknown) + seen.unseen == 140


def test_a_batch_that_the_provider_does_not_know_is_told_and_never_made_again(world: World) -> None:
    batch = world.in_flight()
    del world.api.batches[batch.openai_batch_id or ""]
    assert look(world).unknown == (batch.openai_batch_id,)
    assert world.read(batch.key).state is BatchState.BLOCKED


def test_an_error_file_that_never_comes_is_not_waited_for_for_ever(world: World) -> None:
    batch = world.in_flight()
    done = world.api.finish(batch.openai_batch_id or "")
    world.api.change(done.id, completed=1, failed=1)
    assert look(world).ended == 0
    world.clock.advance(minutes=9)
    assert look(world).ended == 0
    world.clock.advance(minutes=2)
    assert look(world).ended == 1


def test_batches_behind_more_than_can_be_listed_are_seen_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchdrop.usecases.observe.CALLS", 6)
    monkeypatch.setattr("batchdrop.usecases.observe.PAGES", 3)
    world.api.page_size = 2
    old = [world.in_flight(number) for number in range(1, 21)]
    world.clock.advance(minutes=20)
    for number in range(40):
        world.api.finish(world.in_flight(100 + number).openai_batch_id or "")
        world.table.items.pop((old[0].job_id, f"chunk#000001#batch#{100 + number:04d}"))
    for batch in old:
        world.api.finish(batch.openai_batch_id or "")
    for _ in range(60):
        look(world)
        world.clock.advance(minutes=1)
    assert [world.read(batch.key).state for batch in old] == [BatchState.ENDED] * 20

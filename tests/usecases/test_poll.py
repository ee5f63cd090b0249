"""A tick: what is due moves on, whatever became of the messages."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from batchdrop.core.errors import Misconfigured, Rejected, RetryLater
from batchdrop.core.housekeeping import Housekeeping, Looking
from batchdrop.core.lifecycle import UNRESOLVED
from batchdrop.core.model import Job
from batchdrop.core.open_items import OpenItems
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import Deadline, Written
from batchdrop.telemetry import Metric, of_tick
from batchdrop.usecases import pace
from batchdrop.usecases.admit import Admit
from batchdrop.usecases.audit import Audit
from batchdrop.usecases.expire import Expire
from batchdrop.usecases.housekeep import Housekeep
from batchdrop.usecases.observe import Observe
from batchdrop.usecases.poll import Poll, Tick
from batchdrop.usecases.recover import CANNOT_FENCE, Recover
from batchdrop.usecases.redrive import Redrive
from batchdrop.usecases.status import Status
from batchdrop.usecases.sweep import Sweep
from batchdrop.usecases.withdraw import Withdraw
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World


def tick(world: World, name: str = "poller", deadline: Deadline | None = None) -> Tick:
    ledger, messages, clock = world.ledger, world.messages, world.clock
    return Poll(
        ledger,
        clock,
        observe=lambda: Observe(ledger, world.api, messages, clock),
        recover=lambda: Recover(ledger, world.api, clock, settle=1_800),
        expire=Expire(ledger, clock, hours=72),
        withdraw=lambda: Withdraw(ledger, world.api, clock),
        redrive=lambda: Redrive(ledger, messages, clock),
        admit=lambda: Admit(ledger, messages, clock, name),
        housekeep=Housekeep(
            ledger,
            clock,
            sweep=lambda: Sweep(ledger, world.objects, messages, clock, "input"),
            audit=lambda: Audit(ledger, world.api, clock, settle=1_800),
        ),
        status=Status(ledger, world.objects, clock, "output"),
    )(deadline or FakeDeadline())


def job(world: World) -> Job:
    found = world.ledger.job(samples.JOB_ID)
    assert found
    return found


def test_an_idle_tick_asks_nobody(world: World) -> None:
    world.table.items.clear()
    tick(world)
    assert tick(world) == Tick()
    assert not world.api.calls
    assert world.messages.sent == []


def test_queued_batches_of_a_running_job_are_admitted_and_sent(world: World) -> None:
    batch = world.batch()
    assert tick(world).admitted == 1
    assert world.read(batch.key).state is BatchState.ADMITTED
    assert world.messages.keys("submit") == [batch.key]


def test_nothing_is_admitted_before_the_file_is_judged(world: World) -> None:
    world.put(samples.job(state=JobState.PLANNING, next_check_at=samples.LATER))
    world.batch()
    assert tick(world).admitted == 0


def test_a_batch_waits_out_its_back_off(world: World) -> None:
    world.batch(not_before=world.clock.now() + dt.timedelta(seconds=60))
    assert tick(world).admitted == 0
    world.clock.advance(60)
    assert tick(world).admitted == 1


def test_a_second_poller_leaves_admission_alone(world: World) -> None:
    world.ledger.lead("other", lease=world.clock.now() + dt.timedelta(minutes=1), now=world.clock.now())
    world.batch()
    assert tick(world).admitted == 0


def test_the_next_tick_admits_though_it_is_another_poller(world: World) -> None:
    world.batch(1)
    assert tick(world, "one").admitted == 1
    world.batch(2)
    assert tick(world, "two").admitted == 1


@pytest.mark.parametrize("state", [BatchState.ADMITTED, BatchState.UPLOADING])
def test_a_batch_whose_submitter_died_is_queued_and_admitted_again(world: World, state: BatchState) -> None:
    now = world.clock.now()
    batch = world.batch(state=state, lease_until=now, next_check_at=now)
    tick(world)
    tick(world)
    assert world.messages.keys("submit") == [batch.key]


def test_a_lost_message_to_the_collector_is_sent_again_once_it_is_overdue(world: World) -> None:
    batch = world.batch(state=BatchState.ENDED, next_check_at=world.clock.now() + pace.WORKED_ON)
    tick(world)
    assert world.messages.keys("collect") == []
    world.clock.advance(pace.WORKED_ON.total_seconds())
    tick(world)
    tick(world)
    assert world.messages.keys("collect") == [batch.key], "and not with every tick"


def test_a_chunk_without_open_batches_is_joined(world: World) -> None:
    world.batch(state=BatchState.FETCHED, due=None, next_check_at=None)
    tick(world)
    assert world.messages.keys("collect") == [samples.chunk().key]


def test_a_chunk_with_an_open_batch_is_not(world: World) -> None:
    world.in_flight()
    tick(world)
    assert world.messages.keys("collect") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"state": JobState.RUNNING, "open_chunks": 0},
        {"state": JobState.ASSEMBLING, "open_chunks": 0},
        {"state": JobState.COMPLETED},
        {"state": JobState.FAILED},
    ],
)
def test_a_job_that_has_work_left_is_sent_to_the_collector(world: World, changes: dict[str, object]) -> None:
    world.table.items.clear()
    world.put(samples.running(**changes))
    tick(world)
    assert [key.item for key in world.messages.keys("collect")] == ["job"]


@pytest.mark.parametrize("told", [None, samples.NOW])
@pytest.mark.parametrize("state", BatchState)
def test_a_failed_job_is_told_of_at_once_and_cleaned_when_no_batch_of_it_may_run(
    world: World, state: BatchState, told: dt.datetime | None
) -> None:
    lease = world.clock.now() + dt.timedelta(hours=1)
    world.put(samples.running(state=JobState.FAILED, announced_at=told))
    world.batch(state=state, lease_until=lease, next_check_at=lease)
    tick(world)
    may_run = state in UNRESOLVED and told is not None
    assert [key.item for key in world.messages.keys("collect")] == ([] if may_run else ["job"])


def test_a_plan_that_rests_is_continued(world: World) -> None:
    world.put(samples.job())
    tick(world)
    assert [key.job_id for key in world.messages.keys("plan")] == [samples.JOB_ID]


def test_blocked_work_is_tried_again_by_itself(world: World) -> None:
    batch = world.batch(state=BatchState.BLOCKED, reason="invalid_api_key: no", next_check_at=world.clock.now())
    assert tick(world).blocked == 1
    assert world.read(batch.key).state is BatchState.ADMITTED
    assert world.messages.keys("submit") == [batch.key]


def test_what_may_exist_at_the_provider_is_never_unblocked_by_itself(world: World) -> None:
    batch = world.batch(state=BatchState.BLOCKED, reason=CANNOT_FENCE, next_check_at=world.clock.now())
    tick(world)
    assert world.read(batch.key).state is BatchState.BLOCKED


def test_a_provider_that_does_not_answer_keeps_nothing_else_from_moving(world: World) -> None:
    world.in_flight(1)
    batch = world.batch(2)
    world.api.script("page", RetryLater("down"))
    world.api.script("retrieve", RetryLater("down"))
    seen = tick(world)
    assert seen.troubles == ["look: down", "audit: down"]
    assert world.read(batch.key).state is BatchState.ADMITTED


def test_a_lost_create_is_adopted_by_a_tick(world: World) -> None:
    now = world.clock.now()
    file_id = world.in_flight(1).file_id
    batch = world.batch(1, BatchState.CREATING, file_id=file_id, intent_at=now, lease_until=now, next_check_at=now)
    assert tick(world).recovered.adopted == 1
    assert world.read(batch.key).state is BatchState.IN_FLIGHT


def test_a_batch_that_should_have_ended_long_ago_is_counted(world: World) -> None:
    world.in_flight(next_check_at=world.clock.now())
    world.clock.advance(minutes=10)
    assert tick(world).overdue == 1


def test_a_create_that_cannot_be_settled_is_counted_an_hour_after_it_could_be(world: World) -> None:
    now = world.clock.now()
    for number in (1, 2):
        world.api.script("delete_file", RetryLater("not now"), call=number)
    batch = world.batch(1, BatchState.CREATING, file_id="file-1", intent_at=now, next_check_at=now)
    world.clock.advance(minutes=89)
    early = tick(world)
    assert (early.overdue, early.recovered.open) == (0, 1)
    world.clock.advance(minutes=1)
    late = tick(world)
    assert of_tick(late)[Metric.BATCHES_OVERDUE] == 1
    assert world.read(batch.key).state is BatchState.CREATING


def test_an_error_file_that_was_waited_for_in_vain_is_nothing_overdue(world: World) -> None:
    done = world.api.finish(world.in_flight().openai_batch_id or "")
    world.api.change(done.id, completed=1, failed=1)
    seen = []
    for _ in range(16):
        seen.append(tick(world))
        world.clock.advance(minutes=1)
    assert (sum(one.ended for one in seen), max(one.overdue for one in seen)) == (1, 0)


def test_what_is_longest_overdue_moves_first_whatever_it_is(world: World) -> None:
    now = world.clock.now()
    batch = world.batch(state=BatchState.ENDED, next_check_at=now - dt.timedelta(minutes=1))
    for number in range(5):
        world.put(samples.running(job_id=f"job-{number}", state=JobState.ASSEMBLING, next_check_at=now))
    found = OpenItems.of(world.ledger.open_items())
    Redrive(world.ledger, world.messages, world.clock)(found.jobs, found.chunks, found.batches, FakeDeadline(2, each=1))
    assert world.messages.keys("collect") == [batch.key]


def test_the_status_is_written_when_something_is_new_and_not_more_often_than_it_may(world: World) -> None:
    world.in_flight()
    tick(world)
    first = world.objects.head("output", "reviews.status.json")
    assert first
    tick(world)
    world.clock.advance(61)
    tick(world)
    assert world.objects.head("output", "reviews.status.json") == first
    world.batch(2)
    world.clock.advance(61)
    tick(world)
    assert world.objects.head("output", "reviews.status.json") != first


def test_what_the_operator_must_mend_is_counted_though_nothing_is_blocked_for_it(world: World) -> None:
    world.in_flight(1)
    world.in_flight(2)
    for call in range(1, 10):
        world.api.script("page", Misconfigured("invalid_api_key", "revoked"), call=call)
    seen = tick(world)
    assert (seen.blocked, seen.misconfigured) == (0, 2), "by the look and by the audit"
    assert of_tick(seen)[Metric.MISCONFIGURED] == 2


def test_a_provider_that_is_down_is_not_the_operators_to_mend(world: World) -> None:
    world.in_flight(1)
    world.api.script("retrieve", RetryLater("down"))
    seen = tick(world)
    assert (seen.troubles, seen.misconfigured) == (["look: down"], 0)


def test_a_status_that_cannot_be_written_keeps_no_other_from_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write = world.objects.write

    def denied(bucket: str, key: str, *rest: Any, **how: Any) -> Written | None:
        if key == "reviews.status.json":
            raise Misconfigured("access_denied", "not there")
        return write(bucket, key, *rest, **how)

    monkeypatch.setattr(world.objects, "write", denied)
    world.put(samples.running(job_id="later", stem="later", created_at=world.clock.advance(minutes=1)))
    seen = tick(world)
    assert (seen.troubles, seen.misconfigured) == (["status: access_denied: not there"], 1)
    assert world.objects.head("output", "later.status.json")


def test_a_batch_that_cannot_be_shown_hides_no_other_and_stops_no_step(world: World) -> None:
    hidden = world.in_flight(1)
    world.clock.advance(minutes=20)
    world.api.script("retrieve", Rejected("bad_request", "no"))
    queued = world.batch(2)
    for _ in range(5):
        tick(world)
        world.clock.advance(minutes=1)
    assert world.read(queued.key).state is BatchState.ADMITTED
    world.api.finish(hidden.openai_batch_id or "")
    for _ in range(5):
        tick(world)
        world.clock.advance(minutes=1)
    assert world.read(hidden.key).state is BatchState.ENDED


def test_what_the_rounds_found_stands_in_the_tick_and_in_its_counts(world: World) -> None:
    stack = world.ledger.stack(world.clock.now())
    remote = world.in_flight(1)
    of = {"batchdrop_stack": stack.id, "batchdrop_job": samples.JOB_ID, "batchdrop_item": remote.item}
    world.api.change(remote.openai_batch_id or "", metadata=of)
    world.put(samples.batch(1, state=BatchState.FETCHED, due=None, next_check_at=None))
    world.objects.put("input", "lost.jsonl", b"x")
    world.clock.advance(minutes=10)
    seen = tick(world)
    assert (seen.audited.orphans, seen.swept.resent) == (1, 2), "the job of the tests is nobody's drop"
    counts = of_tick(seen)
    assert counts[Metric.DUPLICATE_BATCHES] == 1
    assert counts[Metric.LOST_EVENTS] == 2
    assert counts[Metric.PROVIDER_CALLS] == 2, "a page, a cancel"


@pytest.mark.parametrize("every", [1, 2, 5, 7])
def test_older_batches_are_seen_at_any_schedule(world: World, every: int) -> None:
    batches = [world.in_flight(number) for number in range(1, 9)]
    world.clock.advance(minutes=20)
    for batch in batches:
        world.api.finish(batch.openai_batch_id or "")
        tick(world)  # a round is behind us
    for _ in range(-(-5 // every)):
        world.clock.advance(minutes=every)
        tick(world)
    assert {world.read(batch.key).state for batch in batches} == {BatchState.ENDED}


def test_where_a_look_was_cut_short_is_forgotten_with_its_batches(world: World) -> None:
    record = world.ledger.claim_housekeeping(Housekeeping(), lease=samples.NOW, now=samples.NOW)
    assert record
    world.ledger.note_housekeeping(replace(record, look=Looking(1, "batch-1")))
    tick(world)
    assert world.ledger.housekeeping().look is None
    before = dict(world.table.items["stack", "housekeeping"])
    tick(world)
    assert world.table.items["stack", "housekeeping"] == before

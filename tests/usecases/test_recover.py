"""Creates whose answer was lost."""

from __future__ import annotations

import datetime as dt
import io

from batchdrop.core.errors import Misconfigured, Rejected, RetryLater
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from batchdrop.usecases import budget, pace
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.recover import CANNOT_FENCE, Recover, Recovered
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World

SETTLE = 1_800


def lost(world: World, *, made: bool) -> Batch:
    """A batch whose create was answered by nobody, its lease over."""
    now = world.clock.now()
    flying = world.in_flight()
    if not made:
        del world.api.batches[flying.openai_batch_id or ""]
    intent = {"file_id": flying.file_id, "intent_at": now, "created_under": world.api.key}
    creating = world.batch(1, BatchState.CREATING, **intent, lease_until=now, claim=2, next_check_at=now)
    world.clock.advance(minutes=2)
    return creating


def recover(world: World, batch: Batch) -> Recovered:
    return look_for(world, world.read(batch.key))


def look_for(world: World, *batches: Batch, calls: int = budget.CALLS) -> Recovered:
    return Recover(world.ledger, world.api, world.clock, SETTLE)(batches, Budget(FakeDeadline(), calls))


def test_a_batch_that_was_made_is_adopted_at_once(world: World) -> None:
    batch = lost(world, made=True)
    assert recover(world, batch) == Recovered(adopted=1)
    assert world.read(batch.key).state is BatchState.IN_FLIGHT


def test_of_two_batches_of_one_file_the_oldest_is_adopted_and_the_other_cancelled(world: World) -> None:
    batch = lost(world, made=True)
    (first,) = world.api.batches
    world.clock.advance(1)
    double = world.api.create(file_id=batch.file_id or "", endpoint="/v1/x", completion_window="24h", metadata={})
    assert recover(world, batch).doubles == 1
    assert world.read(batch.key).openai_batch_id == first
    assert world.api.batches[double.id].status in ("cancelling", "cancelled")


def test_one_negative_look_proves_nothing(world: World) -> None:
    batch = lost(world, made=False)
    assert recover(world, batch) == Recovered(open=1)
    assert world.read(batch.key).state is BatchState.CREATING
    assert batch.file_id in world.api.files


def test_after_the_wait_the_file_is_deleted_and_the_batch_queued_anew(world: World) -> None:
    batch = lost(world, made=False)
    world.clock.advance(SETTLE)
    assert recover(world, batch) == Recovered(requeued=1)
    assert batch.file_id not in world.api.files
    queued = world.read(batch.key)
    assert (queued.state, queued.file_id, queued.fenced_at) == (BatchState.QUEUED, None, None)


def test_a_batch_that_shows_up_behind_the_fence_is_adopted_after_all(world: World) -> None:
    batch = lost(world, made=True)
    world.api.list_lag = SETTLE + 121
    world.clock.advance(SETTLE)
    delete = world.api.delete_file

    def late(file_id: str) -> bool:
        world.api.list_lag = 0
        return delete(file_id)

    world.api.delete_file = late  # type: ignore[method-assign]
    recover(world, batch)
    assert world.read(batch.key).state is BatchState.IN_FLIGHT


def test_a_delete_whose_answer_was_lost_still_counts_as_our_fence(world: World) -> None:
    batch = lost(world, made=False)
    world.clock.advance(SETTLE)
    reset = RetryLater("reset")
    world.api.script("delete_file", reset, after=True)
    assert recover(world, batch) == Recovered(open=1, troubles=(reset,))
    assert recover(world, batch) == Recovered(requeued=1)


def test_a_fence_that_fails_keeps_no_other_batch_from_being_adopted(world: World) -> None:
    poisoned = lost(world, made=False)
    world.clock.advance(SETTLE)
    file_id = world.api.upload("other.jsonl", io.BytesIO(b"{}\n"))
    world.api.create(file_id=file_id, endpoint="/v1/x", completion_window="24h", metadata={})
    now = world.clock.now()
    adoptable = world.batch(2, BatchState.CREATING, file_id=file_id, intent_at=now, lease_until=now)
    forbidden = Misconfigured("permission_denied", "no files may be deleted")
    world.api.script("delete_file", forbidden)
    seen = look_for(world, world.read(poisoned.key), world.read(adoptable.key))
    assert seen == Recovered(adopted=1, open=1, troubles=(forbidden,))
    assert world.read(adoptable.key).state is BatchState.IN_FLIGHT


def test_a_file_that_somebody_else_removed_is_no_fence(world: World) -> None:
    batch = lost(world, made=False)
    world.clock.advance(SETTLE)
    world.api.delete_file(batch.file_id or "")
    recover(world, batch)
    blocked = world.read(batch.key)
    assert (blocked.state, blocked.reason) == (BatchState.BLOCKED, CANNOT_FENCE)
    assert blocked.next_check_at
    assert blocked.next_check_at > world.clock.now() + dt.timedelta(hours=24)


def test_a_list_that_cannot_be_read_far_enough_proves_nothing(world: World) -> None:
    batch = lost(world, made=True)
    world.api.page_size = 1
    for _ in range(5):
        world.api.create(file_id=batch.file_id or "", endpoint="/v1/x", completion_window="24h", metadata={})
    others = list(world.api.batches)[1:]
    for other in others:
        world.api.change(other, input_file_id="file-of-another")
    world.clock.advance(SETTLE)
    assert look_for(world, world.read(batch.key), calls=3) == Recovered(open=1)
    assert batch.file_id in world.api.files, "no fence without a whole look"


def test_a_double_that_cannot_be_cancelled_any_more_keeps_nothing_from_being_adopted(world: World) -> None:
    batch = lost(world, made=True)
    world.api.create(file_id=batch.file_id or "", endpoint="/v1/x", completion_window="24h", metadata={})
    world.api.script("cancel", Rejected("invalid_request", "it has ended"))
    assert recover(world, batch).adopted == 1


def test_of_two_pollers_at_the_fence_the_second_does_not_take_the_firsts_delete_for_a_strangers(world: World) -> None:
    batch = lost(world, made=False)
    world.clock.advance(SETTLE)
    delete, stale = world.api.delete_file, world.read(batch.key)

    def meanwhile(file_id: str) -> bool:
        gone = delete(file_id)
        world.api.delete_file = delete  # type: ignore[method-assign]
        assert look_for(world, stale) == Recovered(open=1)
        return gone

    world.api.delete_file = meanwhile  # type: ignore[method-assign]
    assert recover(world, batch) == Recovered(requeued=1)
    assert world.read(batch.key).state is BatchState.QUEUED


def test_while_one_poller_is_at_the_fence_no_other_one_looks_at_the_batch(world: World) -> None:
    batch = lost(world, made=False)
    now = world.clock.advance(SETTLE)
    world.ledger.record_fence(batch, key_version=world.api.key, now=now, lease=now + pace.TICK)
    fenced = world.read(batch.key)
    assert fenced.lease_until == now + dt.timedelta(minutes=3)
    assert fenced.fenced_at == now

"""Stopping at the provider what was bought for jobs that are stopped."""

from __future__ import annotations

from batchdrop.core.errors import RetryLater
from batchdrop.usecases import withdraw
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.withdraw import Withdraw, Withdrawn
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World


def withdrawn(world: World) -> Withdrawn:
    job = samples.running(cancel_requested_at=samples.NOW)
    batches = list(world.ledger.batches(job.job_id))
    return Withdraw(world.ledger, world.api, world.clock)({job.job_id: job}, batches, Budget(FakeDeadline()))


def test_a_cancel_that_fails_keeps_no_other_batch_from_being_stopped() -> None:
    world = World()
    for number in range(1, 4):
        world.in_flight(number)
    for _ in range(2):
        trouble = RetryLater("this one cannot be stopped now")
        world.api.script("cancel", trouble)
        assert withdrawn(world).troubles == (trouble,)
    assert [batch.status for batch in world.api.batches.values()] == ["validating", "cancelling", "cancelling"]
    assert withdrawn(world) == Withdrawn(sent=1)


def test_a_provider_that_stops_nothing_is_not_asked_for_each() -> None:
    world = World()
    for number in range(1, 21):
        world.in_flight(number)
    for call in range(1, 21):
        world.api.script("cancel", RetryLater("down"), call=call)
    withdrawn(world)
    assert world.api.calls["cancel"] == withdraw.TROUBLES

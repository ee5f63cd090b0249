"""Stopping at the provider what was bought for jobs that are stopped."""

from __future__ import annotations

from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Job
from batchdrop.core.states import BatchState
from batchdrop.usecases import withdraw
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.withdraw import Withdraw, Withdrawn
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World


def withdrawn(world: World, job: Job | None = None) -> Withdrawn:
    job = job or samples.running(cancel_requested_at=samples.NOW)
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


def test_the_batches_of_a_job_that_lost_its_input_are_stopped_as_those_of_a_cancelled_one() -> None:
    world = World()
    states = BatchState.QUEUED, BatchState.ADMITTED, BatchState.UPLOADING, BatchState.CREATING, BatchState.BLOCKED
    keys = [world.batch(number, state).key for number, state in enumerate(states, 1)]
    flying = world.in_flight(9)
    failed = world.ledger.lose_input(samples.running(), code="input_gone", reason="It is gone.", now=samples.NOW)
    assert withdrawn(world, failed) == Withdrawn(retired=3, sent=1)
    assert [batch.status for batch in world.api.batches.values()] == ["cancelling"]
    assert world.read(flying.key).cancel_sent_at == world.clock.now()
    left = [world.read(key) for key in keys]
    # What is uploaded cannot be bought any more; what is being created is looked for, and then stopped.
    assert [batch.state.value for batch in left] == ["retired", "retired", "uploading", "creating", "retired"]
    assert {batch.reason for batch in left if batch.state is BatchState.RETIRED} == {"It is gone."}


def test_what_cannot_be_found_out_about_a_failed_job_is_given_up_after_an_hour() -> None:
    world = World()
    creating = world.batch(1, BatchState.CREATING, intent_at=samples.NOW, file_id="file-1")
    failed = world.ledger.lose_input(samples.running(), code="input_gone", reason="It is gone.", now=samples.NOW)
    world.clock.advance(minutes=59)
    assert withdrawn(world, failed) == Withdrawn()
    world.clock.advance(minutes=1)
    assert withdrawn(world, failed) == Withdrawn(retired=1)
    assert world.read(creating.key).reason == (
        "It is gone. Whether a batch of its file file-1 was made could not be found out."
    )

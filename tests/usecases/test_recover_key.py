"""A key that is replaced while a create is looked for: another project's list and files say nothing of this one's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from batchdrop.usecases import budget
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.recover import CANNOT_FENCE, Recover, Recovered
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World

SETTLE = 1_800
CALLS = 5  #: of one recovery: key, list, delete, list, key


@dataclass
class Keyed:
    """The provider under one key, and from the n-th call on under another one."""

    here: InMemoryBatchApi
    elsewhere: InMemoryBatchApi
    moves_at: int
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.elsewhere if len(self.calls) >= self.moves_at else self.here, name)


def lost(world: World) -> Batch:
    """A batch that was made, whose create was answered by nobody, and that no list has shown for half an hour."""
    flying, now = world.in_flight(), world.clock.now()
    creating = world.batch(1, BatchState.CREATING, file_id=flying.file_id, intent_at=now, claim=2, next_check_at=now)
    world.clock.advance(SETTLE)
    world.api.list_lag = SETTLE + 1
    return creating


def recover(world: World, api: Any, batch: Batch) -> Recovered:
    look = Recover(world.ledger, api, world.clock, SETTLE)
    found = look([world.read(batch.key)], Budget(FakeDeadline(), budget.CALLS))
    world.clock.advance(180)
    return found


def elsewhere(world: World) -> InMemoryBatchApi:
    return InMemoryBatchApi(world.clock, key="2")


@pytest.mark.parametrize("moves_at", range(1, CALLS + 1))
def test_a_key_that_moves_to_another_project_at_any_call_buys_nothing_again(world: World, moves_at: int) -> None:
    batch = lost(world)
    world.api.list_lag = 2 * SETTLE  # not even the look behind the fence shows it
    api = Keyed(world.api, elsewhere(world), moves_at)
    recover(world, api, batch)
    assert len(api.calls) >= moves_at, "it had moved by then"
    for _ in range(3):
        if world.read(batch.key).state is BatchState.CREATING:
            recover(world, api, batch)
    blocked = world.read(batch.key)
    assert (blocked.state, blocked.reason) == (BatchState.BLOCKED, CANNOT_FENCE)


def test_a_delete_whose_answer_was_lost_counts_under_its_own_key_alone(world: World) -> None:
    batch = lost(world)
    world.api.script("delete_file", RetryLater("reset"), after=True)
    recover(world, world.api, batch)
    assert world.read(batch.key).fenced_under == world.api.key
    recover(world, elsewhere(world), batch)
    assert world.read(batch.key).reason == CANNOT_FENCE


def test_a_new_key_of_the_same_project_removes_the_file_that_the_old_one_could_not(world: World) -> None:
    batch = lost(world)
    del world.api.batches[next(iter(world.api.batches))]
    world.api.script("delete_file", RetryLater("reset"))
    recover(world, world.api, batch)
    world.api.key = "2"
    assert recover(world, world.api, batch) == Recovered(requeued=1)

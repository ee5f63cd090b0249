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
RESET = RetryLater("reset")
CALLS = 6  #: of one recovery: key, list, delete, key, list, key
#: What the intent says where the present key is the second.
UNDER_ANOTHER_KEY = pytest.mark.parametrize(
    "created_under", ["1", None], ids=["rotated", "written by an older version"]
)


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


def lost(world: World, *, made: bool = True, created_under: str | None = "1") -> Batch:
    """A batch whose create was answered by nobody, and that no list has shown for half an hour."""
    flying, now = world.in_flight(), world.clock.now()
    if not made:
        world.api.batches.clear()
    intent = {"file_id": flying.file_id, "intent_at": now, "created_under": created_under}
    creating = world.batch(1, BatchState.CREATING, **intent, claim=2, next_check_at=now)
    world.clock.advance(SETTLE)
    world.api.list_lag = SETTLE + 1
    return creating


def recover(world: World, api: Any, batch: Batch) -> Recovered:
    look = Recover(world.ledger, api, world.clock, SETTLE)
    found = look([world.read(batch.key)], Budget(FakeDeadline(), budget.CALLS))
    world.clock.advance(180)
    return found


def reason(world: World, batch: Batch) -> str | None:
    """Why it is blocked, if it is."""
    found = world.read(batch.key)
    return found.reason if found.state is BatchState.BLOCKED else None


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
    assert reason(world, batch) == CANNOT_FENCE


def test_a_delete_whose_answer_was_lost_counts_under_its_own_key_alone(world: World) -> None:
    batch = lost(world)
    world.api.script("delete_file", RESET, after=True)
    recover(world, world.api, batch)
    assert world.read(batch.key).fenced_under == world.api.key
    recover(world, elsewhere(world), batch)
    assert reason(world, batch) == CANNOT_FENCE


def test_a_fence_that_is_wholly_under_another_projects_key_buys_nothing_again(world: World) -> None:
    batch, other = lost(world), elsewhere(world)
    other.script("delete_file", RESET)
    assert recover(world, other, batch) == Recovered(open=1, troubles=(RESET,))
    assert world.read(batch.key).fenced_under == other.key
    recover(world, other, batch)
    assert reason(world, batch) == CANNOT_FENCE


def test_a_new_key_of_the_same_project_removes_the_file_that_the_old_one_could_not(world: World) -> None:
    batch = lost(world, made=False)
    world.api.script("delete_file", RESET)
    recover(world, world.api, batch)
    world.api.key = "2"
    assert recover(world, world.api, batch) == Recovered(requeued=1)


@UNDER_ANOTHER_KEY
def test_a_file_that_the_delete_finds_is_of_the_keys_project_whatever_it_was_created_under(
    world: World, created_under: str | None
) -> None:
    batch = lost(world, made=False, created_under=created_under)
    world.api.key = "2"
    assert recover(world, world.api, batch) == Recovered(requeued=1)


def test_that_it_was_found_is_known_to_who_comes_after_and_looks_behind_the_fence(world: World) -> None:
    batch = lost(world, made=False)
    world.api.key = "2"
    world.api.script("page", RESET, call=2)
    assert recover(world, world.api, batch) == Recovered(open=1, troubles=(RESET,))
    assert world.read(batch.key).removed_under == "2"
    assert recover(world, world.api, batch) == Recovered(requeued=1)


def test_that_it_was_found_under_one_key_says_nothing_of_another_ones_list(world: World) -> None:
    batch = lost(world)
    world.api.script("page", RESET, call=2)
    recover(world, world.api, batch)
    assert world.read(batch.key).removed_under == world.api.key
    recover(world, elsewhere(world), batch)
    assert reason(world, batch) == CANNOT_FENCE


@UNDER_ANOTHER_KEY
def test_a_delete_whose_answer_was_lost_is_no_fence_unless_its_key_was_the_creates(
    world: World, created_under: str | None
) -> None:
    batch = lost(world, made=False, created_under=created_under)
    world.api.key = "2"
    world.api.script("delete_file", RESET, after=True)
    recover(world, world.api, batch)
    recover(world, world.api, batch)
    assert reason(world, batch) == CANNOT_FENCE


def test_a_fence_that_is_recorded_is_not_recorded_on_a_batch_that_went_on(world: World) -> None:
    batch = lost(world)
    delete = world.api.delete_file

    def meanwhile(file_id: str) -> bool:
        (made,) = world.api.batches.values()
        assert world.ledger.adopt(world.read(batch.key), made, now=world.clock.now(), check_at=world.clock.now())
        return delete(file_id)

    world.api.delete_file = meanwhile  # type: ignore[method-assign]
    assert recover(world, world.api, batch) == Recovered(open=1)
    assert world.read(batch.key).state is BatchState.IN_FLIGHT

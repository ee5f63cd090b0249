"""Kill the planner at every call that it makes, start it again, compare the end."""

from __future__ import annotations

import functools
import gzip
from typing import Any
from unittest.mock import patch

import pytest

from batchdrop.core.cut import Limits
from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Item
from batchdrop.core.states import JobState
from tests.fakes.clock import FakeDeadline
from tests.usecases.planning_stack import PlanningStack, request

pytestmark = pytest.mark.no_cover

_LINES = [request(f"r{i // 2}", model=f"m{i % 2}") for i in range(120)]
DATA = b"\n".join([*_LINES[:60], b"oops", b"", *_LINES[60:]])
_WATCHED = {"head", "open", "write", "open_job", "claim_job", "add_chunk", "start_job", "rest_plan", "newest_job"}


class Died(BaseException):
    """Not an Exception: nothing in the code under test may swallow it."""


class Mortal:
    """Wraps a port; the call that the fuse ends on dies before or after its effect."""

    def __init__(self, target: object, fuse: list[int], when: str) -> None:
        self._target, self._fuse, self._when = target, fuse, when

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._target, name)
        if name not in _WATCHED:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            self._fuse[0] -= 1
            if self._fuse[0] == 0 and self._when == "before":
                raise Died
            answer = real(*args, **kwargs)
            if self._fuse[0] == 0:
                raise Died
            return answer

        return call


def end_of(stack: PlanningStack) -> dict[str, Any]:
    """All items but for what counts tries, and all staged bytes."""
    volatile = {"claim", "token", "lease_until", "next_check_at", "planned_at", "created_at"}
    items: dict[str, Any] = {
        "|".join(key): {name: value for name, value in item.items() if name not in volatile}
        for key, item in stack.table.items.items()
    }
    return items | {key: stack.objects.read("work", key) for key in stack.objects.keys("work")}


@functools.cache
def undisturbed(data: bytes) -> dict[str, Any]:
    stack = PlanningStack(limit=Limits(requests=1))
    stack.drop(data)
    return end_of(stack)


@pytest.mark.parametrize("data", [DATA, gzip.compress(DATA)], ids=["plain", "packed"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 26))
def test_the_same_job_comes_out_wherever_it_dies(data: bytes, when: str, step: int) -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    version_id = stack.put(data)
    fuse = [step]
    doomed = stack.plan(ledger=Mortal(stack.ledger, fuse, when), objects=Mortal(stack.objects, fuse, when))
    try:
        doomed("input", "a.jsonl", version_id, FakeDeadline())
    except Died:
        stack.clock.advance(minutes=20)
        stack.plan()("input", "a.jsonl", version_id, FakeDeadline())
    else:
        assert fuse[0] > 0
    assert stack.job("a.jsonl", version_id).state is JobState.RUNNING
    assert end_of(stack) == undisturbed(data)


@pytest.mark.parametrize("step", range(2, 8))
def test_a_dead_plan_is_overdue_so_that_the_poller_finds_it(step: int) -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    version_id = stack.put(DATA)
    with pytest.raises(Died):
        stack.plan(ledger=Mortal(stack.ledger, [step], "after"))("input", "a.jsonl", version_id, FakeDeadline())
    job = stack.job("a.jsonl", version_id)
    assert (job.due, job.next_check_at is not None) == (Item.OPEN, True)


def test_a_plan_that_cannot_read_its_batches_gives_its_lease_back() -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    version_id = stack.put(DATA)
    begun = stack.plan(reserve_seconds=float("inf"))("input", "a.jsonl", version_id, FakeDeadline())
    assert begun
    assert begun.chunks == 1
    with patch.object(stack.ledger, "batches", side_effect=RetryLater("busy")), pytest.raises(RetryLater):
        stack.plan().resume(begun.job_id, FakeDeadline())
    assert stack.job("a.jsonl", version_id).lease_until is None


@pytest.mark.parametrize(("write", "data"), [("add_chunk", DATA), ("start_job", DATA), ("fail_job", b"oops\n")])
def test_a_plan_whose_write_fails_gives_its_lease_back(write: str, data: bytes) -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    version_id = stack.put(data)
    with patch.object(stack.ledger, write, side_effect=RetryLater("busy")), pytest.raises(RetryLater):
        stack.plan()("input", "a.jsonl", version_id, FakeDeadline())
    job = stack.job("a.jsonl", version_id)
    assert (job.state, job.lease_until) == (JobState.PLANNING, None)

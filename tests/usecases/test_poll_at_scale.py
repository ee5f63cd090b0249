"""Ticks with very much to look at: how many calls, how many writes, and that everybody gets a turn."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Batch
from batchdrop.core.open_items import OpenItems
from batchdrop.core.states import BatchState
from batchdrop.usecases import audit, budget
from batchdrop.usecases.budget import Budget
from tests import samples
from tests.fakes.clock import FakeClock, FakeDeadline
from tests.fakes.long_list import LongList, made
from tests.fakes.table import InMemoryTable
from tests.usecases.test_poll import tick
from tests.usecases.test_recover import SETTLE, look_for
from tests.usecases.world import World

pytestmark = pytest.mark.no_cover


class CountedTable(InMemoryTable):
    """``written``: the items of every commit."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def commit(self, changes: Any) -> bool:
        self.written += [change.key.item for change in changes]
        return super().commit(changes)


class Running:
    """``ports.Deadline`` on a clock."""

    def __init__(self, clock: FakeClock, seconds: int) -> None:
        self._clock, self.end = clock, clock.now() + dt.timedelta(seconds=seconds)

    def remaining(self) -> float:
        return (self.end - self._clock.now()).total_seconds()


def crowd(number: int, hours: int = 23) -> World:
    """So many batches in progress, made one after the other over so many hours."""
    world = World(table=CountedTable())
    start = world.clock.now() - dt.timedelta(hours=hours)
    step = hours * 3_600 / number
    remotes = made(int(start.timestamp() + index * step) for index in range(number))
    for index, remote in enumerate(remotes):
        world.put(
            samples.batch(
                index % 50 + 1,
                index // 50 + 1,
                state=BatchState.IN_FLIGHT,
                openai_batch_id=remote.id,
                openai_created_at=remote.created_at,
                in_flight_at=dt.datetime.fromtimestamp(remote.created_at, dt.UTC),
                remote_status=remote.status,
                rank=2,
                next_check_at=samples.NOW + dt.timedelta(hours=30),
            )
        )
    world.api = LongList(remotes)  # type: ignore[assignment]
    return world


def test_a_tick_asks_once_for_a_batch_of_23_hours_behind_ten_thousand_that_are_done() -> None:
    world = crowd(1)
    alone: Any = world.api
    (old,) = alone.batches
    later = made((old.created_at + number * 8 for number in range(1, 10_001)), "done")
    done = [dataclasses.replace(one, status="completed") for one in later]
    world.api = LongList([old, *done])  # type: ignore[assignment]
    calls, asked = [], []
    for _ in range(11):
        world.api.calls.clear()
        seen = tick(world)
        calls.append(world.api.calls.total())
        asked.append(calls[-1] - seen.audited.pages)
        assert seen.unseen == 0
        world.clock.advance(minutes=1)
    assert set(asked) == {0, 1}, "nothing between the rounds"
    assert sum(asked) <= 3, "every five minutes"
    assert max(calls) <= 1 + audit.PAGES, "with what the audit looks through"


@pytest.fixture(scope="module")
def ticks() -> list[tuple[int, int, list[str]]]:
    """Three ticks over 10,000 batches that show nothing new: calls, batches left unseen, items written.

    The first and the last make a round over all, the one between them looks at the young ones.
    """
    world = crowd(10_000)
    found = []
    for minutes in (1, 4, 0):
        world.table.written.clear()  # type: ignore[attr-defined]
        seen = tick(world)
        found.append((seen.calls, seen.unseen, list(world.table.written)))  # type: ignore[attr-defined]
        world.clock.advance(minutes=minutes)
    return found


def test_ten_thousand_batches_take_a_hundred_and_twenty_calls_in_a_tick_and_fewer_between_the_rounds(
    ticks: list[tuple[int, int, list[str]]],
) -> None:
    assert [calls <= most for (calls, _, _), most in zip(ticks, (120, 2, 120), strict=True)] == [True] * 3
    assert [unseen for _, unseen, _ in ticks] == [0, 0, 0]


def test_looks_that_show_nothing_new_write_nothing_but_that_a_round_was_made(
    ticks: list[tuple[int, int, list[str]]],
) -> None:
    assert [items for _, _, items in ticks[1:]] == [[], ["housekeeping", "housekeeping"]]


def test_all_steps_of_a_tick_together_keep_to_one_budget() -> None:
    world = World()
    for number in range(1, 301):
        world.in_flight(number)
    world.put(samples.running(cancel_requested_at=samples.NOW))
    now = world.clock.now()
    for number in range(301, 601):
        file_id = world.in_flight(number).file_id
        world.api.batches.popitem()
        world.batch(number, BatchState.CREATING, file_id=file_id, intent_at=now, lease_until=now, next_check_at=now)
    world.clock.advance(seconds=SETTLE)
    world.api.calls.clear()
    seen = tick(world)
    assert seen.calls == sum(world.api.calls.values()) - world.api.calls["download"] <= 120
    assert seen.unseen == 0
    assert seen.recovered.requeued > 20
    assert seen.withdrawn.sent >= 20
    assert seen.audited.pages > 0


def test_a_thousand_lost_creates_are_resolved_over_the_ticks_within_the_calls_of_each() -> None:
    world = World()
    now = world.clock.now()
    for number in range(1, 1_001):
        flying = world.in_flight(number)
        if number % 2:
            world.api.batches.popitem()
        known = {"file_id": flying.file_id, "intent_at": now, "lease_until": now, "next_check_at": now}
        world.batch(number, BatchState.CREATING, **known)
        world.clock.advance(seconds=1)
    lost = list(world.ledger.batches(samples.JOB_ID))
    first = look_for(world, *lost)
    assert (first.adopted, first.requeued) == (500, 0)
    world.clock.advance(seconds=SETTLE)
    calls, ticks = [], 0
    while left := [batch for batch in world.ledger.batches(samples.JOB_ID) if _is_due(world, batch)]:
        world.api.calls.clear()
        look_for(world, *left)
        calls.append(sum(world.api.calls.values()))
        world.clock.advance(minutes=1)
        ticks += 1
    assert max(calls) <= budget.CALLS
    assert ticks <= 6
    states = [batch.state for batch in world.ledger.batches(samples.JOB_ID)]
    assert (states.count(BatchState.IN_FLIGHT), states.count(BatchState.QUEUED)) == (500, 500)
    assert world.api.calls["create"] == 0


def _is_due(world: World, batch: Batch) -> bool:
    return batch.state is BatchState.CREATING and (batch.lease_until or samples.NOW) <= world.clock.now()


def test_where_the_list_is_long_a_look_behind_the_fences_is_made_by_a_later_tick() -> None:
    world = World()
    now = world.clock.now()
    flying = world.in_flight(1)
    world.api.batches.clear()
    known = {"file_id": flying.file_id, "intent_at": now, "lease_until": now, "next_check_at": now}
    batch = world.batch(1, BatchState.CREATING, **known)
    world.api.page_size = 1
    for number in range(2, 22):
        world.in_flight(number)
    world.clock.advance(seconds=SETTLE)
    assert look_for(world, batch, calls=30).requeued == 0
    fenced = world.read(batch.key)
    assert fenced.fenced_at
    world.clock.advance(minutes=3)
    assert look_for(world, fenced, calls=30).requeued == 1


def test_a_tick_ends_after_a_minute_however_slow_the_provider_is() -> None:
    world = World()
    for number in range(1, 101):
        world.in_flight(number)
    world.api.batches.clear()  # so that each is asked for
    retrieve, page = world.api.retrieve, world.api.page

    def slow(call: Any) -> Any:
        def wrapped(*arguments: Any) -> Any:
            world.clock.advance(seconds=3)
            return call(*arguments)

        return wrapped

    world.api.retrieve, world.api.page = slow(retrieve), slow(page)  # type: ignore[method-assign]
    began = world.clock.now()
    deadline = Running(world.clock, 120)
    seen = tick(world, deadline=deadline)
    assert (world.clock.now() - began).total_seconds() <= budget.SECONDS + 3
    assert seen.unseen > 0


def test_where_time_is_short_the_jobs_take_turns_with_their_status() -> None:
    world = World()
    world.table.items.clear()
    for number in range(40):
        job_id = f"j-{number:012d}"
        world.put(samples.running(job_id=job_id, stem=f"j{number}", input_key=f"j{number}.jsonl"))
        world.put(samples.chunk(job_id=job_id, next_check_at=samples.LATER))
    write, written = world.objects.write, Counter[str]()

    def slow(bucket: str, key: str, blocks: Any, **named: Any) -> Any:
        written[key] += 1
        world.clock.advance(seconds=3)
        return write(bucket, key, blocks, **named)

    world.objects.write = slow  # type: ignore[method-assign]
    for number in range(6):
        world.put(*(replace(job, mapped_ids=number) for job in OpenItems.of(world.ledger.open_items()).jobs.values()))
        began = world.clock.now()
        tick(world, deadline=Running(world.clock, 120))
        assert (world.clock.now() - began).total_seconds() <= budget.SECONDS + 3
        world.clock.advance(minutes=1)
    assert len(written) == 40
    assert set(written.values()) <= {2, 3, 4}


def test_five_thousand_jobs_are_sorted_once_and_not_once_for_each() -> None:
    jobs = [samples.running(job_id=f"j-{n:012d}") for n in range(5_000)]
    batches = [samples.batch(n % 2 + 1, job_id=f"j-{n // 2:012d}") for n in range(10_000)]
    found = OpenItems.of([*jobs, *batches])
    assert [len(found.parts[job.job_id]) for job in jobs] == [2] * 5_000


def test_a_provider_that_hangs_keeps_no_other_step_from_its_turn() -> None:
    world = World()
    for number in range(1, 4):
        world.in_flight(number)
    queued = world.batch(4)

    def hangs(*_: Any) -> Any:
        world.clock.advance(seconds=60)
        raise RetryLater("timed out")

    world.api.retrieve = world.api.page = hangs  # type: ignore[method-assign, assignment]
    began = world.clock.now()
    seen = tick(world, deadline=Running(world.clock, 120))
    assert (seen.calls, seen.admitted, seen.unseen) == (1, 1, 3)
    assert world.read(queued.key).state is BatchState.ADMITTED
    assert world.objects.head("output", "reviews.status.json")
    assert world.clock.now() == began + dt.timedelta(seconds=60)


def test_a_share_is_spent_of_the_whole_and_has_half_of_the_time() -> None:
    whole = Budget(FakeDeadline(100), calls=10)
    share = whole.share(4)
    assert share.remaining() == 50
    assert sum(share.take() for _ in range(9)) == 4
    assert (whole.calls, whole.spent) == (6, 4)
    assert share.share().calls == 0
    assert Budget(FakeDeadline(7), until=6).share().remaining() == 5, "as much as each needs at the least"
    assert not Budget(FakeDeadline(0)).take()

"""Ways through the provider's list: how many calls, and that nothing is left out."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from batchdrop.core.errors import RetryLater
from batchdrop.core.housekeeping import Looking
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from batchdrop.ports import BatchPage, RemoteBatch
from batchdrop.usecases.budget import CALLS, Budget
from batchdrop.usecases.walk import START, Walk
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.fakes.long_list import PAGE, LongList, made

DAY, HOUR = 86_400, 3_600


def of(remote: RemoteBatch) -> Batch:
    return samples.batch(
        state=BatchState.IN_FLIGHT,
        openai_batch_id=remote.id,
        openai_created_at=remote.created_at,
        remote_status=remote.status,
    )


class Seen:
    """A look by as many ticks as it takes; ``calls`` of each."""

    def __init__(self, api: LongList, ours: list[RemoteBatch], calls: int = CALLS) -> None:
        self.ids: list[str] = []
        self.lost: list[str] = []
        self.calls: list[int] = []
        batches = list(map(of, ours))
        place: Looking | None = START
        while place is not None:
            left = [batch for batch in batches if batch.openai_batch_id not in self.lost]
            place = self._tick(api, left, place, Budget(FakeDeadline(), calls))

    def _tick(self, api: LongList, batches: list[Batch], place: Looking, budget: Budget) -> Looking | None:
        known = {batch.openai_batch_id or "": batch for batch in batches}
        walk = Walk(
            api,
            known,
            lambda remote, batch: self.ids.append(remote.id),
            lambda batch: self.lost.append(batch.openai_batch_id or ""),
            place,
            is_new=place.cursor is None,
        )
        is_whole = walk(batches, budget)
        self.calls.append(budget.spent)
        assert len(self.calls) < 10_000, "it comes nowhere"
        return None if is_whole else walk.place


def ids(batches: list[RemoteBatch]) -> set[str]:
    return {batch.id for batch in batches}


@pytest.mark.parametrize(("number", "ticks"), [(10_000, 1), (48_000, 4)])
def test_batches_that_lie_close_are_listed_a_hundred_with_each_call(number: int, ticks: int) -> None:
    everything = made(range(number))
    seen = Seen(LongList(everything), everything)
    assert len(set(seen.ids)) == number
    assert sum(seen.calls) == number / PAGE
    assert len(seen.calls) == ticks


def test_one_old_batch_behind_ten_thousand_finished_ones_costs_one_call() -> None:
    everything = made(range(10_000))
    assert Seen(LongList(everything), everything[:1]).calls == [1]


@pytest.mark.parametrize("number", [2, 3, 10, 100, 400])
def test_batches_that_lie_far_apart_are_asked_for(number: int) -> None:
    everything = made(range(48_000))
    seen = Seen(LongList(everything), everything[:: 48_000 // number][:number])
    assert sum(seen.calls) <= number + number / 16 + 5 * len(seen.calls)


def bursts(seeded: random.Random) -> Iterator[tuple[int, bool]]:
    """Creation times, and whether it is ours: runs of both, some spread over hours and some within seconds."""
    at = 0
    while at < DAY:
        is_ours, size = seeded.random() < 0.5, int(10 ** seeded.uniform(0, 3))
        step = seeded.choice((0, 0, 1, 20, 60))
        for _ in range(size):
            yield at, is_ours
            at += step
        at += seeded.randrange(HOUR)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("calls", [CALLS, 30])
def test_whatever_lies_between_them_all_are_seen_and_few_calls_are_wasted(seed: int, calls: int) -> None:
    shape = list(bursts(random.Random(seed)))
    everything = made(at for at, _ in shape)
    ours = [remote for remote, (_, is_ours) in zip(everything, shape, strict=True) if is_ours]
    seen = Seen(LongList(everything), ours, calls)
    assert set(seen.ids) >= ids(ours)
    pages = {index // PAGE for index, (_, is_ours) in enumerate(shape) if is_ours}
    assert sum(seen.calls) <= min(1.1 * len(ours), 2 * len(pages)) + 6 * len(seen.calls)
    assert max(seen.calls) <= calls


def test_at_the_ceiling_every_batch_is_seen_within_ten_ticks_however_they_lie() -> None:
    everything = made(range(0, 2 * 48_000, 2))
    for number in (480, 960, 1_440, 4_800, 24_000):
        seeded = random.Random(number)
        seen = Seen(LongList(everything), sorted(seeded.sample(everything, number), key=lambda one: one.created_at))
        assert len(set(seen.ids)) == number
        assert len(seen.calls) <= 10


def test_what_the_list_does_not_show_yet_is_asked_for() -> None:
    everything = made(range(300))
    late = ids(everything[-30:])
    seen = Seen(LongList(everything, unlisted=late), everything)
    assert len(seen.ids) == 300
    assert sum(seen.calls) <= 3 + 30 + 5


def test_a_place_of_another_project_costs_one_call() -> None:
    everything = made(range(1_000))
    api = LongList(everything)
    seen: list[str] = []
    known = {remote.id: of(remote) for remote in everything}
    walk = Walk(
        api,
        dict(known),
        lambda remote, batch: seen.append(remote.id),
        lambda batch: None,
        Looking(10**9, "of-another-project"),
        is_new=False,
    )
    assert walk(known.values(), Budget(FakeDeadline()))
    assert len(seen) == 1_000
    assert sum(api.calls.values()) <= 10 + 3


def test_what_the_provider_does_not_know_is_told_once_and_hides_nothing() -> None:
    strangers, everything = made(range(0, 1_000, 2), "stranger"), made(range(1, 1_000, 2))
    seen = Seen(LongList(everything), sorted(everything + strangers, key=lambda one: one.created_at))
    assert set(seen.ids) == ids(everything)
    assert sorted(seen.lost) == sorted(ids(strangers))


def test_batches_of_one_second_are_all_seen_though_the_budget_ends_among_them() -> None:
    everything = made([0] * 300)
    api = LongList(everything, unlisted=ids(everything))
    assert set(Seen(api, everything, calls=9).ids) == ids(everything)
    assert set(Seen(LongList(everything), everything, calls=2).ids) == ids(everything)


def test_a_list_that_is_down_leaves_the_batches_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: LongList, cursor: str | None = None) -> BatchPage:
        raise RetryLater("down")

    monkeypatch.setattr(LongList, "page", down)
    everything = made(range(50))
    assert len(Seen(LongList(everything), everything).ids) == 50

"""Functions that overlap at random. ``SIMULATED_SCHEDULES=200000`` for a long run, ``SIMULATED_SEED=…`` for one.

``SIMULATED_FIRST=100000`` begins with that seed: a long run in parts.
"""

from __future__ import annotations

import pytest

from tests.simulation.campaign import SHOWN, Record, knob
from tests.simulation.tally import Tally

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SCHEDULES = knob("SIMULATED_SCHEDULES", 10_200)
FIRST = knob("SIMULATED_FIRST", 0)
SEED = knob("SIMULATED_SEED", -1)
SLICES = 20  #: so that every worker has some
ENOUGH = 300  #: schedules among which everything goes wrong that can
REPLAY = "SIMULATED_SEED={} .venv/bin/pytest -q tests/simulation/test_schedules.py"


def seeds() -> list[range]:
    if SEED >= 0:
        return [range(SEED, SEED + 1)]
    return [range(FIRST + number, FIRST + SCHEDULES, SLICES) for number in range(min(SLICES, SCHEDULES))]


@pytest.mark.parametrize("seeds", seeds(), ids=lambda seeds: f"every {seeds.step}th from {seeds.start}")
def test_whatever_overlaps_dies_or_is_lost_every_promise_is_kept(seeds: range, record_property: Record) -> None:
    tally = Tally()
    for seed in seeds:
        tally.run(seed)
    record_property("figures", ("random schedules", tally.figures))
    record_property("mishaps", {kind.value: times for kind, times in tally.mishaps.items()})
    stories = [f"{REPLAY.format(seed)}\n    {story}" for seed, story in tally.broken.items()]
    assert not stories, "\n".join((f"{len(stories)} of {tally.schedules} schedules", *stories[:SHOWN]))
    assert tally.schedules < ENOUGH or not tally.missed

"""Functions that overlap at random. ``SIMULATED_SCHEDULES=200000`` for a long run, ``SIMULATED_SEED=…`` for one."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import SHOWN, knob, tell
from tests.simulation.schedules import Tally

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SCHEDULES = knob("SIMULATED_SCHEDULES", 500)
SEED = knob("SIMULATED_SEED", -1)
REPLAY = "SIMULATED_SEED={} .venv/bin/pytest -q tests/simulation/test_schedules.py"


def run(seeds: range) -> None:
    tally = Tally()
    for seed in seeds:
        tally.run(seed)
    tell(tally.told())
    stories = [f"{REPLAY.format(seed)}\n    {story}" for seed, story in tally.broken.items()]
    assert not stories, "\n".join((tally.told(), *stories[:SHOWN]))


def test_whatever_overlaps_dies_or_is_lost_every_promise_is_kept() -> None:
    run(range(SCHEDULES) if SEED < 0 else range(SEED, SEED + 1))

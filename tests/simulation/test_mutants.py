"""The schedules are worth something: they catch every wrong protocol that we could think of."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import knob
from tests.simulation.jobs import expected
from tests.simulation.mutants import MUTANTS, mutated
from tests.simulation.schedules import Tally

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SEEDS = knob("SIMULATED_SEEDS_PER_MUTANT", 200)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_protocol_is_caught(name: str) -> None:
    tally = Tally()
    try:
        with mutated(name):
            caught = next((seed for seed in range(SEEDS) if not tally.run(seed)), None)
    finally:
        expected.cache_clear()
    assert caught is not None, f"it came through {tally.told()}"
    print(f"seed {caught}: {tally.broken[caught]}")

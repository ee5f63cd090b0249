"""The simulation is worth something: it catches every wrong protocol that we could think of."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import Campaign, knob, tell
from tests.simulation.jobs import PARTS, REFUSED, expected
from tests.simulation.mutants import MUTANTS, mutated
from tests.simulation.schedules import Tally
from tests.simulation.wire import Fault

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SEEDS = knob("SIMULATED_SEEDS_PER_MUTANT", 60)


def in_schedules() -> str | None:
    tally = Tally()
    return next((f"seed {seed}: {tally.broken[seed]}" for seed in range(SEEDS) if not tally.run(seed)), None)


def in_deaths_before_writes() -> str | None:
    campaign = Campaign({"a.jsonl": REFUSED}, PARTS)
    for number, site in enumerate(campaign.clean(), 1):
        if site.startswith("table.commit B") and not campaign.broken:
            campaign.run({number: Fault.BEFORE})
    return next(iter(campaign.broken), None)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_protocol_is_caught(name: str) -> None:
    try:
        with mutated(name):
            caught = in_schedules() or in_deaths_before_writes()
    finally:
        expected.cache_clear()
    assert caught, f"{SEEDS} schedules came through"
    tell(f"{name}: {caught}")

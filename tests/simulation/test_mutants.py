"""The simulation is worth something: it catches every wrong protocol that we could think of."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import Campaign, knob, tell
from tests.simulation.conditions import Conditions
from tests.simulation.jobs import REFUSED, SMALL
from tests.simulation.mutants import MUTANTS, mutated, patched
from tests.simulation.oracle import Violation
from tests.simulation.play import expected
from tests.simulation.scenarios import one
from tests.simulation.schedules import Tally
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SEEDS = knob("SIMULATED_SEEDS_PER_MUTANT", 200)
MENU = (1, 4, 2, 2)  #: larger jobs than usual: more can go wrong in one schedule


def in_schedules() -> str | None:
    tally = Tally(menu=MENU)
    return next((f"seed {seed}: {tally.broken[seed]}" for seed in range(SEEDS) if not tally.run(seed)), None)


def in_single_faults(data: bytes, *faults: Fault) -> str | None:
    """One fault at a create, or at a write of a batch."""
    campaign = Campaign(one(data, Conditions(plain_bytes=0)))
    try:
        sites = campaign.clean()
    except Violation as violation:
        return f"without any fault: {violation}"
    for number, site in enumerate(sites, 1):
        if site.startswith(("api.create", "table.commit B")):
            for fault in set(faults) & set(fitting(site)):
                campaign.run({number: fault})
                if campaign.broken:
                    return campaign.broken[0]
    return None


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_protocol_is_caught(name: str) -> None:
    before = patched()
    try:
        with mutated(name):
            caught = in_single_faults(SMALL, *Fault) or in_schedules() or in_single_faults(REFUSED, Fault.BEFORE)
    finally:
        expected.cache_clear()
    assert patched() == before, "a mutant lives on"
    assert caught, f"{SEEDS} schedules came through"
    tell(f"{name}: {caught}")

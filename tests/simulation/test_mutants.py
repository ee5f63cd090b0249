"""The simulation is worth something: it catches every wrong protocol that we could think of.

Not among them, since each is masked by another rule, and makes no difference that could be seen: a plan that starts
whatever its state (its claim is held), and a lease that ends before its invocation (claims go up, so that the late one
writes nothing). Where both rules of such a pair are broken, it is caught.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter

import pytest

from tests.simulation.campaign import Campaign, knob, tell
from tests.simulation.conditions import Conditions
from tests.simulation.housekeeping_mutants import MUTANTS
from tests.simulation.jobs import REFUSED_ONCE
from tests.simulation.mutants import mutated, patched
from tests.simulation.oracle import Violation
from tests.simulation.play import KNOWN, expected, play
from tests.simulation.scenarios import SCENARIOS, one
from tests.simulation.tally import Tally
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SLIP = re.compile("raised (AttributeError|ImportError|NameError|TypeError)")
SEEDS = knob("SIMULATED_SEEDS_PER_MUTANT", 200)


def in_schedules() -> str | None:
    tally = Tally(is_hostile=True)
    return next((f"seed {seed}: {tally.broken[seed]}" for seed in range(SEEDS) if not tally.run(seed)), None)


def in_single_faults(data: bytes, *faults: Fault) -> str | None:
    """One fault at a create, or at a write of a batch."""
    campaign = Campaign(one(data, Conditions(plain_bytes=0, prompt=True)))
    try:
        calls = campaign.calls_to_hurt
    except Violation as violation:
        return f"without any fault: {violation}"
    for number, site in calls:
        if site.startswith(("api.create", "table.commit B")):
            for fault in set(faults) & set(fitting(site)):
                campaign.run(number, fault)
                if campaign.broken:
                    return campaign.broken[0]
    return None


def in_scenarios() -> str | None:
    """Without faults; a mutant that never gives up never comes to rest."""
    for name, scenario in SCENARIOS.items():
        try:
            play(scenario, scenario.world())
        except Violation as violation:
            return f"{name}: {violation}"
    return None


def test_our_own_protocol_is_not() -> None:
    assert (in_scenarios(), in_schedules()) == (None, None)


@pytest.fixture
def right() -> Iterator[None]:
    """What is right is known before anything is wrong, and nothing else is remembered."""
    for scenario in filter(attrgetter("is_same"), SCENARIOS.values()):
        expected(scenario.calm)
    known = dict(KNOWN)
    yield
    KNOWN.clear()
    KNOWN.update(known)


@pytest.mark.usefixtures("right")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_protocol_is_caught(name: str) -> None:
    before = patched()
    with mutated(name):
        caught = in_scenarios() or in_single_faults(REFUSED_ONCE, *Fault) or in_schedules()
    assert patched() == before, "a mutant lives on"
    assert caught, f"{SEEDS} schedules came through"
    assert not SLIP.search(caught), "the mutant does not run, which says nothing of the simulation"
    tell(f"{name}: {caught}")

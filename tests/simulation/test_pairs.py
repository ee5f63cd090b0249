"""Two calls of a small job go wrong: as many of all pairs as the time allows, ``SIMULATED_PAIRS=0`` for every one."""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations, product

import pytest

from tests.simulation.campaign import Campaign, Record, knob
from tests.simulation.jobs import TINY
from tests.simulation.scenarios import one
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

KINDS = (Fault.BEFORE, Fault.AFTER, Fault.LOST)
PAIRS = knob("SIMULATED_PAIRS", 800)
SLICES = 6
MINUTES = 100  #: two lost creates are looked for one after the other


@cache
def pairs() -> list[dict[int, Fault]]:
    """Every two faults that fit the calls of a clean run. What the second call is, once the first went wrong, shows."""
    sites = Campaign(one(TINY)).clean()
    every = [
        {first: one, second: other}
        for first, second in combinations(range(1, len(sites) + 1), 2)
        for one, other in product(KINDS, KINDS)
        if one in fitting(sites[first - 1]) and other in fitting(sites[second - 1])
    ]
    return random.Random(PAIRS).sample(every, min(PAIRS, len(every)) or len(every))


@pytest.mark.parametrize("start", range(SLICES))
def test_two_faults_lose_nothing_and_buy_nothing_twice(start: int, record_property: Record) -> None:
    campaign = Campaign(one(TINY))
    for faults in pairs()[start::SLICES]:
        campaign.run(faults)
    record_property("figures", ("pairs of faults", campaign.figures))
    campaign.verdict()
    assert campaign.slowest <= MINUTES

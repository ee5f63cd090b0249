"""Two calls of a small job go wrong: as many of all pairs as the time allows, ``SIMULATED_PAIRS=0`` for every one."""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest

from tests.simulation.campaign import Campaign, knob, tell
from tests.simulation.jobs import SMALL
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

KINDS = (Fault.BEFORE, Fault.AFTER, Fault.LOST)
PAIRS = knob("SIMULATED_PAIRS", 800)
MINUTES = 100  #: two lost creates are looked for one after the other


def test_two_faults_lose_nothing_and_buy_nothing_twice() -> None:
    campaign = Campaign({"a.jsonl": SMALL})
    sites = campaign.clean()
    fitting_pairs = [
        {first: one, second: other}
        for first, second in combinations(range(1, len(sites) + 1), 2)
        for one, other in product(KINDS, KINDS)
        if one in fitting(sites[first - 1])
    ]
    chosen = fitting_pairs if not PAIRS else random.Random(PAIRS).sample(fitting_pairs, PAIRS)
    for faults in chosen:
        campaign.run(faults)
    tell(f"{len(chosen)} of {len(fitting_pairs)} pairs at {len(sites)} calls")
    campaign.verdict()
    assert campaign.slowest <= MINUTES

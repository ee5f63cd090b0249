"""Every call of a full run, and everything that can go wrong with it."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import Campaign, Record, share
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

PARTS = 2
#: Seconds by which a create is late: before its lease ends, while it is looked for, at the fence, behind it.
LATENESS = (30, 600, 1_795, 2_400)
MINUTES = 60  #: to look for a lost create, and one invocation


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_goes_wrong_with_one_call_nothing_is_lost_or_bought_twice(
    name: str, part: int, record_property: Record
) -> None:
    campaign = Campaign(SCENARIOS[name])
    for number, site in share(campaign.calls_to_hurt, part, PARTS):
        for fault in fitting(site):
            for lateness in LATENESS if fault is Fault.LATE else (0,):
                campaign.run(number, fault, lateness)
    record_property("figures", ("single faults", campaign.figures))
    campaign.verdict()
    assert campaign.slowest <= SCENARIOS[name].minutes + MINUTES

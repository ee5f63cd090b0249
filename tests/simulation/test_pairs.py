"""Two calls of a small job go wrong: every pair there is. What the second one may be, the run with the first tells."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import Campaign, Record, share
from tests.simulation.jobs import TINY
from tests.simulation.scenarios import one
from tests.simulation.test_delays import NEVER_MADE
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

KINDS = (Fault.BEFORE, Fault.AFTER, Fault.LOST)
PARTS = 12
LATER = 62  #: minutes: two creates that were never made, one after the other, each half an hour and what is usual
ELSE = 52  #: minutes: one such create, and a function that dies or a message that is lost


def fitting_of(site: str) -> list[Fault]:
    return [fault for fault in KINDS if fault in fitting(site)]


@pytest.mark.parametrize("part", range(PARTS))
def test_two_faults_lose_nothing_and_buy_nothing_twice(part: int, record_property: Record) -> None:
    campaign, other_than_two_creates = Campaign(one(TINY), depth=2, quiet=1), 0.0
    for number, site in share(campaign.calls_to_hurt, part, PARTS):
        for fault in fitting_of(site):
            first = campaign.run(number, fault)
            for later, other_site in enumerate(first.sites[number:], number + 1):
                for other in fitting_of(other_site):
                    second = campaign.run(later, other, after=first)
                    if not {(site, fault), (other_site, other)} <= NEVER_MADE:
                        other_than_two_creates = max(other_than_two_creates, second.minutes)
    record_property("figures", ("pairs of faults", campaign.figures))
    campaign.verdict()
    assert campaign.slowest - campaign.clean.minutes <= LATER
    assert other_than_two_creates - campaign.clean.minutes <= ELSE

"""How much later a small job ends because something went wrong once: the figures of the promises."""

from __future__ import annotations

from functools import cache

import pytest

from tests.simulation.campaign import Campaign
from tests.simulation.jobs import TINY
from tests.simulation.scenarios import one
from tests.simulation.wire import Fault, fitting

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

LATE = 600  #: seconds
#: Where the create is not made although its intent is recorded.
NEVER_MADE = {("api.create", Fault.BEFORE), ("api.create", Fault.GONE), ("table.commit B3", Fault.AFTER)}


@cache
def delays() -> dict[tuple[str, Fault], float]:
    """The longest, in minutes, by kind of call and what went wrong with it, with a tick each minute as deployed."""
    campaign, found = Campaign(one(TINY), quiet=1), dict[tuple[str, Fault], float]()
    for number, site in campaign.calls_to_hurt:
        for fault in fitting(site):
            delay = campaign.run(number, fault, LATE).minutes - campaign.clean.minutes
            found[site, fault] = max(delay, found.get((site, fault), 0))
    return found


def longest(*kinds: tuple[str, Fault]) -> float:
    return max(delays()[kind] for kind in kinds)


def test_a_create_whose_answer_was_lost_is_adopted_within_two_minutes() -> None:
    assert longest(("api.create", Fault.LOST)) <= 2


def test_a_create_that_was_never_made_is_made_anew_after_half_an_hour() -> None:
    assert 30 <= longest(*NEVER_MADE) <= 31


def test_a_create_that_comes_later_is_adopted_soon_after() -> None:
    assert longest(("api.create", Fault.LATE)) <= LATE / 60 + 2


def test_whatever_else_dies_fails_or_is_lost_delays_a_job_by_21_minutes_at_the_most() -> None:
    assert 16 <= longest(*(delays().keys() - NEVER_MADE)) <= 21

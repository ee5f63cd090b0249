"""Two thousand creates an hour, in whatever sixty minutes."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

from batchdrop.core import creates, limits
from tests.samples import NOW

HOUR = dt.timedelta(hours=1)


def test_a_burst_is_bounded_and_comes_back() -> None:
    assert creates.affordable(None, NOW) == creates.BURST
    paid = creates.paid(None, NOW, creates.BURST)
    assert creates.affordable(paid, NOW) == 0
    assert creates.affordable(paid, NOW + dt.timedelta(minutes=1)) in (29, 30)
    assert creates.affordable(paid, NOW + dt.timedelta(minutes=10)) == creates.BURST


def test_in_no_sixty_minutes_are_more_made_than_the_provider_takes() -> None:
    """Ticks come when they like; what is admitted is created some ticks later, AT_ONCE of them waiting at most."""
    chance = random.Random(11)
    made = created(6_000, lambda: chance.choice([3, 30, 60, 60, 60, 200]), lambda: chance.random() < 0.8)
    assert most_in_an_hour(made) <= limits.CREATES_PER_HOUR


def test_a_tick_a_minute_makes_nine_tenths_of_what_the_provider_takes() -> None:
    made = created(6_000, lambda: 60, lambda: True)
    assert most_in_an_hour(made) <= limits.CREATES_PER_HOUR
    assert len(made) / ((made[-1] - made[0]) / HOUR) > 1_800


def created(number: int, pause: Callable[[], int], works: Callable[[], bool]) -> list[dt.datetime]:
    """When batches were created: a poller that ticks with these pauses, submitters that work on some of its ticks."""
    now, paid_until, waiting = NOW, None, 0
    made: list[dt.datetime] = []
    while len(made) < number:
        now += dt.timedelta(seconds=pause())
        if works():
            made += [now] * waiting
            waiting = 0
        count = min(creates.affordable(paid_until, now), creates.AT_ONCE - waiting)
        paid_until = creates.paid(paid_until, now, count)
        waiting += count
    return made


def most_in_an_hour(made: list[dt.datetime]) -> int:
    most = first = 0
    for last, moment in enumerate(made):
        while made[first] <= moment - HOUR:
            first += 1
        most = max(most, last - first + 1)
    return most

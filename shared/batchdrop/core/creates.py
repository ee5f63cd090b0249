"""How many batches may be created now: the provider counts those of an hour.

One moment in time is all that is kept: until when the creates of the past are paid for, each at an even share of the
hour. It may run ahead of the clock by ``BURST`` creates. What is admitted is created a little later, so the figures
leave room for all that waits: ``AN_HOUR + BURST + AT_ONCE`` is below the provider's 2,000 in whatever sixty minutes.
"""

from __future__ import annotations

import datetime as dt

from batchdrop.core import limits

BURST = 60
#: Admitted batches whose create is still to come, at most.
AT_ONCE = 60
#: The rest is for probes of blocked work, which nobody counts.
AN_HOUR = limits.CREATES_PER_HOUR - BURST - AT_ONCE - 30
_EACH = dt.timedelta(hours=1) / AN_HOUR


def affordable(paid_until: dt.datetime | None, now: dt.datetime) -> int:
    """Number of creates that may be admitted now."""
    ahead = max(paid_until or now, now) - now
    return max(0, int((BURST * _EACH - ahead) / _EACH))


def paid(paid_until: dt.datetime | None, now: dt.datetime, count: int) -> dt.datetime:
    """Until when the creates are paid for with ``count`` more; a whole second, rounded up."""
    until = max(paid_until or now, now) + count * _EACH
    return until.replace(microsecond=0) + dt.timedelta(seconds=bool(until.microsecond))

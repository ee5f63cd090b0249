"""How long things may take, and when an item counts as overdue. In one place, so that no two waits contradict."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from batchdrop.core.errors import RetryLater

if TYPE_CHECKING:
    from batchdrop.core.errors import BatchdropError
    from batchdrop.ports import Deadline

Result = TypeVar("Result")
Step = Callable[[], Result]

#: A create takes 60 s at most; with less than this left, it is not begun.
SECONDS_TO_CREATE = 90
#: A tick has surely ended after this time: the poller's two minutes, and one to spare.
TICK = dt.timedelta(minutes=3)
#: Ticks that are asked for keep this distance: a thousand files that are dropped at once ask a thousand times.
POKES = dt.timedelta(seconds=10)
#: A message is worked on within this time: the function's 15 minutes, and one to spare.
WORKED_ON = dt.timedelta(minutes=16)
#: An admitted batch whose submitter never came: queued again.
ADMITTED = dt.timedelta(minutes=20)
#: OpenAI ends a batch 24 h after its creation; six hours later it is overdue.
WINDOW = dt.timedelta(hours=30)
#: A batch is young for this long: every tick looks at it.
YOUNG = dt.timedelta(minutes=15)
#: Older ones are looked at this often.
EVERY = dt.timedelta(minutes=5)
#: OpenAI cancels a batch within ten minutes; after this it is asked again.
CANCEL = dt.timedelta(minutes=15)
#: The error file of an ended batch shows up within this time, or not at all.
FILES = dt.timedelta(minutes=10)
#: Work that crashes its function time and again is tried this often.
PARKED = dt.timedelta(hours=1)
#: What is in the way of a fetch, a join or an assembly is looked at again after this, unless it says when.
REST = dt.timedelta(minutes=1)
#: Chunks and batches of ended jobs stay readable for this long.
KEPT = dt.timedelta(days=30)


def lease(now: dt.datetime, deadline: Deadline) -> dt.datetime:
    """Until the platform has surely killed this invocation."""
    return now + dt.timedelta(seconds=int(deadline.remaining()) + 60)


def again(now: dt.datetime, trouble: BatchdropError) -> dt.datetime:
    """When to try again what this was in the way of."""
    after = trouble.after if isinstance(trouble, RetryLater) else None
    return now + (dt.timedelta(seconds=math.ceil(after)) if after else REST)


def in_flight(now: dt.datetime) -> dt.datetime:
    """When a batch that is created now is overdue."""
    return now + WINDOW

"""Pools that the provider has just refused for want of room: closed, until one batch shows that there is room again.

A refused batch has cost an upload. So while its pool is closed nothing of it goes but, once the back-off is over, the
smallest batch that waits; the others follow when the provider works on that one. Nothing is noted for this: what the
open batches show is enough (see ``core.blocking``, which does the same for what the operator must mend).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core import blocking, poison, retrying
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from batchdrop.core.model import Batch

#: Too much is enqueued, which concerns one model.
NO_ROOM = frozenset({"token_limit_exceeded", "request_limit_exceeded"})
#: Too many calls, which concerns the whole account.
TOO_FAST = frozenset({"rate_limit_exceeded", "rate_limit_error", "too_many_requests"})

Crowd = tuple[str, str]  #: (api, model); no model where it concerns the account
Weigh = Callable[["Batch"], int]


def is_crowded(reason: str | None) -> bool:
    """Whether a refusal's reason, ``code: text``, is want of room, and not the batch's own fault."""
    return _code(reason) in NO_ROOM | TOO_FAST


@dataclass(frozen=True, slots=True)
class Closed:
    """A pool without room. ``probe``: the one batch of it that may go now, if any."""

    since: dt.datetime
    probe: Batch | None


def closed(batches: Sequence[Batch], now: dt.datetime, weigh: Weigh) -> dict[Crowd, Closed]:
    """The closed ones of the pools that these open batches of running jobs are in."""
    members: dict[Crowd, list[Batch]] = defaultdict(list)
    refused: dict[Crowd, list[Batch]] = defaultdict(list)
    for batch in batches:
        members[batch.api, batch.model].append(batch)
        members[batch.api, ""].append(batch)
        if crowd := _crowd(batch):
            refused[crowd].append(batch)
    found = {}
    for crowd, some in refused.items():
        since = max(filter(None, map(_refused_at, some)))
        if not any(_went_through(batch, crowd, since) for batch in members[crowd]):
            found[crowd] = Closed(since, _probe(members[crowd], crowd, since, now, weigh))
    return found


def _code(reason: str | None) -> str:
    return (reason or "").partition(":")[0]


def _crowd(batch: Batch) -> Crowd | None:
    if _refused_at(batch) is None:
        return None
    if batch.state is BatchState.QUEUED and _code(batch.reason) in TOO_FAST:
        return batch.api, ""
    return batch.api, batch.model


def _refused_at(batch: Batch) -> dt.datetime | None:
    """When there was no room for it; while it waits or is tried again, and once the provider has failed it."""
    if batch.state is BatchState.ENDED and batch.remote_status == "failed":
        return batch.ended_at if NO_ROOM.intersection(batch.error_codes) else None
    return batch.no_room_at


def _went_through(batch: Batch, crowd: Crowd, since: dt.datetime) -> bool:
    """Whether the provider had room for it after that. A create that is taken says enough about the rate of calls."""
    if crowd[1]:
        return blocking.went_through(batch, since=since)
    return batch.in_flight_at is not None and batch.in_flight_at > since


def _probe(members: Sequence[Batch], crowd: Crowd, since: dt.datetime, now: dt.datetime, weigh: Weigh) -> Batch | None:
    """The cheapest to refuse, and the most likely to fit; of several, the one that was refused most often."""
    if any(_is_undecided(batch, crowd, now) for batch in members):
        return None
    waiting = [batch for batch in members if batch.state is BatchState.QUEUED and not poison.is_poisoned(batch)]
    # What was refused for want of room waits for the pool, not for itself: else each of a thousand would be tried.
    ready = [batch for batch in waiting if is_crowded(batch.reason) or not batch.not_before or batch.not_before <= now]
    if not ready:
        return None
    probe = min(ready, key=lambda batch: (weigh(batch), -batch.refusals, batch.job_id, batch.item))
    due = since + dt.timedelta(seconds=retrying.backoff(max(0, probe.refusals - 1)))
    if not crowd[1]:
        # The provider may have said how long to wait.
        due = max(due, min(batch.not_before or due for batch in waiting if _crowd(batch) == crowd))
    return probe if due <= now else None


def _is_undecided(batch: Batch, crowd: Crowd, now: dt.datetime) -> bool:
    if crowd[1]:
        return blocking.is_undecided(batch, now)
    return batch.state in blocking.ON_THE_WAY

"""Which queued batches may go to the provider: room under the enqueued-token limit, fair between jobs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from batchdrop.core import blocking, poison
from batchdrop.core.lifecycle import OCCUPYING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from batchdrop.core.model import Batch

#: Admitted batches that wait for their submitter, at most: 2,000 creates an hour are 33 a minute.
AT_ONCE = 200

#: Refusals after which an estimate near the limit is no longer believed.
DOUBTED = 3

_LIMIT = re.compile(r"Limit:\s*([\d,]+)\s*enqueued tokens", re.IGNORECASE)


def learned_limit(text: str) -> int | None:
    """The limit that an error names: "… Limit: 2,000,000 enqueued tokens. …"; None if it names none."""
    found = _LIMIT.search(text)
    return int(found[1].replace(",", "")) if found else None


def pieces(batch: Batch, limit: int) -> int:
    """Into how many batches a batch is to be split that does not fit under the limit by itself; 0: it may go.

    Tokens are estimated: one that was refused time and again although it seemed to fit is split, too.
    """
    if batch.requests == 1:
        return 0
    if batch.estimated_tokens > limit:
        return -(-batch.estimated_tokens // limit)
    was_refused = batch.refusals >= DOUBTED and "token_limit" in (batch.reason or "")
    return 2 if was_refused and 2 * batch.estimated_tokens > limit else 0


def admitted(
    batches: Iterable[Batch], limits: Mapping[tuple[str, str], int], now: datetime, *, at_once: int = AT_ONCE
) -> list[Batch]:
    """Of the open ``batches`` of running jobs, those to admit now.

    The room of an (api, model) is its limit less the estimated tokens of all that is on its way; a model without a
    known limit has room for all. Jobs take turns, older batches first; a batch larger than the limit goes alone. Where
    others wait for the operator, none goes: one of those is tried first (``core.blocking``).
    """
    everything = list(batches)
    used: Counter[tuple[str, str]] = Counter()
    for batch in everything:
        if batch.state in OCCUPYING:
            used[batch.api, batch.model] += batch.estimated_tokens
    chosen: list[Batch] = []
    at_once -= sum(batch.state == "admitted" for batch in everything)
    closed = blocking.verdict(everything, now)
    for batch in _in_turns(batch for batch in everything if _is_ready(batch, now) and not closed.stops(batch)):
        pool = batch.api, batch.model
        if used[pool] and used[pool] + batch.estimated_tokens > limits.get(pool, float("inf")):
            continue
        if len(chosen) >= at_once:
            break
        used[pool] += batch.estimated_tokens
        chosen.append(batch)
    return chosen


def _is_ready(batch: Batch, now: datetime) -> bool:
    return (
        batch.state == "queued"
        and not poison.is_poisoned(batch)
        and (batch.not_before is None or batch.not_before <= now)
    )


def _in_turns(batches: Iterable[Batch]) -> Iterator[Batch]:
    """One batch of each job, then the next of each."""
    jobs: dict[str, deque[Batch]] = defaultdict(deque)
    for batch in sorted(batches, key=lambda batch: batch.item):
        jobs[batch.job_id].append(batch)
    waiting = deque(jobs.values())
    while waiting:
        job = waiting.popleft()
        yield job.popleft()
        if job:
            waiting.append(job)

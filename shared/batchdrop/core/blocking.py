"""Work that waits for the operator: one batch at a time tells whether it is mended, all others wait for its outcome.

Nothing is noted for that: what the open batches show is enough. A batch that is refused again is due later than all
others of its pool, so the latest due time says when the last try was; one that the provider works on, and that was
created after it, says that the way is free.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core.lifecycle import rank
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from batchdrop.core.model import Batch

#: Time between a refusal and the next try.
EVERY = dt.timedelta(minutes=5)
#: A batch that the provider still checks says nothing yet; after this it is not waited for.
UNDECIDED = dt.timedelta(minutes=15)
#: What may exist at the provider is never sent again by itself.
_FOR_A_PERSON = frozenset({"cannot_fence", "batch_unknown_to_api"})
#: A key may be allowed some models and not others; all else concerns the whole account.
_OF_A_MODEL = frozenset({"permission_denied", "input_no_permissions", "model_not_found"})
ON_THE_WAY = frozenset({BatchState.ADMITTED, BatchState.UPLOADING, BatchState.CREATING})
_WORKED_ON = rank("in_progress")


@dataclass(frozen=True, slots=True)
class Pool:
    """Batches that are blocked for the same thing. ``model`` is empty where it concerns all of them."""

    api: str
    model: str
    code: str

    def concerns(self, batch: Batch) -> bool:
        return batch.api == self.api and self.model in ("", batch.model)


@dataclass(slots=True)
class Verdict:
    """``free``: may go. ``probe``: one of each pool whose time has come. ``closed``: pools that are not free yet."""

    free: list[Batch] = field(default_factory=list)
    probe: list[Batch] = field(default_factory=list)
    closed: list[Pool] = field(default_factory=list)

    def stops(self, batch: Batch) -> bool:
        """Whether a queued batch would only be refused."""
        return any(pool.concerns(batch) for pool in self.closed)


def verdict(batches: Iterable[Batch], now: dt.datetime) -> Verdict:
    """What to do about the blocked ones among the open ``batches`` of running jobs."""
    everything = list(batches)
    pools: dict[Pool, list[Batch]] = defaultdict(list)
    for batch in everything:
        if pool := _pool(batch):
            pools[pool].append(batch)
    found = Verdict()
    for pool, blocked in pools.items():
        alike = [batch for batch in everything if pool.concerns(batch)]
        due = max(batch.next_check_at or now for batch in blocked)
        if any(went_through(batch, since=due - EVERY) for batch in alike):
            found.free += blocked
            continue
        found.closed.append(pool)
        if due <= now and not any(is_undecided(batch, now) for batch in alike):
            found.probe.append(_longest_waiting(blocked))
    return found


def _pool(batch: Batch) -> Pool | None:
    if batch.state is not BatchState.BLOCKED or batch.openai_batch_id is not None:
        return None
    code = (batch.reason or "").partition(":")[0]
    return None if code in _FOR_A_PERSON else Pool(batch.api, batch.model if code in _OF_A_MODEL else "", code)


def went_through(batch: Batch, *, since: dt.datetime) -> bool:
    """Whether the provider took it after that. It takes a batch first and may refuse it while it checks it."""
    is_worked_on = batch.state in (BatchState.IN_FLIGHT, BatchState.ENDED) and batch.rank >= _WORKED_ON
    was_taken = is_worked_on and batch.remote_status != "failed"
    return was_taken and batch.in_flight_at is not None and batch.in_flight_at > since


def is_undecided(batch: Batch, now: dt.datetime) -> bool:
    """Whether the outcome of its submission is still to be awaited."""
    if batch.state is BatchState.IN_FLIGHT and batch.in_flight_at is not None:
        return batch.rank < _WORKED_ON and now - batch.in_flight_at < UNDECIDED
    is_failed = batch.state is BatchState.ENDED and batch.remote_status == "failed"
    return batch.state in ON_THE_WAY or (is_failed and batch.ended_at is not None and now - batch.ended_at < UNDECIDED)


def _longest_waiting(blocked: Sequence[Batch]) -> Batch:
    return min(blocked, key=lambda batch: (str(batch.next_check_at), batch.job_id, batch.item))

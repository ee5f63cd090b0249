"""Which queued batches may go to the provider: as many as it has room for, fair between jobs, at its pace and ours."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import blocking, creates, crowding, poison
from batchdrop.core.model import Batch, Job
from batchdrop.core.options import Priority
from batchdrop.core.room import Rooms
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from batchdrop.core.allowance import Allowances, Pool

#: A job of a higher priority has four times the batches under way of one below.
SHARES = {Priority.HIGH: 16, Priority.NORMAL: 4, Priority.LOW: 1}
#: What submitting takes, for how much may wait for the submitters: a new job's batch is behind a minute of work.
BACKLOG_SECONDS, SECONDS_EACH, BYTES_PER_SECOND = 60, 3, 10_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How much may be admitted now: ``submitters`` work at a time, ``creates`` more batches may be made."""

    submitters: int = 20
    creates: int = creates.BURST


@dataclass(slots=True)
class Decision:
    """``admitted``: to go now. ``bought``: how many of them will be created, the others being split first.

    ``pool_tokens``: for each of them, the estimates of all that is then under way of its model. ``seen``: pools of
    which the provider was seen to work on more than ever.
    """

    admitted: list[Batch] = field(default_factory=list)
    bought: int = 0
    pool_tokens: list[int] = field(default_factory=list)
    seen: dict[Pool, int] = field(default_factory=dict)


def decide(
    batches: Sequence[Batch],
    jobs: Mapping[str, Job],
    allowances: Allowances,
    pace: Pace = Pace(),
) -> Decision:
    """Of the open ``batches`` of running jobs, those to admit now; among them, what others have under way.

    The job with the fewest batches under way in a pool goes next, for its priority; of one job, the older batches.
    Where others wait for the operator (``core.blocking``) or for room (``core.crowding``), one is tried before all.
    """
    now = allowances.now
    rooms = Rooms.of(allowances, batches)
    crowds = crowding.closed(batches, now, lambda batch: rooms.pool(batch).allowance.weight(batch))
    blocked = blocking.verdict(batches, now)
    ready = [batch for batch in batches if not blocked.stops(batch) and _is_ready(batch, jobs, crowds, now)]
    decision = Decision(seen=_seen(rooms))
    _fill(decision, _Lanes(ready, jobs, rooms), rooms, _backlog(batches, pace))
    return decision


@dataclass(slots=True)
class _Backlog:
    """What may still be admitted: batches, seconds of the submitters' time, creates."""

    batches: int
    seconds: float
    creates: int

    def takes(self, batch: Batch, *, is_bought: bool) -> bool:
        if not (self.batches > 0 and self.seconds > 0 and (self.creates > 0 or not is_bought)):
            return False
        self.batches -= 1
        self.seconds -= _seconds(batch)
        self.creates -= is_bought
        return True


def _backlog(batches: Sequence[Batch], pace: Pace) -> _Backlog:
    waiting = [batch for batch in batches if batch.state in (BatchState.ADMITTED, BatchState.UPLOADING)]
    seconds = pace.submitters * BACKLOG_SECONDS - sum(map(_seconds, waiting))
    return _Backlog(creates.AT_ONCE - len(waiting), seconds, pace.creates)


def _seconds(batch: Batch) -> float:
    return SECONDS_EACH + (batch.source.end_byte - batch.source.first_byte) / BYTES_PER_SECOND


def _fill(decision: Decision, lanes: _Lanes, rooms: Rooms, backlog: _Backlog) -> None:
    while (batch := lanes.next()) is not None:
        if not rooms.has_room(batch):
            continue
        is_bought = not rooms.is_to_be_split(batch)
        if not backlog.takes(batch, is_bought=is_bought):
            return
        rooms.take(batch)
        decision.admitted.append(batch)
        decision.pool_tokens.append(rooms.pool(batch).estimated)
        decision.bought += is_bought
        lanes.again(batch)


class _Lanes:
    """The batches of one job in one pool are a lane; the lane with the fewest under way for its priority is next."""

    def __init__(self, batches: Sequence[Batch], jobs: Mapping[str, Job], rooms: Rooms) -> None:
        self._jobs, self._rooms = jobs, rooms
        self._lanes: dict[tuple[str, Pool], deque[Batch]] = {}
        for batch in sorted(batches, key=lambda batch: batch.item):
            self._lanes.setdefault(_lane(batch), deque()).append(batch)
        self._heap = [self._turn(lane) for lane in self._lanes]
        heapq.heapify(self._heap)

    def next(self) -> Batch | None:
        """The next one in turn. Its lane has no other turn but by ``again``."""
        if not self._heap:
            return None
        *_, lane = heapq.heappop(self._heap)
        return self._lanes[lane].popleft()

    def again(self, batch: Batch) -> None:
        lane = _lane(batch)
        if self._lanes[lane]:
            heapq.heappush(self._heap, self._turn(lane))

    def _turn(self, lane: tuple[str, Pool]) -> tuple[float, str, tuple[str, Pool]]:
        job = self._jobs.get(lane[0])
        share = SHARES[job.options.priority if job else Priority.NORMAL]
        return self._rooms.under_way[lane] / share, str(job.created_at) if job else "", lane


def _lane(batch: Batch) -> tuple[str, Pool]:
    return batch.job_id, (batch.api, batch.model)


def _is_ready(batch: Batch, jobs: Mapping[str, Job], crowds: Mapping[Pool, crowding.Closed], now: dt.datetime) -> bool:
    if batch.state is not BatchState.QUEUED or poison.is_poisoned(batch):
        return False
    job = jobs.get(batch.job_id)
    if job and job.cancel_requested_at:
        return False
    closed = [crowds[crowd] for crowd in ((batch.api, batch.model), (batch.api, "")) if crowd in crowds]
    if closed:
        return all(crowd.probe is not None and crowd.probe.key == batch.key for crowd in closed)
    return batch.not_before is None or batch.not_before <= now


def _seen(rooms: Rooms) -> dict[Pool, int]:
    """Where no limit is known: by a tenth more than ever, or the record would be written at every tick."""
    return {
        pool: room.proven
        for pool, room in rooms.pools.items()
        if room.allowance.tokens is None and 10 * room.proven > 11 * room.allowance.known.seen_tokens
    }

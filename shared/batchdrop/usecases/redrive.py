"""Send again what is overdue: messages may be lost, functions may die; the table remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core import blocking, poison
from batchdrop.core.lifecycle import UNRESOLVED
from batchdrop.core.model import Batch, Chunk, Job
from batchdrop.core.states import BatchState, JobState
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchdrop.core.model import AnyItem
    from batchdrop.ports import Clock, Deadline, Ledger, Messages


@dataclass(frozen=True, slots=True)
class Redrive:
    """Move every overdue item on, by a message or by putting it back into the queue."""

    ledger: Ledger
    messages: Messages
    clock: Clock

    def __call__(
        self, jobs: Mapping[str, Job], chunks: Iterable[Chunk], batches: Iterable[Batch], deadline: Deadline
    ) -> int:
        """Number of items moved on. The arguments are all open items."""
        everything = list(batches)
        busy = {(batch.job_id, batch.chunk) for batch in everything}
        ready = [chunk for chunk in chunks if _is_joinable(chunk, jobs, busy)]
        unresolved = {batch.job_id for batch in everything if batch.state in UNRESOLVED}
        settled = [job for job in jobs.values() if not (_is_told_failure(job) and job.job_id in unresolved)]
        found: list[AnyItem] = [*settled, *ready, *everything]
        # The longest overdue first; what cannot move takes no time from what can.
        can_move = filter(self._is_overdue, filter(_may_move, found))
        overdue = sorted(can_move, key=lambda item: str(item.next_check_at))
        moved = sum(self._move(item) for item in overdue if deadline.remaining() > 1)
        return moved + self._unblock(jobs, everything, deadline)

    def _unblock(self, jobs: Mapping[str, Job], batches: Iterable[Batch], deadline: Deadline) -> int:
        now = self.clock.now()
        found = blocking.verdict((batch for batch in batches if _may_spend(jobs.get(batch.job_id))), now)
        tried = sum(self._probe(batch) for batch in found.probe)
        freed = (batch for batch in found.free if deadline.remaining() > 1)
        return tried + sum(self.ledger.requeue(batch, not_before=now, now=now) for batch in freed)

    def _probe(self, batch: Batch) -> bool:
        if not self.ledger.probe(batch, lease=self.clock.now() + pace.ADMITTED):
            return False
        self.messages.submit(batch.key)
        return True

    def _is_overdue(self, item: AnyItem) -> bool:
        return item.next_check_at is not None and item.next_check_at <= self.clock.now()

    def _move(self, item: AnyItem) -> bool:
        match item:
            case Job():
                return self._move_job(item)
            case Chunk():
                return self._collect(item)
            case Batch():
                return self._move_batch(item)

    def _move_job(self, job: Job) -> bool:
        if job.state is JobState.PLANNING:
            self.messages.plan(job.job_id)
            self._postpone(job)
            return True
        return self._collect(job)

    def _move_batch(self, batch: Batch) -> bool:
        if batch.state is BatchState.QUEUED:
            return self._quarantine(batch)
        if batch.state is BatchState.ENDED:
            return self._collect(batch)
        now = self.clock.now()
        return self.ledger.requeue(batch, not_before=now, now=now)

    def _quarantine(self, batch: Batch) -> bool:
        done = self.ledger.quarantine(batch, reason=_of_submission(batch))
        if done:
            self.messages.submit(batch.key)  # the submitter refuses it until it lies in the dead-letter queue
        return done

    def _collect(self, item: AnyItem) -> bool:
        self.messages.collect(item.key)
        self._postpone(item)
        return True

    def _postpone(self, item: AnyItem) -> None:
        self.ledger.postpone(item, check_at=self.clock.now() + pace.WORKED_ON)


def _may_move(item: AnyItem) -> bool:
    """Whether there is something to be done about it, were it overdue."""
    match item:
        case Job():
            return item.state is not JobState.RUNNING or not item.open_chunks
        case Batch(state=BatchState.QUEUED):
            return poison.is_poisoned(item)
        case Batch():
            return item.state in (BatchState.ADMITTED, BatchState.UPLOADING, BatchState.ENDED)
        case Chunk():
            return True


def _is_told_failure(job: Job) -> bool:
    """Whether all that is left of it is to clean up, which waits until nothing of it can run any more."""
    return job.state is JobState.FAILED and job.announced_at is not None


def _may_spend(job: Job | None) -> bool:
    return job is not None and job.state is JobState.RUNNING and job.cancel_requested_at is None


def _of_submission(batch: Batch) -> str:
    return f"{poison.QUARANTINED}: Submitting its requests crashed {batch.crashes} times; none of them was run."


def _is_joinable(chunk: Chunk, jobs: Mapping[str, Job], busy: set[tuple[str, int]]) -> bool:
    """Whether no batch of the chunk is open; the collector looks again, and counts."""
    job = jobs.get(chunk.job_id)
    return job is not None and job.state is JobState.RUNNING and (chunk.job_id, chunk.number) not in busy

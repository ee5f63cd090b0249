"""One tick: read what is open, and move on whatever can move. Everything else is a hint to make this faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import poison
from batchdrop.core.errors import BatchdropError
from batchdrop.core.model import Batch, Chunk, Job
from batchdrop.core.states import BatchState, JobState
from batchdrop.usecases.audit import Audited
from batchdrop.usecases.recover import Recovered
from batchdrop.usecases.sweep import Swept
from batchdrop.usecases.withdraw import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.ports import Clock, Deadline, Ledger
    from batchdrop.usecases.admit import Admit
    from batchdrop.usecases.expire import Expire
    from batchdrop.usecases.housekeep import Housekeep
    from batchdrop.usecases.observe import Observe
    from batchdrop.usecases.recover import Recover
    from batchdrop.usecases.redrive import Redrive
    from batchdrop.usecases.status import Status
    from batchdrop.usecases.withdraw import Withdraw


@dataclass(slots=True)
class Tick:
    """What a tick saw and did. ``troubles``: the steps that could not be done now, with why."""

    open_jobs: int = 0
    open_batches: int = 0
    blocked: int = 0
    overdue: int = 0
    calls: int = 0
    ended: int = 0
    admitted: int = 0
    redriven: int = 0
    recovered: Recovered = field(default_factory=Recovered)
    withdrawn: Withdrawn = field(default_factory=Withdrawn)
    swept: Swept = field(default_factory=Swept)
    audited: Audited = field(default_factory=Audited)
    quarantined: int = 0
    parked: int = 0
    expired: int = 0
    odd_statuses: tuple[str, ...] = ()
    unknown_batches: tuple[str, ...] = ()
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Open:
    """The open items of one tick."""

    jobs: dict[str, Job]
    chunks: list[Chunk]
    batches: list[Batch]

    def of(self, *states: BatchState) -> list[Batch]:
        return [batch for batch in self.batches if batch.state in states]

    def parts(self, job_id: str) -> list[Chunk | Batch]:
        """The open chunks and batches of one job."""
        parts: list[Chunk | Batch] = [*self.chunks, *self.batches]
        return [part for part in parts if part.job_id == job_id]

    @property
    def quarantined(self) -> int:
        """Requests of open jobs that were given up; a plan counts as one."""
        failed = sum(job.code == poison.QUARANTINED for job in self.jobs.values())
        return failed + sum(job.counts.quarantined for job in self.jobs.values())

    @property
    def parked(self) -> int:
        """Items that cannot even be given up."""
        return sum(map(poison.is_parked, self.jobs.values())) + sum(map(poison.is_parked, self.chunks))

    def of_stopped_jobs(self) -> list[Batch]:
        asked = {job.job_id for job in self.jobs.values() if job.cancel_requested_at is not None}
        return [batch for batch in self.batches if batch.job_id in asked]

    def of_running_jobs(self) -> list[Batch]:
        running = {job.job_id for job in self.jobs.values() if job.state is JobState.RUNNING}
        return [batch for batch in self.batches if batch.job_id in running]


@dataclass(frozen=True, slots=True)
class Poll:
    """Observe, recover, withdraw, admit, re-drive, keep house, report. A step that fails keeps no other from running.

    Steps are made on demand: an idle tick loads no SDK and connects to nothing but the table.
    """

    ledger: Ledger
    clock: Clock
    observe: Callable[[], Observe]
    recover: Callable[[], Recover]
    expire: Expire
    withdraw: Callable[[], Withdraw]
    redrive: Callable[[], Redrive]
    admit: Callable[[], Admit]
    housekeep: Housekeep
    status: Status

    def __call__(self, deadline: Deadline) -> Tick:
        found = _sorted(self.ledger.open_items())
        tick = Tick(len(found.jobs), len(found.batches), len(found.of(BatchState.BLOCKED)))
        tick.quarantined, tick.parked = found.quarantined, found.parked
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._observe(found, tick, deadline),
            lambda: self._recover(found, tick),
            lambda: self._withdraw(found, tick, deadline),
            lambda: self._admit(found, tick, deadline),
            lambda: self._redrive(found, tick, deadline),
            lambda: self._housekeep(found, tick, deadline),
            lambda: self._report(found, deadline),
        )
        for step in steps:
            try:
                step()
            except BatchdropError as trouble:
                tick.troubles.append(str(trouble))
        return tick

    def _observe(self, found: Open, tick: Tick, deadline: Deadline) -> None:
        flying = found.of(BatchState.IN_FLIGHT)
        tick.overdue = sum(
            batch.next_check_at is not None and batch.next_check_at <= self.clock.now() for batch in flying
        )
        lost = [batch for batch in found.of(BatchState.BLOCKED) if batch.openai_batch_id is not None]
        if flying or lost:
            seen = self.observe()([*flying, *lost], deadline)
            tick.calls, tick.ended = seen.calls, seen.ended
            tick.odd_statuses, tick.unknown_batches = seen.odd_statuses, seen.unknown

    def _recover(self, found: Open, tick: Tick) -> None:
        now = self.clock.now()
        lost = [
            batch for batch in found.of(BatchState.CREATING) if batch.lease_until is None or batch.lease_until <= now
        ]
        if lost:
            tick.recovered = self.recover()(lost)
            tick.troubles += tick.recovered.troubles

    def _withdraw(self, found: Open, tick: Tick, deadline: Deadline) -> None:
        tick.expired = self.expire(found.jobs.values())
        if batches := found.of_stopped_jobs():
            tick.withdrawn = self.withdraw()(found.jobs, batches, deadline)

    def _redrive(self, found: Open, tick: Tick, deadline: Deadline) -> None:
        if not (found.jobs or found.chunks or found.batches):
            return
        tick.redriven = self.redrive()(found.jobs, found.chunks, found.batches, deadline)

    def _admit(self, found: Open, tick: Tick, deadline: Deadline) -> None:
        if not found.of(BatchState.QUEUED):
            return
        tick.admitted = self.admit()(found.jobs, found.of_running_jobs(), deadline)

    def _housekeep(self, found: Open, tick: Tick, deadline: Deadline) -> None:
        kept = self.housekeep(found.jobs.values(), found.batches, deadline)
        tick.swept, tick.audited = kept.swept, kept.audited
        tick.troubles += kept.troubles

    def _report(self, found: Open, deadline: Deadline) -> None:
        for job in found.jobs.values():
            if deadline.remaining() > 1 and job.state in (JobState.PLANNING, JobState.RUNNING, JobState.ASSEMBLING):
                self.status.refresh(job, found.parts(job.job_id))


def _sorted(items: Iterable[Job | Chunk | Batch]) -> Open:
    found = Open({}, [], [])
    for item in items:
        if isinstance(item, Job):
            found.jobs[item.job_id] = item
        elif isinstance(item, Chunk):
            found.chunks.append(item)
        else:
            found.batches.append(item)
    return found

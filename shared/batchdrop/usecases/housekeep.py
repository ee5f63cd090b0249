"""The rounds beside the ticks, sweep and audit: made when they are due, by one poller at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchdrop.core.errors import BatchdropError
from batchdrop.usecases import audit, pace, sweep
from batchdrop.usecases.audit import Audit, Audited
from batchdrop.usecases.sweep import Sweep, Swept

if TYPE_CHECKING:
    from collections.abc import Collection

    from batchdrop.core.housekeeping import Housekeeping
    from batchdrop.core.model import Batch, Job
    from batchdrop.ports import Clock, Deadline, Ledger


@dataclass(slots=True)
class Kept:
    """What the rounds of one tick did, and why one could not be made."""

    swept: Swept = field(default_factory=Swept)
    audited: Audited = field(default_factory=Audited)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Housekeep:
    """Make the rounds that are due. Where none is, that is known after one read, and nothing is connected to."""

    ledger: Ledger
    clock: Clock
    sweep: Callable[[], Sweep]
    audit: Callable[[], Audit]

    def __call__(self, jobs: Collection[Job], batches: Collection[Batch], deadline: Deadline) -> Kept:
        """``jobs``, ``batches``: every open one."""
        kept, now, record = Kept(), self.clock.now(), self.ledger.housekeeping()
        is_anothers = record.lease_until is not None and record.lease_until > now
        is_due = sweep.is_due(record.sweep, now) or audit.is_due(record.audit, now, has_jobs=bool(jobs))
        if is_anothers or not is_due:
            return kept
        mine = self.ledger.claim_housekeeping(record, lease=pace.lease(now, deadline), now=now)
        if mine is not None:
            done = self._audited(self._swept(mine, kept, jobs, deadline), kept, batches, deadline, has_jobs=bool(jobs))
            # After trouble the lease stays: the next try is made when it is over, not with every tick.
            self.ledger.note_housekeeping(done if kept.troubles else replace(done, lease_until=None))
        return kept

    def _swept(self, record: Housekeeping, kept: Kept, jobs: Collection[Job], deadline: Deadline) -> Housekeeping:
        if not sweep.is_due(record.sweep, self.clock.now()):
            return record
        try:
            kept.swept, came = self.sweep()(record.sweep, jobs, deadline)
        except BatchdropError as trouble:
            kept.troubles.append(f"sweep: {trouble}")
            return record
        return replace(record, sweep=came)

    def _audited(
        self, record: Housekeeping, kept: Kept, batches: Collection[Batch], deadline: Deadline, *, has_jobs: bool
    ) -> Housekeeping:
        now = self.clock.now()
        if not audit.is_due(record.audit, now, has_jobs=has_jobs):
            return record
        try:
            kept.audited, came = self.audit()(record.audit, batches, deadline)
        except BatchdropError as trouble:
            kept.troubles.append(f"audit: {trouble}")
            return record
        return replace(record, audit=audit.next_round(came, now, has_jobs=has_jobs))

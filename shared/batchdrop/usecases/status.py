"""Keep the job's status object up to date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from batchdrop.core import naming, status
from batchdrop.core.publishing import Claimant, Holder, claimant, holder
from batchdrop.ports import IfAbsent, IfMatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from batchdrop.core.model import Batch, Chunk, Job
    from batchdrop.ports import Clock, Ledger, ObjectStore, Precondition

#: Looks at who holds the name, where others write at the same time.
TRIES = 5
_MINUTE = dt.timedelta(minutes=1)
_TEN_MINUTES = dt.timedelta(minutes=10)
_AT_FIRST = dt.timedelta(hours=1)
#: Names that a job's status may take.
_FREE = frozenset(Holder) - {Holder.OTHER}


@dataclass(frozen=True, slots=True)
class Status:
    """Write ``<stem>.status.json``, or ``<stem>.<job id>.status.json`` where another job holds that name."""

    ledger: Ledger
    objects: ObjectStore
    clock: Clock
    bucket: str

    def __call__(self, job: Job) -> None:
        """Write what is so now. For ends: not delayed, not skipped."""
        us = claimant(job, self.ledger.newest_job(job.bucket, job.input_key))
        for name in _names(job):
            if self._write_as(naming.output_key(name, "status"), us, job):
                break
        if job.published_as not in (None, job.stem):
            # Its status stood here until another job's outputs came first: whoever looks here is told of its end, too.
            self._write_as(naming.output_key(job.stem, "status"), us, job, over=(Holder.US,))

    def refresh(self, job: Job, open_parts: Iterable[Chunk | Batch]) -> bool:
        """Write if something is new: at most once a minute in the job's first hour, then every ten minutes."""
        now = self.clock.now()
        if job.status_due_at and now < job.status_due_at:
            return False
        digest = status.digest(status.report(job, open_parts))
        if digest == job.status_digest:
            return False
        self(job)
        pause = _MINUTE if now - job.created_at < _AT_FIRST else _TEN_MINUTES
        self.ledger.note_status(job, digest=digest, due_at=now + pause)
        return True

    def _write_as(self, key: str, us: Claimant, job: Job, over: Collection[Holder] = _FREE) -> bool:
        for _ in range(TRIES):
            held = self.objects.head(self.bucket, key)
            if holder(held.metadata if held else None, us) not in over:
                return False
            only: Precondition = IfMatch(held.etag) if held else IfAbsent()
            # Read behind the look at the name: a report of an earlier state then loses against a later one.
            body = self._body(self.ledger.job(job.job_id) or job)
            if self.objects.write(
                self.bucket, key, [body], metadata=us.metadata, content_type="application/json", only=only
            ):
                return True
        return False

    def _body(self, job: Job) -> bytes:
        report = status.report(job, self.ledger.parts(job.job_id))
        report["times"]["updated_at"] = self.clock.now()
        return msgspec.json.format(msgspec.json.encode(report))


def _names(job: Job) -> list[str]:
    """Where the status may stand, best first. A job that only doubles another one leaves the plain name to it."""
    own = f"{job.stem}.{job.job_id}"
    return [own] if job.code == "duplicate_of" else [job.published_as or job.stem, own]

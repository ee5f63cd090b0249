"""Take note that a user wants a job stopped. The poller carries it out (``usecases.withdraw``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core import naming
from batchdrop.core.codes import said
from batchdrop.core.model import Job
from batchdrop.core.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from batchdrop.ports import Clock, Ledger, Messages, ObjectStore

TRIES = 10  #: looks at a job that moves on while it is being cancelled


@dataclass(frozen=True)
class Cancel:
    """Safe to ask any number of times; a job that has ended, or is being put together, stays as it is.

    ``bucket``: the only one whose cancel objects count.
    """

    ledger: Ledger
    objects: ObjectStore
    messages: Messages
    clock: Clock
    bucket: str

    def __call__(self, job_id: str) -> bool:
        """Whether the job is stopped by this call."""
        for _ in range(TRIES):
            job = self.ledger.job(job_id)
            if job is None or job.cancel_requested_at is not None:
                return False
            if job.state not in (JobState.PLANNING, JobState.RUNNING):
                return False
            if self._stop(job):
                return True
        return False

    def dropped(self, bucket: str, key: str, version_id: str | None) -> int:
        """``<key>.cancel`` was dropped: stop the open jobs of that key whose input is older. How many were stopped."""
        target = naming.to_cancel(key)
        asked = self.objects.head(bucket, key, version_id) if bucket == self.bucket and target else None
        if target is None or asked is None:
            return 0
        stopped = sum(self(job_id) for job_id in self._older(bucket, target, asked.last_modified))
        if stopped:
            self.messages.tick()
        return stopped

    def _older(self, bucket: str, key: str, moment: datetime) -> set[str]:
        """Jobs of the key with an older input. The newest one is asked for by itself: the index may not have it yet."""
        newest = self.ledger.newest_job(bucket, key)
        found = [self.ledger.job(newest)] if newest else []
        return {
            job.job_id
            for job in (*found, *self._open_jobs())
            if job and (job.bucket, job.input_key) == (bucket, key) and job.last_modified < moment
        }

    def _open_jobs(self) -> Iterator[Job]:
        return (item for item in self.ledger.open_items() if isinstance(item, Job))

    def _stop(self, job: Job) -> bool:
        """Nothing is bought for a plan, so it ends at once; the poller sees to it that it is told and cleaned."""
        now = self.clock.now()
        if job.state is JobState.RUNNING:
            return self.ledger.request_cancel(job, now=now)
        code, reason = said("cancelled.file")
        return self.ledger.fail_job(job, code=code, reason=reason, now=now)

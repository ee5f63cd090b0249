"""End jobs that take longer than they may: what is there is delivered, what is missing is reported."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core.answers import DEADLINE
from batchdrop.core.codes import said
from batchdrop.core.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.core.model import Job
    from batchdrop.ports import Clock, Ledger


@dataclass(frozen=True, slots=True)
class Expire:
    """``hours``: for planning since the job was made, and again for running since its plan was done."""

    ledger: Ledger
    clock: Clock
    hours: int

    def __call__(self, jobs: Iterable[Job]) -> int:
        """How many jobs were stopped now. ``usecases.withdraw`` carries it out, as if they were cancelled."""
        return sum(self._end(job) for job in jobs)

    def _end(self, job: Job) -> bool:
        now = self.clock.now()
        code, _ = DEADLINE
        if job.state is JobState.PLANNING and self._is_over(job.created_at, now):
            reason = said("deadline.file", hours=self.hours)[1]
            return self.ledger.fail_job(job, code=code, reason=reason, now=now)
        is_waiting = job.state is JobState.RUNNING and job.open_chunks and job.cancel_requested_at is None
        if is_waiting and self._is_over(job.planned_at or job.created_at, now):
            reason = (
                f"The job ran for longer than MaxJobHours ({self.hours}); what has no answer is reported as {code}."
            )
            return self.ledger.request_cancel(job, now=now, because=(code, reason))
        return False

    def _is_over(self, since: dt.datetime, now: dt.datetime) -> bool:
        return since + dt.timedelta(hours=self.hours) <= now

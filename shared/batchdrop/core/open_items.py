"""The open items of one tick, by kind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import poison
from batchdrop.core.lifecycle import OCCUPYING
from batchdrop.core.model import Batch, Chunk, Job
from batchdrop.core.states import BatchState, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.core.model import AnyItem


@dataclass(frozen=True, slots=True)
class OpenItems:
    """The longest overdue first. ``parts``: the open chunks and batches of each job."""

    jobs: dict[str, Job] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    parts: defaultdict[str, list[Chunk | Batch]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, items: Iterable[AnyItem]) -> OpenItems:
        found = cls()
        for item in items:
            if isinstance(item, Job):
                found.jobs[item.job_id] = item
                continue
            found.parts[item.job_id].append(item)
            if isinstance(item, Chunk):
                found.chunks.append(item)
            else:
                found.batches.append(item)
        return found

    def __bool__(self) -> bool:
        return bool(self.jobs or self.chunks or self.batches)

    def in_state(self, *states: BatchState) -> list[Batch]:
        return [batch for batch in self.batches if batch.state in states]

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

    def for_admission(self) -> list[Batch]:
        """Every batch of running jobs; of others, of a failed one say, what takes room at the provider all the same."""
        running = {job.job_id for job in self.jobs.values() if job.state is JobState.RUNNING}
        return [batch for batch in self.batches if batch.job_id in running or batch.state in OCCUPYING]

    def jobs_under_way(self) -> list[Job]:
        """Those whose status may change, the one whose turn it has been for longest first."""
        states = JobState.PLANNING, JobState.RUNNING, JobState.ASSEMBLING
        under_way = [job for job in self.jobs.values() if job.state in states]
        return sorted(under_way, key=lambda job: job.status_due_at or job.created_at)

"""Leave nothing behind: files at the provider, parts, staged objects of a job that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from batchdrop.core import naming, poison
from batchdrop.core.lifecycle import UNRESOLVED
from batchdrop.core.model import Batch, Job
from batchdrop.core.states import BatchState, JobState
from batchdrop.core.status import is_final
from batchdrop.ports import BatchApi, Clock, Deadline, Ledger, ObjectStore
from batchdrop.usecases import pace
from batchdrop.usecases.abreast import abreast

STOP_SECONDS = 30.0  #: no further deletions with less than this left
WINDOW = 100  #: batches between two looks at the clock, and two notes of how far we are: half a minute at most


@dataclass(frozen=True)
class Clean:
    """Safe to run any number of times. Only files whose ids we recorded are deleted."""

    ledger: Ledger
    objects: ObjectStore
    api: BatchApi
    clock: Clock
    output_bucket: str
    work_bucket: str
    keep_openai_files: bool = False

    def __call__(self, job: Job, deadline: Deadline) -> bool:
        """Whether nothing is left; else another call goes on."""
        if not is_final(job) or job.cleaned_at is not None:
            return False
        if job.state is JobState.FAILED and self._is_unresolved(job):
            return False
        if not (self.keep_openai_files or self._delete_files(job, deadline)):
            return False
        now = self.clock.now()
        parts = naming.parts_prefix(job.stem, job.job_id)
        return (
            self.objects.delete_prefix(self.output_bucket, parts, deadline)
            and self.ledger.expire_items(job, expires=now + pace.KEPT, deadline=deadline)
            # With this goes the note of which files are deleted, so nothing that takes its time may come after it.
            and all(self.objects.delete_prefix(self.work_bucket, prefix, deadline) for prefix in self._scratch(job))
            and self.ledger.note_cleaned(job, now=now)
        )

    def _is_unresolved(self, job: Job) -> bool:
        """A job that lost its input may have batches under way. The poller stops them, as those of a cancelled one.

        Until then they stay due, and are seen; their files are known at their end. None comes to be after this look.
        Whoever fetches or joins at this moment still writes to our buckets.
        """
        now = self.clock.now()
        parts = self.ledger.parts(job.job_id)
        return any(part.state in UNRESOLVED or (part.lease_until or now) > now for part in parts)

    def _delete_files(self, job: Job, deadline: Deadline) -> bool:
        note = self.objects.head(self.work_bucket, _note_key(job))
        after = begun = note.metadata.get("after", "") if note else ""
        left = (batch for batch in self.ledger.batches(job.job_id) if batch.item > begun)
        while some := list(islice(left, WINDOW)):
            for _ in abreast(self.api.delete_file, [file_id for batch in some for file_id in _files(batch)]):
                pass
            hurry = deadline.remaining() < STOP_SECONDS
            if hurry or after or len(some) == WINDOW:
                after = some[-1].item
                self.objects.write(self.work_bucket, _note_key(job), (), metadata={"after": after})
            if hurry:
                return False
        return True

    def _scratch(self, job: Job) -> Iterator[str]:
        """Prefixes in the work bucket, without what was fetched for chunks that could not be joined."""
        if not job.counts.quarantined:
            yield f"{job.job_id}/"
            return
        for chunk in self.ledger.chunks(job.job_id):
            if not poison.is_poisoned(chunk):
                yield naming.chunk_prefix(job.job_id, chunk.number)
        yield _note_key(job)


def _files(batch: Batch) -> Iterator[str]:
    """Ids of its files, without the answers that could not be fetched: their ids are told to the user."""
    if batch.state is not BatchState.QUARANTINED:
        yield from filter(None, (batch.file_id, batch.output_file_id, batch.error_file_id))


def _note_key(job: Job) -> str:
    """The last batch whose files are gone; itself gone with the rest."""
    return f"{job.job_id}/cleaned"

"""Tell what is wrong with the lines of a file that is not run for them: its job failed, and has no outputs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from batchdrop.core import joining, limits, naming, stream
from batchdrop.core.publishing import claimant
from batchdrop.ports import IfAbsent
from batchdrop.usecases.refusals import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchdrop.core.model import Job
    from batchdrop.ports import Ledger, ObjectStore


@dataclass(frozen=True)
class Explain:
    """Write the errors of the file, as many as a chunk may have, under the name that its reason gives.

    No other job ever gets that name, so what is there is ours and whole.
    """

    ledger: Ledger
    objects: ObjectStore
    output_bucket: str
    work_bucket: str

    def __call__(self, job: Job) -> bool:
        """Whether it was written now."""
        key = naming.explanation_key(job.stem, job.job_id)
        if key not in (job.reason or "") or self.objects.head(self.output_bucket, key):
            return False
        us = claimant(job, None)
        refused = refusals(self.ledger, self.objects, self.work_bucket, job)
        lines = stream.packed(_first(joining.refused(row)[1] or b"" for row in refused))
        return bool(self.objects.write(self.output_bucket, key, lines, metadata=us.metadata, only=IfAbsent()))


def _first(errors: Iterator[bytes]) -> Iterator[bytes]:
    """As many as a chunk may have, by number and by bytes; the first one always."""
    size = 0
    for error in islice(errors, limits.REQUESTS_PER_CHUNK):
        if size and size + len(error) > limits.BYTES_PER_CHUNK:
            return
        size += len(error)
        yield error

"""Tell what is wrong with the lines of a file of which none is a request: its job failed, and has no outputs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from batchdrop.core import answers, joining, limits, manifest, naming
from batchdrop.core.publishing import claimant
from batchdrop.ports import IfAbsent
from batchdrop.usecases import contents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchdrop.core.model import Job
    from batchdrop.ports import Ledger, ObjectStore


@dataclass(frozen=True)
class Explain:
    """Write the errors of the file's first lines, as many as a chunk may have, under the name that its reason gives.

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
        lines = answers.packed(islice(self._errors(job), limits.REQUESTS_PER_CHUNK))
        return bool(self.objects.write(self.output_bucket, key, lines, metadata=us.metadata, only=IfAbsent()))

    def _errors(self, job: Job) -> Iterator[bytes]:
        for chunk in self.ledger.chunks(job.job_id):
            # A file of few and long lines has many chunks; the first one always counts.
            if chunk.number > 1 and chunk.source.end_byte > limits.BYTES_PER_CHUNK:
                return
            key = naming.manifest_key(job.job_id, chunk.number)
            blocks = contents.whole(self.objects, self.work_bucket, key) or ()
            for row in map(manifest.decode, answers.lines(blocks)):
                if isinstance(row, manifest.Refused):
                    yield joining.refused(row)[1] or b""

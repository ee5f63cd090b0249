"""The lines of a job's input that are no requests, as its plan noted them beside the staged ones."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from batchdrop.core import manifest, naming, stream
from batchdrop.usecases import contents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchdrop.core.model import Job
    from batchdrop.ports import Ledger, ObjectStore

CHUNKS = 1_000  #: with such lines, that are looked through: a tenth of a second each


def refusals(ledger: Ledger, objects: ObjectStore, work_bucket: str, job: Job) -> Iterator[manifest.Refused]:
    """In order of the input; none of a chunk whose notes are not there any more."""
    chunks = (chunk for chunk in ledger.chunks(job.job_id) if chunk.invalid)
    for chunk in islice(chunks, CHUNKS):
        blocks = contents.whole(objects, work_bucket, naming.manifest_key(job.job_id, chunk.number)) or ()
        for row in map(manifest.decode, stream.lines(blocks)):
            if isinstance(row, manifest.Refused):
                yield row

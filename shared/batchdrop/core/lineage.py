"""What became of a chunk's batches: some are replaced by others, which are named after them.

A transaction is made at once, and read piece by piece: a query beside it may show a batch that was replaced, and not
yet those in its place. Whoever took these for all would report requests as lost that are about to be run.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from batchdrop.core.lifecycle import FINAL
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchdrop.core.model import Batch, Job


def is_complete(job: Job, batches: Sequence[Batch]) -> bool:
    """Whether nothing more will happen to a chunk's ``batches``, and they are all. ``job``: read after them."""
    in_place: Counter[str] = Counter()
    for batch in batches:
        in_place[batch.name.rpartition(".")[0]] += batch.requests
    return all(batch.state in FINAL and in_place[batch.name] >= _replaced(job, batch) for batch in batches)


def _replaced(job: Job, batch: Batch) -> int:
    """Requests of the batch that are others' now. Of a job that is stopped, parts of a split are not bought anyway."""
    if batch.state is BatchState.RETIRED:
        return 0 if job.cancel_requested_at else batch.requests
    return batch.repeated

"""Requests of a chunk that no fetched answer accounts for: why, and how they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core import answers, poison
from batchdrop.core.codes import said
from batchdrop.core.model import Counts
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchdrop.core.model import Batch, Job

NOT_ANSWERED = "not_answered"


def why(job: Job, batches: Sequence[Batch]) -> tuple[str, str]:
    """Code and reason: what is known of those of a chunk's ``batches`` that were given up.

    Where some were dropped because the job was stopped, that is the code for all, and the reason names the others.
    """
    stopped = answers.stopped(job)
    poisoned = [batch for batch in batches if batch.state is BatchState.QUARANTINED]
    dropped = [batch for batch in batches if batch.state is BatchState.RETIRED]
    reasons = "; ".join(dict.fromkeys(batch.reason for batch in poisoned or dropped if batch.reason))
    by_the_stop = [batch for batch in dropped if stopped and (batch.reason or "").startswith(stopped[1])]
    if stopped and (by_the_stop or not poisoned):
        more = dict.fromkeys((batch.reason or "").removeprefix(stopped[1]).strip() for batch in poisoned + by_the_stop)
        return stopped[0], " ".join(filter(None, (stopped[1], *more)))
    code = poison.QUARANTINED if poisoned else NOT_ANSWERED
    return code, reasons or said(code)[1]


def counts(batches: Sequence[Batch], unanswered: int, *, given_up: bool) -> Counts:
    """What joining a chunk adds to its job's counts; ``unanswered``: its requests without a record.

    Of a chunk that is given up, all are, and what was counted when its batches were fetched is not delivered.
    """
    if not given_up:
        quarantined = sum(batch.requests for batch in batches if batch.state is BatchState.QUARANTINED)
        return Counts(failed=unanswered, quarantined=min(quarantined, unanswered))
    completed = sum(batch.completed for batch in batches)
    failed = sum(batch.failed for batch in batches)
    return Counts(completed=-completed, failed=unanswered - failed, quarantined=unanswered)

"""When to wait no longer for a batch whose job was stopped, so that the job ends."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from batchdrop.core.lifecycle import ENDED_STATUSES
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from batchdrop.core.model import Batch, Job

#: OpenAI cancels a batch within ten minutes; a create is made out within half an hour. A batch that the provider says
#: it does not know may only be hidden from it for a moment.
PATIENCE = dt.timedelta(hours=1)
#: The provider could not even be asked to stop the batch for so long.
UNHEARD = dt.timedelta(hours=6)
#: Answers are paid for; the provider has not handed them over for so long.
WITHHELD = dt.timedelta(hours=24)


def is_hopeless(job: Job, batch: Batch, now: dt.datetime) -> bool:
    """Whether a batch that was or may have been bought is not waited for any longer. ``job`` is being stopped."""
    asked = job.cancel_requested_at
    is_held = batch.lease_until is not None and batch.lease_until > now
    if asked is None or now < asked + PATIENCE or is_held:
        return False
    ends = {
        BatchState.CREATING: batch.intent_at and batch.intent_at + PATIENCE,
        BatchState.IN_FLIGHT: _heard_by(batch, asked),
        BatchState.BLOCKED: asked,
        BatchState.ENDED: batch.ended_at and batch.ended_at + WITHHELD,
    }
    end = ends.get(batch.state)
    return end is not None and end <= now


def _heard_by(batch: Batch, asked: dt.datetime) -> dt.datetime | None:
    """When the end of a batch in flight should have been seen. One that has ended is paid for: its files will show."""
    if batch.cancel_sent_at is None:
        return asked + UNHEARD
    if batch.remote_status in ENDED_STATUSES and batch.next_check_at:
        return max(asked + UNHEARD, batch.next_check_at + PATIENCE)
    return batch.next_check_at


def what_is_known(batch: Batch) -> str:
    """For the person who looks for it at the provider."""
    if batch.state is BatchState.CREATING:
        return f"Whether a batch of its file {batch.file_id} was made could not be found out."
    if batch.state is BatchState.BLOCKED:
        return f"The provider said that it does not know {batch.openai_batch_id}."
    if batch.state is BatchState.ENDED:
        return f"The provider did not hand over the answers of {batch.openai_batch_id}: {batch.reason or 'no reason'}."
    if batch.remote_status in ENDED_STATUSES:
        return f"The provider did not say where the answers of {batch.openai_batch_id} are."
    return f"The provider had not ended {batch.openai_batch_id} by then."

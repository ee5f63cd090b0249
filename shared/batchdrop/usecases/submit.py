"""Turn an admitted batch into one OpenAI batch, and no more than one (DESIGN: intent before create)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from batchdrop.core import admission, naming, retrying
from batchdrop.core.errors import Misconfigured, OutcomeUnknown, Rejected, RetryLater
from batchdrop.core.model import Batch, BatchState
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from batchdrop.core.model import Key
    from batchdrop.ports import BatchApi, Clock, Deadline, Ledger, ObjectStore


class Submitted(StrEnum):
    """What became of a submission."""

    CREATED = "created"
    STALE = "stale"  #: another invocation has it, or it is done: nothing to do
    UNKNOWN = "unknown"  #: the answer to the create was lost; the poller looks for the batch
    REQUEUED = "requeued"
    REFUSED = "refused"  #: for good: its requests get the error
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit one batch. Any number of times, at once or after a crash: one OpenAI batch at most is bought by it.

    ``create_lease``: seconds in which nobody else looks into a create that is under way.
    """

    ledger: Ledger
    objects: ObjectStore
    api: BatchApi
    clock: Clock
    create_lease: int

    def __call__(self, key: Key, deadline: Deadline) -> Submitted:
        batch = self.ledger.get(key)
        if not isinstance(batch, Batch) or batch.state is not BatchState.ADMITTED:
            return Submitted.STALE
        uploading = self.ledger.claim_upload(batch, lease=pace.lease(self.clock.now(), deadline))
        if uploading is None:
            return Submitted.STALE
        return self._guarded(uploading, lambda: self._upload(uploading, deadline))

    def _upload(self, batch: Batch, deadline: Deadline) -> Submitted:
        name = naming.upload_name(batch.job_id, batch.item, batch.claim)
        file_id = self.api.upload(name, self.objects.replayable(batch.source))
        if deadline.remaining() < pace.SECONDS_TO_CREATE:
            raise RetryLater("no time left to create the batch", code="out_of_time", after=0)
        now = self.clock.now()
        lease = now + dt.timedelta(seconds=self.create_lease)
        creating = self.ledger.record_intent(batch, file_id=file_id, now=now, lease=lease)
        if creating is None:
            return Submitted.STALE
        return self._guarded(creating, lambda: self._create(creating, file_id))

    def _create(self, batch: Batch, file_id: str) -> Submitted:
        try:
            remote = self.api.create(
                file_id=file_id,
                endpoint=batch.endpoint,
                completion_window=batch.completion_window,
                metadata=self._metadata(batch),
            )
        except OutcomeUnknown:
            return Submitted.UNKNOWN
        now = self.clock.now()
        made = self.ledger.record_created(batch, remote, now=now, check_at=pace.in_flight(now))
        return Submitted.CREATED if made else Submitted.STALE

    def _metadata(self, batch: Batch) -> dict[str, str]:
        return {
            "batchdrop_stack": self.ledger.stack(self.clock.now()).id,
            "batchdrop_job": batch.job_id,
            "batchdrop_item": batch.item,
            "batchdrop_claim": str(batch.claim),
        }

    def _guarded(self, batch: Batch, step: pace.Step[Submitted]) -> Submitted:
        """Run a step; a definite refusal of it is recorded by who must act."""
        now = self.clock.now()
        try:
            return step()
        except RetryLater as refusal:
            if limit := admission.learned_limit(str(refusal)):
                self.ledger.learn_limit(batch.api, batch.model, limit)
            wait = retrying.backoff(batch.refusals) if refusal.after is None else refusal.after
            self._drop_file(batch)
            not_before = now + dt.timedelta(seconds=wait)
            self.ledger.requeue(batch, not_before=not_before, now=now, reason=f"{refusal.code}: {refusal}")
            return Submitted.REQUEUED
        except Rejected as refusal:
            self.ledger.end_refused(batch, code=refusal.code, reason=refusal.reason, now=now)
            return Submitted.REFUSED
        except Misconfigured as refusal:
            self._drop_file(batch)
            reason = f"{refusal.code}: {refusal.reason}"
            self.ledger.block(batch, reason=reason, check_at=now + pace.BLOCKED)
            return Submitted.BLOCKED

    def _drop_file(self, batch: Batch) -> None:
        """Leave no file behind; where that fails, it expires by itself."""
        if batch.file_id is None:
            return
        try:
            self.api.delete_file(batch.file_id)
        except (RetryLater, Misconfigured):
            return

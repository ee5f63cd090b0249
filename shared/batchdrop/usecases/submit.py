"""Turn an admitted batch into one OpenAI batch, and no more than one: the intent is recorded before the create."""

from __future__ import annotations

import datetime as dt
import math
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchdrop.core import blocking, naming, poison, retrying
from batchdrop.core.allowance import Allowances
from batchdrop.core.errors import BatchdropError, Misconfigured, OutcomeUnknown, Rejected, RetryLater
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from batchdrop.usecases import dividing, learning, pace
from batchdrop.usecases.resting import given_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchdrop.core.model import Key
    from batchdrop.ports import BatchApi, Clock, Deadline, Ledger, ObjectStore

REFUSALS = (RetryLater, Rejected, Misconfigured)
NOT_RECORDED = "Its job was stopped, or written to by others at the same moment; if it runs, this goes again."


class Submitted(StrEnum):
    """What became of a submission."""

    CREATED = "created"
    STALE = "stale"  #: another invocation has it, or it is done: nothing to do
    UNKNOWN = "unknown"  #: the answer to the create was lost; the poller looks for the batch
    REQUEUED = "requeued"
    SPLIT = "split"  #: larger than the token limit: its parts are queued in its place
    REFUSED = "refused"  #: for good: its requests get the error
    BLOCKED = "blocked"
    QUARANTINED = "quarantined"  #: given up before: this message is for the dead-letter queue


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit one batch. Any number of times, at once or after a crash: one OpenAI batch at most is bought by it.

    ``create_lease``: seconds in which nobody else looks into a create that is under way. ``token_limits``: what the
    stack's parameter says, by model.
    """

    ledger: Ledger
    objects: ObjectStore
    api: BatchApi
    clock: Clock
    create_lease: int
    token_limits: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, key: Key, deadline: Deadline) -> Submitted:
        batch = self.ledger.get(key)
        if poison.is_given_up(batch):
            return Submitted.QUARANTINED
        if not isinstance(batch, Batch) or batch.state is not BatchState.ADMITTED:
            return Submitted.STALE
        metadata = self._metadata(batch)
        uploading = self.ledger.claim_upload(batch, lease=pace.lease(self.clock.now(), deadline))
        if uploading is None:
            return Submitted.STALE
        try:
            if pieces := self._pieces(uploading):
                return self._split(uploading, pieces)
            file_id = self._upload(uploading, deadline)
        except REFUSALS as refusal:
            return self._refused(uploading, refusal)
        return self._buy(uploading, file_id, metadata)

    def _upload(self, batch: Batch, deadline: Deadline) -> str:
        name = naming.upload_name(batch.job_id, batch.item, batch.claim)
        file_id = self.api.upload(name, self.objects.replayable(batch.source))
        if deadline.remaining() < pace.SECONDS_TO_CREATE:
            self._drop_file(file_id)
            raise RetryLater("no time left to create the batch", code="out_of_time", after=0)
        return file_id

    def _buy(self, batch: Batch, file_id: str, metadata: dict[str, str]) -> Submitted:
        """Intent, create, record. Only what the create itself answers is a refusal: after it, a batch exists."""
        try:
            key = self.api.key_version()
            now = self.clock.now()
            lease = now + dt.timedelta(seconds=self.create_lease)
            creating = self.ledger.record_intent(batch, file_id=file_id, key_version=key, now=now, lease=lease)
        except REFUSALS as trouble:
            return self._refused(replace(batch, file_id=file_id), trouble)
        if creating is None:
            self._drop_file(file_id)
            return self._give_back(batch)
        claim = {"batchdrop_claim": str(creating.claim)}
        try:
            remote = self.api.create(
                file_id=file_id,
                endpoint=creating.endpoint,
                completion_window=creating.completion_window,
                metadata=metadata | claim,
            )
        except OutcomeUnknown:
            return self._unknown(creating)
        except REFUSALS as refusal:
            return self._refused(creating, refusal)
        now = self.clock.now()
        try:
            made = self.ledger.record_created(creating, remote, now=now, check_at=pace.in_flight(now))
        except RetryLater:
            return self._unknown(creating)
        return Submitted.CREATED if made else Submitted.STALE

    def _unknown(self, creating: Batch) -> Submitted:
        """There may be a batch that the table does not name: from now on the poller looks for it."""
        given_back(partial(self.ledger.note_unknown, creating))
        return Submitted.UNKNOWN

    def _metadata(self, batch: Batch) -> dict[str, str]:
        """What a batch of ours says of itself at the provider; the claim is added when it is known."""
        return {
            "batchdrop_stack": self.ledger.stack(self.clock.now()).id,
            "batchdrop_job": batch.job_id,
            "batchdrop_item": batch.item,
        }

    def _refused(self, batch: Batch, refusal: RetryLater | Rejected | Misconfigured) -> Submitted:
        """No batch was made. Where not even why can be recorded, it is queued again: all of it is tried once more."""
        try:
            return self._recorded(batch, refusal)
        except RetryLater as trouble:
            return self._recorded(batch, trouble)

    def _recorded(self, batch: Batch, refusal: RetryLater | Rejected | Misconfigured) -> Submitted:
        """A definite refusal, recorded by who must act. The file goes last: without it, no fence would count."""
        now = self.clock.now()
        if isinstance(refusal, Rejected):
            self.ledger.end_refused(batch, code=refusal.code, reason=refusal.reason, now=now)
            return Submitted.REFUSED
        if isinstance(refusal, Misconfigured):
            reason = f"{refusal.code}: {refusal.reason}"
            done, outcome = self.ledger.block(batch, reason=reason, check_at=now + blocking.EVERY), Submitted.BLOCKED
        else:
            done, outcome = self._requeue(batch, refusal, now), Submitted.REQUEUED
        if done and batch.file_id:
            self._drop_file(batch.file_id)
        return outcome

    def _requeue(self, batch: Batch, refusal: RetryLater, now: dt.datetime) -> bool:
        reason = f"{refusal.code}: {refusal}"
        learning.learn(self.ledger, batch, reason, now)
        wait = retrying.backoff(batch.refusals) if refusal.after is None else refusal.after
        not_before = now + dt.timedelta(seconds=math.ceil(wait))
        return self.ledger.requeue(batch, not_before=not_before, now=now, reason=reason)

    def _drop_file(self, file_id: str) -> None:
        """Leave no file behind; where that fails, it expires by itself."""
        with suppress(BatchdropError):
            self.api.delete_file(file_id)

    def _pieces(self, batch: Batch) -> int:
        """Into how many batches to split it, so that each fits under the limit that is known; 0: not at all."""
        allowances = Allowances(self.token_limits, self.ledger.limits(), self.clock.now())
        return allowances.of((batch.api, batch.model)).pieces(batch)

    def _split(self, batch: Batch, pieces: int) -> Submitted:
        parts = dividing.divided(self.objects, batch, pieces, now=self.clock.now())
        return Submitted.SPLIT if self.ledger.split(batch, parts) else self._give_back(batch)

    def _give_back(self, batch: Batch) -> Submitted:
        """Nothing was recorded. If it is still ours, that is for its job, and nobody is to wait for our lease."""
        now = self.clock.now()
        given_back(partial(self.ledger.requeue, batch, not_before=now, now=now, reason=NOT_RECORDED))
        return Submitted.STALE

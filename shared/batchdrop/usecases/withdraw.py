"""Carry out cancels: what was not bought is dropped, what runs at the provider is stopped there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core.answers import CANCELLED
from batchdrop.core.errors import Rejected
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.ports import BatchApi, Clock, Deadline, Ledger

#: Cancels sent to the provider in one tick.
CALLS = 60


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What a tick did: batches dropped before they were bought, and cancels sent to the provider."""

    retired: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Stop the open batches of cancelled jobs.

    One that is ``uploading`` or ``creating`` is left until it is known what became of it; an ``ended`` one is paid
    for, and its answers are fetched.
    """

    ledger: Ledger
    api: BatchApi
    clock: Clock

    def __call__(self, batches: Iterable[Batch], deadline: Deadline) -> Withdrawn:
        """``batches``: the open ones of jobs whose cancel was asked."""
        retired = sent = 0
        for batch in batches:
            if deadline.remaining() <= 1:
                break
            if batch.state in (BatchState.QUEUED, BatchState.ADMITTED, BatchState.BLOCKED):
                retired += self.ledger.retire(batch, reason=CANCELLED[1])
            elif sent < CALLS and self._is_to_be_told(batch):
                sent += self._tell(batch)
        return Withdrawn(retired, sent)

    def _is_to_be_told(self, batch: Batch) -> bool:
        """Once, and again if that did not take."""
        if batch.state is not BatchState.IN_FLIGHT:
            return False
        return batch.cancel_sent_at is None or self.clock.now() >= batch.cancel_sent_at + pace.CANCEL

    def _tell(self, batch: Batch) -> bool:
        with suppress(Rejected):  # it has ended, or is not known any more: the next look at it tells
            self.api.cancel(batch.openai_batch_id or "")
        return self.ledger.note_cancel(batch, now=self.clock.now())

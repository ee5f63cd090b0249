"""Stop what is open of stopped jobs: what was not bought is dropped, what runs at the provider is stopped there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core import giving_up
from batchdrop.core.answers import stopped
from batchdrop.core.errors import BatchdropError, Rejected
from batchdrop.core.lifecycle import ENDED_STATUSES
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchdrop.core.model import Job
    from batchdrop.ports import BatchApi, Clock, Ledger
    from batchdrop.usecases.budget import Budget

_NOT_BOUGHT = frozenset({BatchState.QUEUED, BatchState.ADMITTED, BatchState.BLOCKED})
#: Cancels that fail in one tick at the most: where the provider stops nothing, it is not asked for each.
TROUBLES = 5


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What a tick did: batches dropped before they were bought, and cancels sent to the provider.

    ``troubles``: why some could not be sent now; the others were.
    """

    retired: int = 0
    sent: int = 0
    troubles: tuple[BatchdropError, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Stop the open batches of jobs that were cancelled, ran for too long, or failed because their input is gone.

    One that is ``uploading`` or ``creating`` is left until it is known what became of it; an ``ended`` one is paid
    for, and its answers are fetched, unless its job has failed. What the provider leaves open, or does not know, for an
    hour or more is given up.
    """

    ledger: Ledger
    api: BatchApi
    clock: Clock

    def __call__(self, jobs: Mapping[str, Job], batches: Sequence[Batch], budget: Budget) -> Withdrawn:
        """``batches``: the open ones of stopped ``jobs``. First what needs no provider: it may not answer."""
        time = budget.share()
        retired = sum(self._drop(jobs[batch.job_id], batch) for batch in batches if time.remaining() > 0)
        sent = 0
        troubles: list[BatchdropError] = []
        # Those that were never told come first: one that does not stop must not keep another from being told.
        for batch in sorted(filter(self._is_to_be_told, batches), key=lambda batch: str(batch.cancel_sent_at or "")):
            if len(troubles) >= TROUBLES or not budget.take():
                break
            try:
                sent += self._tell(batch)
            except BatchdropError as trouble:
                troubles.append(trouble)
        return Withdrawn(retired, sent, tuple(troubles))

    def _drop(self, job: Job, batch: Batch) -> bool:
        why = stopped(job)
        if why is None:
            return False
        if batch.state in _NOT_BOUGHT and batch.openai_batch_id is None:
            return self.ledger.retire(batch, reason=why[1])
        now = self.clock.now()
        if not giving_up.is_hopeless(job, batch, now):
            return False
        return self.ledger.give_up(batch, reason=f"{why[1]} {giving_up.what_is_known(batch)}", now=now)

    def _is_to_be_told(self, batch: Batch) -> bool:
        """Once, and again if that did not take. What has ended is only waited for until all its files show."""
        if batch.state is not BatchState.IN_FLIGHT or batch.remote_status in ENDED_STATUSES:
            return False
        return batch.cancel_sent_at is None or self.clock.now() >= batch.cancel_sent_at + pace.CANCEL

    def _tell(self, batch: Batch) -> bool:
        with suppress(Rejected):  # it has ended, or is not known any more: the next look at it tells
            self.api.cancel(batch.openai_batch_id or "")
        now = self.clock.now()
        check_at = batch.next_check_at if batch.cancel_sent_at else now + giving_up.PATIENCE
        return self.ledger.note_cancel(batch, now=now, check_at=check_at or now)

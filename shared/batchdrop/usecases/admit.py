"""Let queued batches go, as far as the provider has room for them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core import admission
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchdrop.core.model import Batch
    from batchdrop.ports import Clock, Deadline, Ledger, Messages


@dataclass(frozen=True, slots=True)
class Admit:
    """Admit batches of running jobs. One poller at a time, by a lease that ends with it; others leave it alone.

    ``name`` tells this invocation from every other one.
    """

    ledger: Ledger
    messages: Messages
    clock: Clock
    name: str

    def __call__(self, batches: Sequence[Batch], deadline: Deadline) -> int:
        """Number of batches admitted. ``batches``: every open batch of running jobs."""
        now = self.clock.now()
        lease = now + dt.timedelta(seconds=int(deadline.remaining()) + 5)
        if not self.ledger.lead(self.name, lease=lease, now=now):
            return 0
        chosen = admission.admitted(batches, self.ledger.limits(), now)
        count = sum(self._admit(batch) for batch in chosen if deadline.remaining() > 1)
        # Given back, or the ticks of the next two minutes, which have other names, would admit nothing.
        self.ledger.lead(self.name, lease=self.clock.now(), now=now)
        return count

    def _admit(self, batch: Batch) -> bool:
        if not self.ledger.admit(batch, lease=self.clock.now() + pace.ADMITTED):
            return False
        self.messages.submit(batch.key)
        return True

"""Let queued batches go, as far as the provider has room for them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import admission, creates
from batchdrop.core.allowance import Allowances
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchdrop.core.model import Batch, Job
    from batchdrop.ports import Clock, Deadline, Ledger, Messages


@dataclass(frozen=True, slots=True)
class Admit:
    """Admit batches of running jobs. One poller at a time, by a lease that ends with it; others leave it alone.

    ``name`` tells this invocation from every other one. ``token_limits``: the stack's parameter, by model.
    ``submitters``: how many work at the same time.
    """

    ledger: Ledger
    messages: Messages
    clock: Clock
    name: str
    token_limits: Mapping[str, int] = field(default_factory=dict)
    submitters: int = 20

    def __call__(self, jobs: Mapping[str, Job], batches: Sequence[Batch], deadline: Deadline) -> int:
        """Number of batches admitted. ``batches``: every open one of running jobs, and of others what takes room."""
        now = self.clock.now()
        lease = now + dt.timedelta(seconds=int(deadline.remaining()) + 5)
        if not self.ledger.lead(self.name, lease=lease, now=now):
            return 0
        count = self._admit_all(jobs, batches, deadline, now)
        # Given back, or the ticks of the next two minutes, which have other names, would admit nothing.
        self.ledger.lead(self.name, lease=self.clock.now(), now=now)
        return count

    def _admit_all(
        self, jobs: Mapping[str, Job], batches: Sequence[Batch], deadline: Deadline, now: dt.datetime
    ) -> int:
        paid_until = self.ledger.paid_creates()
        allowances = Allowances(self.token_limits, self.ledger.limits(), now)
        room = admission.Pace(self.submitters, creates.affordable(paid_until, now))
        decision = admission.decide(batches, jobs, allowances, room)
        for pool, tokens in decision.seen.items():
            self.ledger.note_seen(pool, tokens)
        # Paid before they go: a poller that dies in between has paid for too many, never for too few.
        until = creates.paid(paid_until, now, decision.bought)
        if decision.bought and not self.ledger.pay_creates(self.name, until=until):
            return 0
        chosen = zip(decision.admitted, decision.pool_tokens, strict=True)
        return sum(self._admit(batch, tokens) for batch, tokens in chosen if deadline.remaining() > 1)

    def _admit(self, batch: Batch, pool_tokens: int) -> bool:
        if not self.ledger.admit(batch, lease=self.clock.now() + pace.ADMITTED, pool_tokens=pool_tokens):
            return False
        self.messages.submit(batch.key)
        return True

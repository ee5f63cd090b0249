"""The rounds beside the ticks, sweep and audit: made when they are due, by one poller at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchdrop.core.errors import BatchdropError
from batchdrop.core.housekeeping import Housekeeping
from batchdrop.usecases import audit, pace, sweep
from batchdrop.usecases.audit import Audit, Audited
from batchdrop.usecases.sweep import Sweep, Swept

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from batchdrop.core.housekeeping import Looking
    from batchdrop.core.model import Batch, Job
    from batchdrop.ports import Clock, Deadline, Ledger
    from batchdrop.usecases.budget import Budget


@dataclass(slots=True)
class Kept:
    """What the rounds of one tick did. ``troubles``: why one could not be made, by its name."""

    swept: Swept = field(default_factory=Swept)
    audited: Audited = field(default_factory=Audited)
    troubles: dict[str, BatchdropError] = field(default_factory=dict)


@dataclass(slots=True)
class Turn:
    """A poller's turn at the rounds. ``record``: as it was read, and the poller's own where ``is_ours``."""

    has_jobs: bool
    record: Housekeeping = field(default_factory=Housekeeping)
    is_ours: bool = False
    sweeps: bool = False
    audits: bool = False
    began_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Housekeep:
    """Make the rounds that are due. Where none is, that is known after one read, and nothing is connected to."""

    ledger: Ledger
    clock: Clock
    sweep: Callable[[], Sweep]
    audit: Callable[[], Audit]

    def take(self, turn: Turn, deadline: Deadline) -> None:
        """Take the turn, if a round is due or a look is to go on, and nobody else has it."""
        now = turn.began_at = self.clock.now()
        turn.record = self.ledger.housekeeping()
        sweeps = sweep.is_due(turn.record.sweep, now)
        audits = audit.is_due(turn.record.audit, now, has_jobs=turn.has_jobs)
        if sweeps or audits or turn.record.look:
            self._claim(turn, deadline)
        turn.sweeps, turn.audits = turn.is_ours and sweeps, turn.is_ours and audits

    def __call__(self, turn: Turn, jobs: Collection[Job], batches: Collection[Batch], budget: Budget) -> Kept:
        """``jobs``, ``batches``: every open one."""
        kept = Kept()
        if turn.is_ours:
            done = self._audited(self._swept(turn, kept, jobs, budget.share()), turn, kept, batches, budget)
            # After trouble the lease stays: the next try is made when it is over, not with every tick.
            self.ledger.note_housekeeping(done if kept.troubles else replace(done, lease_until=None))
        return kept

    def note_look(self, turn: Turn, look: Looking | None, deadline: Deadline) -> None:
        """Remember where a look was cut short. Nothing is written where it was not, nor was before."""
        if look == turn.record.look or (look is None and not turn.is_ours):
            return
        if not turn.is_ours:
            self._claim(turn, deadline)
        turn.record = replace(turn.record, look=look)

    def _claim(self, turn: Turn, deadline: Deadline) -> None:
        now = self.clock.now()
        if turn.record.lease_until is not None and turn.record.lease_until > now:
            return
        mine = self.ledger.claim_housekeeping(turn.record, lease=pace.lease(now, deadline), now=now)
        if mine is not None:
            turn.record, turn.is_ours = mine, True

    def _swept(self, turn: Turn, kept: Kept, jobs: Collection[Job], deadline: Deadline) -> Housekeeping:
        if not turn.sweeps:
            return turn.record
        try:
            kept.swept, came = self.sweep()(turn.record.sweep, jobs, deadline)
        except BatchdropError as trouble:
            kept.troubles["sweep"] = trouble
            return turn.record
        return replace(turn.record, sweep=came)

    def _audited(
        self, record: Housekeeping, turn: Turn, kept: Kept, batches: Collection[Batch], budget: Budget
    ) -> Housekeeping:
        if not turn.audits:
            return record
        began_at = turn.began_at or self.clock.now()
        try:
            kept.audited, came = self.audit()(record.audit, batches, budget)
        except BatchdropError as trouble:
            kept.troubles["audit"] = trouble
            return record
        return replace(record, audit=audit.next_round(came, began_at, has_jobs=turn.has_jobs))

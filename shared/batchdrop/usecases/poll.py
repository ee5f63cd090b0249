"""One tick: read what is open, and move on whatever can move. Everything else is a hint to make this faster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core.errors import BatchdropError, Misconfigured
from batchdrop.core.open_items import OpenItems
from batchdrop.core.states import BatchState
from batchdrop.usecases import audit
from batchdrop.usecases.audit import Audited
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.housekeep import Turn
from batchdrop.usecases.observe import Observed
from batchdrop.usecases.recover import Recovered
from batchdrop.usecases.sweep import Swept
from batchdrop.usecases.withdraw import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchdrop.core.model import Batch
    from batchdrop.ports import Clock, Deadline, Ledger
    from batchdrop.usecases.admit import Admit
    from batchdrop.usecases.expire import Expire
    from batchdrop.usecases.housekeep import Housekeep
    from batchdrop.usecases.observe import Observe
    from batchdrop.usecases.recover import Recover
    from batchdrop.usecases.redrive import Redrive
    from batchdrop.usecases.status import Status
    from batchdrop.usecases.withdraw import Withdraw


#: Calls that are left for what became of creates without an answer, and for cancels, where there are any.
LOOKUPS, CANCELS = 40, 20
#: Statuses that cannot be written in one tick at the most; one keeps no other from it.
TROUBLES = 5
_ROUNDS = 2 * audit.EVERY


@dataclass(slots=True)
class Tick:
    """What a tick saw and did. ``overdue``: batches that should have ended, creates that should be settled.

    ``calls``: to the provider. ``unseen``: batches that were due, for the next to look at.
    ``untold``: batches that no item owns and that nobody was told of yet (``Poll.told``).
    ``troubles``: what could not be done now, step by step, and why; ``misconfigured``: how many of them because of
    what the operator must mend.
    """

    open_jobs: int = 0
    open_batches: int = 0
    blocked: int = 0
    overdue: int = 0
    calls: int = 0
    unseen: int = 0
    ended: int = 0
    admitted: int = 0
    redriven: int = 0
    recovered: Recovered = field(default_factory=Recovered)
    withdrawn: Withdrawn = field(default_factory=Withdrawn)
    swept: Swept = field(default_factory=Swept)
    audited: Audited = field(default_factory=Audited)
    untold: list[str] = field(default_factory=list)
    quarantined: int = 0
    parked: int = 0
    expired: int = 0
    odd_statuses: tuple[str, ...] = ()
    unknown_batches: tuple[str, ...] = ()
    troubles: list[str] = field(default_factory=list)
    misconfigured: int = 0

    def note(self, step: str, *troubles: BatchdropError) -> None:
        self.troubles += [f"{step}: {trouble}" for trouble in troubles]
        self.misconfigured += sum(isinstance(trouble, Misconfigured) for trouble in troubles)


@dataclass(frozen=True, slots=True)
class Poll:
    """Observe, recover, withdraw, admit, re-drive, keep house, report. A step that fails keeps no other from running.

    Steps are made on demand: an idle tick loads no SDK and connects to nothing but the table.
    """

    ledger: Ledger
    clock: Clock
    observe: Callable[[], Observe]
    recover: Callable[[], Recover]
    expire: Expire
    withdraw: Callable[[], Withdraw]
    redrive: Callable[[], Redrive]
    admit: Callable[[], Admit]
    housekeep: Housekeep
    status: Status

    def __call__(self, deadline: Deadline) -> Tick:
        budget = Budget.of_tick(deadline)
        found = OpenItems.of(self.ledger.open_items())
        tick = Tick(len(found.jobs), len(found.batches), len(found.in_state(BatchState.BLOCKED)))
        tick.quarantined, tick.parked = found.quarantined, found.parked
        turn = Turn(has_jobs=bool(found.jobs))
        for name, step in self._steps(found, tick, turn, budget):
            try:
                step()
            except BatchdropError as trouble:
                tick.note(name, trouble)
        tick.calls = budget.spent
        return tick

    def told(self, tick: Tick) -> None:
        """Its counts are out. A tick that dies before leaves its doubles to be counted by a later one."""
        with suppress(BatchdropError):
            self.ledger.note_orphans_told(tick.untold, now=self.clock.now())

    def _steps(
        self, found: OpenItems, tick: Tick, turn: Turn, budget: Budget
    ) -> Iterator[tuple[str, Callable[[], None]]]:
        now = self.clock.now()
        creating = found.in_state(BatchState.CREATING)
        lost = [batch for batch in creating if (batch.lease_until or now) <= now]
        stopped = found.of_stopped_jobs()
        yield "housekeeping", lambda: self.housekeep.take(turn, budget.deadline)
        # What each step leaves to those that follow.
        audits = audit.PAGES if turn.audits else 0
        cancels = CANCELS if stopped else 0
        lookups = LOOKUPS if lost else 0
        yield "look", lambda: self._observe(found, tick, turn, budget, leave=audits + cancels + lookups)
        yield "recover", lambda: self._recover(creating, lost, tick, budget.share(budget.calls - audits - cancels))
        yield "withdraw", lambda: self._withdraw(found, stopped, tick, budget.share(budget.calls - audits))
        yield "admit", lambda: self._admit(found, tick, budget.deadline)
        yield "re-drive", lambda: self._redrive(found, tick, budget.share())
        yield "housekeeping", lambda: self._housekeep(found, tick, turn, budget.share())
        yield "status", lambda: self._report(found, tick, budget.share(part=1))

    def _observe(self, found: OpenItems, tick: Tick, turn: Turn, budget: Budget, *, leave: int) -> None:
        flying, now = found.in_state(BatchState.IN_FLIGHT), self.clock.now()
        # Two rounds have looked since, or should have: what they could end is not told of.
        tick.overdue = sum(batch.next_check_at is not None and batch.next_check_at <= now - _ROUNDS for batch in flying)
        lost = [batch for batch in found.in_state(BatchState.BLOCKED) if batch.openai_batch_id is not None]
        seen = Observed()
        if flying or lost:
            place = turn.record.look if turn.is_ours else None
            share = budget.share(budget.calls - leave)
            seen = self.observe()([*flying, *lost], share, is_round=turn.audits, place=place)
        tick.ended, tick.unseen = seen.ended, seen.unseen
        tick.odd_statuses, tick.unknown_batches = seen.odd_statuses, seen.unknown
        tick.note("look", *seen.troubles)
        self.housekeep.note_look(turn, seen.place, budget.deadline)

    def _recover(self, creating: Sequence[Batch], lost: Sequence[Batch], tick: Tick, budget: Budget) -> None:
        if creating:
            tick.overdue += self.recover().overdue(creating)
        if lost:
            tick.recovered = self.recover()(lost, budget)
            tick.note("recover", *tick.recovered.troubles)

    def _withdraw(self, found: OpenItems, stopped: Sequence[Batch], tick: Tick, budget: Budget) -> None:
        tick.expired = self.expire(found.jobs.values())
        if stopped:
            tick.withdrawn = self.withdraw()(found.jobs, stopped, budget)
            tick.note("withdraw", *tick.withdrawn.troubles)

    def _admit(self, found: OpenItems, tick: Tick, deadline: Deadline) -> None:
        if found.in_state(BatchState.QUEUED):
            tick.admitted = self.admit()(found.jobs, found.for_admission(), deadline)

    def _redrive(self, found: OpenItems, tick: Tick, deadline: Deadline) -> None:
        if found:
            tick.redriven = self.redrive()(found.jobs, found.chunks, found.batches, deadline)

    def _housekeep(self, found: OpenItems, tick: Tick, turn: Turn, budget: Budget) -> None:
        kept = self.housekeep(turn, found.jobs.values(), found.batches, budget)
        tick.swept, tick.audited = kept.swept, kept.audited
        for step, trouble in kept.troubles.items():
            tick.note(step, trouble)
        tick.note("audit", *kept.audited.troubles)
        if turn.audits or tick.recovered.doubles:
            tick.untold = self.ledger.untold_orphans()

    def _report(self, found: OpenItems, tick: Tick, deadline: Deadline) -> None:
        most = len(tick.troubles) + TROUBLES
        for job in found.jobs_under_way():
            if deadline.remaining() > 0 and len(tick.troubles) < most:
                try:
                    self.status.refresh(job, found.parts[job.job_id])
                except BatchdropError as trouble:
                    tick.note("status", trouble)

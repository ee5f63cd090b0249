"""Wrong ways to keep house: each breaks one rule of the audit, the sweep or of giving up, and must be caught.

Also of what becomes of a job that failed while it ran.
"""

from __future__ import annotations

from typing import Any

from batchdrop.adapters.ledger import batches, writing
from batchdrop.core import poison
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Key
from batchdrop.core.states import BatchState
from batchdrop.ports import LineError, RemoteBatch
from batchdrop.usecases import audit, redrive, sweep
from batchdrop.usecases.clean import Clean
from batchdrop.usecases.observe import Observe
from batchdrop.usecases.withdraw import Withdraw
from tests.simulation.buying import Patches
from tests.simulation.mutants import MUTANTS, mutant, mutated, without

__all__ = ["MUTANTS", "mutated"]


@mutant("the audit reads before it lists")
def _() -> Patches:
    """What the tick saw of the items, before it asked for the list, decides."""
    call, judge = audit.Audit.__call__, audit._Judge.__call__
    former: dict[Any, Any] = {}

    def auditing(self: Any, at: Any, batches: Any, budget: Any) -> Any:
        former.clear()
        former.update({batch.key: batch for batch in batches})
        return call(self, at, batches, budget)

    def judging(self: Any, remote: Any) -> None:
        of = Key(remote.metadata["batchdrop_job"], remote.metadata["batchdrop_item"])
        if of in former and not audit._may_own(former[of], remote):
            self._stop(remote, of)
        else:
            judge(self, remote)

    return [(audit.Audit, "__call__", auditing), (audit._Judge, "__call__", judging)]


@mutant("the audit goes by the batch's id alone")
def _() -> Patches:
    return [(audit, "_may_own", lambda item, remote: item.openai_batch_id == remote.id)]


@mutant("work that kills is never given up")
def _() -> Patches:
    return [(poison, "is_poisoned", lambda item: False)]


@mutant("what the provider forgot is bought again")
def _() -> Patches:
    def lose(self: Any, look: Any, batch: Any) -> None:
        now = self.clock.now()
        token_limit = (LineError("token_limit_exceeded", "Limit: 90,000 enqueued tokens."),)
        self.ledger.end(
            batch, RemoteBatch(batch.openai_batch_id, "failed", "", 0, errors=token_limit), now=now, check_at=now
        )

    return [(Observe, "_lose", lose)]


@mutant("nobody sweeps")
def _() -> Patches:
    return [(sweep, "is_due", lambda at, now: False)]


@mutant("a cancel drops what the provider denies")
def _() -> Patches:
    drop = Withdraw._drop

    def wrong(self: Any, job: Any, batch: Any) -> bool:
        if batch.state is BatchState.BLOCKED:
            return self.ledger.retire(batch, reason="cancelled")  # type: ignore[no-any-return]
        return drop(self, job, batch)

    return [*without(Guard.NO_BATCH), (Withdraw, "_drop", wrong)]


def for_any_job(row: str) -> Patches:
    """That row's write does not ask whether the job runs."""
    with_job = writing.with_job

    def lax(change: Any, **how: Any) -> Any:
        return [change] if change.row.id == row else with_job(change, **how)

    return [(batches, "with_job", lax), (writing, "with_job", lax)]


MUTANTS["a batch is bought for a job that has ended"] = lambda: for_any_job("B3")
MUTANTS["a batch is split for a job that has ended"] = lambda: for_any_job("B13")


@mutant("a failed job is cleaned while its batches run")
def _() -> Patches:
    """Neither who cleans asks for them, nor who sends him."""
    return [(Clean, "_is_unresolved", lambda self, job: False), (redrive, "_is_told_failure", lambda job: False)]


@mutant("the batches of a failed job are left alone")
def _() -> Patches:
    call = Withdraw.__call__

    def wrong(self: Any, jobs: Any, batches: Any, budget: Any) -> Any:
        return call(self, jobs, [batch for batch in batches if jobs[batch.job_id].state != "failed"], budget)

    return [(Withdraw, "__call__", wrong)]

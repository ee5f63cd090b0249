"""Try again what was put aside: an operator has mended what it crashed of, or what blocked it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from batchdrop.core.model import AnyItem
    from batchdrop.ports import Clock, Ledger


@dataclass(frozen=True, slots=True)
class Release:
    """Safe to ask any number of times; what has ended stays as it is."""

    ledger: Ledger
    clock: Clock

    def __call__(self, job_id: str) -> int:
        """How many items of the job had crashes, or were blocked, and are due now."""
        job = self.ledger.job(job_id)
        items: list[AnyItem] = [*([job] if job else []), *self.ledger.parts(job_id)]
        now = self.clock.now()
        return sum(self.ledger.release(item, now=now) for item in items if _is_put_aside(item))


def _is_put_aside(item: AnyItem) -> bool:
    return item.due is not None and (bool(item.crashes) or item.state is BatchState.BLOCKED)

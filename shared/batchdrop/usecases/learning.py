"""What refusals and finished batches teach about room at the provider. Hints: nothing fails for them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batchdrop.core import allowance, crowding
from batchdrop.core.errors import BatchdropError

if TYPE_CHECKING:
    from datetime import datetime

    from batchdrop.core.model import Batch, Usage
    from batchdrop.ports import Ledger


def learn(ledger: Ledger, batch: Batch, reason: str, now: datetime) -> None:
    """Remember what a refusal of the batch says of its model's limit. ``reason``: ``code: text``."""
    if reason.partition(":")[0] not in crowding.NO_ROOM:
        return
    pool = batch.api, batch.model
    if limit := allowance.named(reason):
        ledger.learn_limit(pool, limit, now=now)
    elif not (known := ledger.limits().get(pool, allowance.Learned())).enqueued_tokens:
        # No figure: what it stood beside does fit; where it stood alone, less than itself may.
        beside = (batch.pool_tokens or 0) - batch.estimated_tokens
        least = max(1, known.seen_tokens, beside if beside > 0 else batch.estimated_tokens // 2)
        ledger.learn_limit(pool, allowance.Named(tokens=least), now=now)
    if not (limit and limit.requests):
        ledger.note_refused(batch, now=now)


def experience(ledger: Ledger, batch: Batch, usage: Usage) -> None:
    """Remember how many tokens the answers of a fetched batch took."""
    if usage.input_tokens:
        with suppress(BatchdropError):
            ledger.note_taken(batch, usage)

"""What refusals and finished batches teach about room at the provider. Hints: nothing fails for them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from batchdrop.core import allowance
from batchdrop.core.errors import BatchdropError

if TYPE_CHECKING:
    from datetime import datetime

    from batchdrop.core.model import Batch, Usage
    from batchdrop.ports import Ledger


def learn(ledger: Ledger, batch: Batch, text: str, now: datetime) -> None:
    """Remember the limit that a refusal of the batch names, if it names one."""
    if limit := allowance.named(text):
        ledger.learn_limit((batch.api, batch.model), limit, tried_at=batch.intent_at, now=now)


def experience(ledger: Ledger, batch: Batch, usage: Usage) -> None:
    """Remember how many tokens the answers of a fetched batch took."""
    if usage.input_tokens:
        with suppress(BatchdropError):
            ledger.note_taken(batch, usage)

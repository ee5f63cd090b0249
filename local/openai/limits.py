"""What may be enqueued at once: prompt tokens by model, and requests for embeddings (CONTRACT B3)."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.openai.settings import Settings
    from local.openai.validation import Findings

_EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class Refusal:
    """Why a batch may not be enqueued: code and message of its error."""

    code: str
    message: str


@dataclass
class _Queue:
    """Amounts that unfinished batches hold, by name; what is given back is free after a lag."""

    held: dict[str, tuple[str, int]] = field(default_factory=dict)
    leaving: list[tuple[float, str, int]] = field(default_factory=list)
    enqueued: Counter[str] = field(default_factory=Counter)

    def amounts(self, now: float) -> dict[str, int]:
        while self.leaving and self.leaving[0][0] <= now:
            _, name, amount = heapq.heappop(self.leaving)
            self.enqueued[name] -= amount
        return {name: amount for name, amount in self.enqueued.items() if amount}

    def take(self, batch_id: str, name: str, amount: int) -> None:
        self.held[batch_id] = (name, amount)
        self.enqueued[name] += amount

    def release(self, batch_id: str, free_at: float) -> None:
        if batch_id in self.held:
            heapq.heappush(self.leaving, (free_at, *self.held.pop(batch_id)))


class Limits:
    """The queues of one organization."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokens = _Queue()
        self._requests = _Queue()

    def enqueued(self, now: float) -> dict[str, int]:
        """Tokens that count against each model's limit at ``now``."""
        return self._tokens.amounts(now)

    def reserve(self, batch_id: str, findings: Findings, now: float) -> Refusal | None:
        """Take what a batch needs, once; the refusal, and nothing taken, where a limit is reached."""
        if batch_id in self._tokens.held:
            return None
        refusal = self._over_tokens(findings, now) or self._over_requests(findings, now)
        if refusal is None:
            self._tokens.take(batch_id, findings.model or "", findings.tokens)
            if findings.embedding_inputs:
                self._requests.take(batch_id, _EMBEDDINGS, findings.requests)
        return refusal

    def release(self, batch_id: str, now: float) -> None:
        """Give back what an ended batch held, after the lag. Does nothing the second time."""
        for queue in (self._tokens, self._requests):
            queue.release(batch_id, now + self._settings.token_release_lag)

    def _over_tokens(self, findings: Findings, now: float) -> Refusal | None:
        model = findings.model or ""
        limit = self._settings.token_limits.get(model)
        wanted = self._tokens.amounts(now).get(model, 0) + findings.tokens
        if self._settings.phantom_tokens or (limit is not None and wanted > limit):
            return Refusal("token_limit_exceeded", self._message("token", model, limit or 0))
        return None

    def _over_requests(self, findings: Findings, now: float) -> Refusal | None:
        limit = self._settings.max_enqueued_embeddings
        wanted = self._requests.amounts(now).get(_EMBEDDINGS, 0) + findings.requests
        if findings.embedding_inputs and wanted > limit:
            code = "request_limit_exceeded"  # assumed (A4): the message was captured without it
            return Refusal(code, self._message("request", findings.model or "", limit))
        return None

    def _message(self, what: str, model: str, limit: int) -> str:
        return (
            f"Enqueued {what} limit reached for {model} in organization {self._settings.organization}."
            f" Limit: {limit:,} enqueued {what}s. Please try again once some in_progress batches have been completed."
        )

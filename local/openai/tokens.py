"""Prompt tokens: an estimate of their number, and the queue limit per model."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.openai.profiles import Settings

_BYTES_PER_TOKEN = 4


def prompt_tokens(body: dict[str, Any]) -> int:
    """Estimated prompt tokens of a request body: a quarter of the bytes of its texts, at least 1."""
    texts = (_text_size(body.get(name)) for name in ("messages", "input", "prompt", "instructions"))
    return max(1, sum(texts) // _BYTES_PER_TOKEN)


def text_tokens(text: str) -> int:
    """Estimated tokens of a text, at least 1."""
    return max(1, len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def _text_size(value: object) -> int:
    """Bytes of all strings in ``value``; a number in an array is a token by itself."""
    size = 0
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            size += len(item) if item.isascii() else len(item.encode("utf-8", "surrogatepass"))
        elif isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, int):
            size += _BYTES_PER_TOKEN
    return size


class TokenQueue:
    """Enqueued prompt tokens of unfinished batches, by model (CONTRACT B3)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: dict[str, tuple[str, int]] = {}
        self._leaving: list[tuple[float, str, int]] = []
        self._enqueued: Counter[str] = Counter()

    def enqueued(self, now: float) -> dict[str, int]:
        """Tokens that count against each model's limit at ``now``."""
        while self._leaving and self._leaving[0][0] <= now:
            _, model, tokens = heapq.heappop(self._leaving)
            self._enqueued[model] -= tokens
        return {model: tokens for model, tokens in self._enqueued.items() if tokens}

    def reserve(self, batch_id: str, model: str, tokens: int, now: float) -> str | None:
        """Take the tokens of a batch; OpenAI's message, and nothing taken, where the limit is reached."""
        limit = self._settings.token_limits.get(model)
        taken = self.enqueued(now).get(model, 0)
        if self._settings.phantom_tokens or (limit is not None and taken + tokens > limit):
            return (
                f"Enqueued token limit reached for {model} in organization {self._settings.organization}."
                f" Limit: {limit or 0:,} enqueued tokens. Please try again once some in_progress batches"
                " have been completed."
            )
        self._held[batch_id] = (model, tokens)
        self._enqueued[model] += tokens
        return None

    def release(self, batch_id: str, now: float) -> None:
        """Give the tokens of an ended batch back, after the lag. Does nothing the second time."""
        if batch_id in self._held:
            model, tokens = self._held.pop(batch_id)
            heapq.heappush(self._leaving, (now + self._settings.token_release_lag, model, tokens))

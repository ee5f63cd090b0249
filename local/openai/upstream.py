"""Another server that answers requests: any OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from local.openai.errors import error_body, type_of
from local.openai.question import Answer, Question, Usage

_OK = 200
_RETRIED = frozenset({408, 409, 429}) | frozenset(range(500, 600))
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WISH = 0.5, 8.0, 60.0
_TOLD_MAX = 1_000


@dataclass(frozen=True)
class UpstreamOptions:
    """Where requests go. ``url`` is a base URL as the SDK has it, with its ``/v1`` if it has one.

    ``model`` replaces the model of every request; ``attempts`` counts the first one; ``timeout`` is in seconds.
    """

    url: str
    key: str | None = None
    model: str | None = None
    concurrency: int = 8
    attempts: int = 4
    timeout: float = 600.0

    def __repr__(self) -> str:
        return f"UpstreamOptions({self.url!r})"  # never the key


class Upstream:
    """Asks it, at most ``concurrency`` requests at a time over all batches."""

    def __init__(self, options: UpstreamOptions) -> None:
        self.options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, question: Question) -> Answer:
        """Its true answer: what it said last, after retries of 408, 409, 429, 5xx and of broken connections.

        Where there was never a reply, the status is 502.
        """
        async with self._slots:
            attempt = 1
            while True:
                answer, wish = await self._attempt(question)
                if answer.status not in _RETRIED or attempt >= self.options.attempts:
                    return answer
                await asyncio.sleep(_pause(attempt, wish))
                attempt += 1

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _attempt(self, question: Question) -> tuple[Answer, float | None]:
        """The answer, and the seconds that it wants us to wait."""
        body = question.body | ({"model": self.options.model} if self.options.model else {})
        url = self.options.url.rstrip("/") + question.endpoint.removeprefix("/v1")
        try:
            async with self._client().post(url, data=msgspec.json.encode(body)) as reply:
                return _answer(reply.status, await reply.read()), _wish(reply.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"The upstream gave no reply: {type(error).__name__}."
            return Answer(502, error_body(message, param=None, code="upstream_error", type="server_error")), None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self.options.key:
                headers["Authorization"] = f"Bearer {self.options.key}"
            timeout = aiohttp.ClientTimeout(total=self.options.timeout, connect=10)
            self._session = aiohttp.ClientSession(headers=headers, timeout=timeout)
        return self._session


def _pause(attempt: int, wish: float | None) -> float:
    if wish is not None and wish <= _LONGEST_WISH:
        return wish
    usual: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1))
    return usual * random.uniform(0.75, 1)  # noqa: S311 - not a secret


def _wish(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


def _answer(status: int, raw: bytes) -> Answer:
    try:
        body = msgspec.json.decode(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = raw[:_TOLD_MAX].decode("utf-8", "replace")
        status = 502 if status == _OK else status
        return Answer(status, error_body(text, param=None, code=None, type=type_of(status)))
    return Answer(status, body, _usage(body.get("usage")))


def _usage(told: object) -> Usage:
    """The usage of any endpoint's answer; zeros where it tells none."""
    if not isinstance(told, dict):
        return Usage()
    return Usage(
        input=_number(told, "input_tokens", "prompt_tokens"),
        cached=_number(_inner(told, "input_tokens_details", "prompt_tokens_details"), "cached_tokens"),
        output=_number(told, "output_tokens", "completion_tokens"),
        reasoning=_number(_inner(told, "output_tokens_details", "completion_tokens_details"), "reasoning_tokens"),
    )


def _inner(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return next((dict(told[name]) for name in names if isinstance(told.get(name), dict)), {})


def _number(told: dict[str, Any], *names: str) -> int:
    return next((told[name] for name in names if isinstance(told.get(name), int)), 0)

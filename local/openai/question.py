"""A request on its way to an answer, and the answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from local.openai.identity import digest
from local.openai.tokens import prompt_tokens, text_tokens

_WORDS = ("amber", "brisk", "cedar", "delta", "ember", "fjord", "grove", "harbor", "kelp", "lumen", "maple", "opal")
_ECHO_MAX = 200
_CACHE_STEP = 128  #: OpenAI caches prompts above 1,024 tokens, in steps of 128
_CACHE_FROM = 1_024
_SEPARATORS = "a\u2028b\u2029c\u0085d\x0be\x0cf"  #: every character that breaks readers which split on more than \n


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; ``cached`` are among ``input``, ``reasoning`` among ``output``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Answer:
    """The HTTP status and body of one executed request."""

    status: int
    body: dict[str, Any]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Question:
    """One request on its way to an answer; ``model`` is the snapshot, ``separators`` asks for U+2028 in the text."""

    endpoint: str
    body: dict[str, Any]
    model: str
    created: int
    seed: int
    separators: bool = False

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits that depend on the body and the seed alone."""
        return digest(self.seed, msgspec.json.encode(self.body).decode()).hex()

    def text(self) -> str:
        """The answer's text: an echo of the prompt's end, and a few words by seed."""
        words = random.Random(self.key).choices(_WORDS, k=8)  # noqa: S311 - not a secret
        tail = _SEPARATORS if self.separators else ""
        return f"You said: {_last_text(self.body)} {' '.join(words)}{tail}"

    def usage(self, text: str) -> Usage:
        """Plausible tokens for an answer ``text``."""
        prompt = prompt_tokens(self.body)
        cached = prompt // 2 // _CACHE_STEP * _CACHE_STEP if prompt >= _CACHE_FROM else 0
        thinks = self.model.startswith(("gpt-5", "o1", "o3", "o4"))
        reasoning = 64 if thinks else 0
        return Usage(input=prompt, cached=cached, output=text_tokens(text) + reasoning, reasoning=reasoning)


def _last_text(body: dict[str, Any]) -> str:
    """The end of the prompt, wherever the endpoint keeps it."""
    value = body.get("messages") or body.get("input") or body.get("prompt") or ""
    while isinstance(value, list | dict):
        if not value:
            return ""
        value = value[-1] if isinstance(value, list) else value.get("content", value.get("text", ""))
    return str(value)[-_ECHO_MAX:]

"""Tokens that answers report, in any of the API's spellings."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from batchdrop.core.model import Usage

#: No answer has more; neither the table nor a sum in dollars holds any number.
_MOST = 10**15
Tokens = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]


class Details(msgspec.Struct, frozen=True):
    """What is part of a token count."""

    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None


class Reported(msgspec.Struct, frozen=True):
    """``usage`` of an answer: some endpoints say prompt and completion, some input and output."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None


_NONE = Details()


class Tally:
    """A running sum: one per batch, one addition per answer; those whose prompt is longer than ``above`` also apart."""

    __slots__ = (
        "_above",
        "_cached",
        "_input",
        "_long",
        "_output",
        "_reasoning",
        "_requests",
        "_silent",
        "_written",
    )

    def __init__(self, above: int | None = None) -> None:
        self._above = above
        self._long = None if above is None else Tally()
        self._requests = self._silent = 0
        self._input = self._cached = self._written = self._output = self._reasoning = 0

    def add(self, reported: Reported | None) -> None:
        if reported is None:
            self._silent += 1
            return
        inside = reported.input_tokens_details or reported.prompt_tokens_details or _NONE
        outside = reported.output_tokens_details or reported.completion_tokens_details or _NONE
        self._requests += 1
        prompt = reported.input_tokens or reported.prompt_tokens or 0
        if self._long and self._above is not None and prompt > self._above:
            self._long.add(reported)
        self._input += prompt
        self._cached += inside.cached_tokens or 0
        self._written += inside.cache_write_tokens or 0
        self._output += reported.output_tokens or reported.completion_tokens or 0
        self._reasoning += outside.reasoning_tokens or 0

    @property
    def long_usage(self) -> Usage:
        return self._long.usage if self._long else Usage()

    @property
    def usage(self) -> Usage:
        return Usage(
            requests=self._requests,
            unreported=self._silent,
            input_tokens=self._input,
            cached_input_tokens=self._cached,
            cache_write_tokens=self._written,
            output_tokens=self._output,
            reasoning_tokens=self._reasoning,
        )


def salvage(value: Any) -> Reported | None:  # noqa: ANN401 - decoded JSON of any shape
    """What can be read of a ``usage`` that is not shaped as it should be; None if nothing can."""
    if not isinstance(value, dict):
        return None
    return Reported(
        _count(value.get("input_tokens")),
        _count(value.get("output_tokens")),
        _count(value.get("prompt_tokens")),
        _count(value.get("completion_tokens")),
        _details(value.get("input_tokens_details")),
        _details(value.get("output_tokens_details")),
        _details(value.get("prompt_tokens_details")),
        _details(value.get("completion_tokens_details")),
    )


def _details(value: Any) -> Details | None:  # noqa: ANN401
    if not isinstance(value, dict):
        return None
    return Details(*(_count(value.get(name)) for name in Details.__struct_fields__))


def _count(value: Any) -> int | None:  # noqa: ANN401
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= _MOST and value == value // 1 else None

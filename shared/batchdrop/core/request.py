"""A line that is a request, and one that is none. Decoded no deeper than needed: the body passes through as bytes."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw

from batchdrop.core import limits

NOTHING = Raw(b"")
NULL = Raw(b"null")
_ITEMS = msgspec.json.Decoder(list[Raw])


class Pair(NamedTuple):
    """What may share a batch."""

    model: str
    endpoint: str


class Weight(NamedTuple):
    """What lines cost: how many requests, bytes as sent, texts to embed, projected bytes of answers."""

    requests: int
    bytes: int
    inputs: int
    answer_bytes: int


class Request(msgspec.Struct, frozen=True, gc=False):
    """A line that can be sent.

    ``custom_id``: the user's, None where it is no text. ``inputs``: texts to embed. ``answer_bytes``: projected size of
    the answer. ``text``: what to send where that is not the line itself. ``rewrite``: its method must be written anew.
    """

    pair: Pair
    custom_id: str | None
    inputs: int
    answer_bytes: int
    text: Raw | None = None
    rewrite: bool = False


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A line that cannot be sent: what is wrong, where, and what to do.

    ``request``: the user's JSON object, if it is one; ``custom_id``: the JSON value that stands there.
    """

    code: str
    reason: str
    custom_id: Raw = NULL
    request: Raw | None = None


class Body(msgspec.Struct, gc=False, kw_only=True):
    """What of a body is looked at, besides model and stream."""

    messages: Raw = NOTHING
    prompt: Raw = NOTHING
    input: Raw = NOTHING
    dimensions: int | None = None
    encoding_format: str | None = None
    n: int | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None
    max_output_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None


def is_model(name: str) -> bool:
    return 0 < len(name) <= limits.MODEL_CHARACTERS


def is_nothing(value: Raw) -> bool:
    return not value or value == NULL


def embedded(endpoint: limits.Endpoint, body: Body) -> tuple[int, int]:
    """(texts to embed, projected bytes of the answer) of one request."""
    if not endpoint.embeds:
        return 0, _answer_bytes(endpoint, body)
    inputs = _inputs(body.input)
    most = limits.EMBEDDING_DIMENSIONS
    dimensions = body.dimensions if body.dimensions and 0 < body.dimensions <= most else most
    is_packed = body.encoding_format == "base64"
    each = dimensions * (limits.BYTES_PER_PACKED_DIMENSION if is_packed else limits.BYTES_PER_DIMENSION)
    return inputs, endpoint.answer_bytes + inputs * each


def _answer_bytes(endpoint: limits.Endpoint, body: Body) -> int:
    """As many answers as are asked for, and of each token as many probabilities as are."""
    answers = min(max(1, body.n or 1), limits.ANSWERS_PER_REQUEST)
    top = max(int(body.logprobs or 0), 1 + body.top_logprobs if body.top_logprobs else 0)
    if top <= 0:
        return answers * endpoint.answer_bytes
    caps = (body.max_output_tokens, body.max_completion_tokens, body.max_tokens)
    tokens = min((limits.USUAL_ANSWER_TOKENS, *(cap for cap in caps if cap and cap > 0)))
    return answers * (endpoint.answer_bytes + tokens * min(top, limits.TOP_LOGPROBS) * limits.BYTES_PER_LOGPROB)


def _inputs(value: Raw) -> int:
    """How many texts ``input`` holds: it is one text, one list of tokens, or a list of either."""
    start = bytes(memoryview(value)[1:64]).lstrip()[:1]
    if bytes(memoryview(value)[:1]) != b"[" or start.isdigit():
        return 1
    return max(1, len(_ITEMS.decode(value)))

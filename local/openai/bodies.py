"""What an endpoint refuses when a request is executed: a 400 of that request, not of its batch.

Judged are the fields that an answer is made of, and those that are wrong most often. The codes are OpenAI's, the
wording of messages is assumed (A21).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

_Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
_Dimensions = Annotated[int, msgspec.Meta(ge=1, le=3_072)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Message(msgspec.Struct):
    role: _Role
    content: str | list[dict[str, Any]] | None = None


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]


class _Chat(msgspec.Struct):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    response_format: _Format | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: _Temperature | None = None
    top_p: _Share | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None


class _Responses(msgspec.Struct):
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str] | None = None
    temperature: _Temperature | None = None
    top_p: _Share | None = None


class _Completions(msgspec.Struct):
    prompt: str | list[Any]


class _Embeddings(msgspec.Struct):
    input: (
        Annotated[str, msgspec.Meta(min_length=1)]
        | Annotated[list[str | int | list[int]], msgspec.Meta(min_length=1, max_length=2_048)]
    )
    dimensions: _Dimensions | None = None
    encoding_format: Literal["float", "base64"] | None = None


class _Moderations(msgspec.Struct):
    input: str | list[Any]


class _Prompted(msgspec.Struct):
    prompt: str
    size: str | None = None
    seconds: str | int | None = None


_SHAPES: dict[str, type[msgspec.Struct]] = {
    "/v1/chat/completions": _Chat,
    "/v1/responses": _Responses,
    "/v1/completions": _Completions,
    "/v1/embeddings": _Embeddings,
    "/v1/moderations": _Moderations,
    "/v1/images/generations": _Prompted,
    "/v1/images/edits": _Prompted,
    "/v1/videos": _Prompted,
}
#: Parameters of chat completions that responses refuse, and where they went.
_MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
}
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<param>.*)`)?$", re.DOTALL)


@dataclass(frozen=True)
class Refusal:
    """The fields of the error that answers a request; ``param`` is like ``messages[0].role``."""

    message: str
    param: str | None
    code: str


def judge(endpoint: str, body: dict[str, Any]) -> Refusal | None:
    """Why ``endpoint`` refuses ``body``, or null where it would answer."""
    if endpoint == "/v1/responses" and (moved := next((name for name in _MOVED if name in body), None)):
        return Refusal(
            f"Unsupported parameter: '{moved}'. In the Responses API, this parameter has moved to '{_MOVED[moved]}'.",
            moved,
            "unsupported_parameter",
        )
    try:
        msgspec.convert(body, _SHAPES[endpoint])
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        what, param = (found["what"], found["param"]) if found else (str(error), None)
        code = "invalid_value" if what.startswith("Invalid") or "length" in what else "invalid_type"
        return Refusal(f"Invalid '{param or 'body'}': {what}.", param, code)
    return None

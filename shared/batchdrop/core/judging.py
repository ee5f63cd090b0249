"""Is a line a request that the Batch API takes? Codes are OpenAI's own where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from batchdrop.core import limits, no_json
from batchdrop.core.appearance import SHAPES, Kind
from batchdrop.core.codes import said
from batchdrop.core.request import NOTHING, NULL, Body, Pair, Refusal, Request, embedded, is_model, is_nothing
from batchdrop.core.text import has_long_number, is_deep, is_utf8, twice
from batchdrop.core.usual import usual

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTED = 100  #: characters of the user's that a reason may quote
_REQUIRED = ("method", "url", "body")
_KEYS = ("custom_id", *_REQUIRED)
_BODY_KEYS = ("model", "stream", "background")
_TRUE = Raw(b"true")
_OFF = (NOTHING, NULL, Raw(b"false"))


class _Line(msgspec.Struct, gc=False):
    custom_id: Raw = NOTHING
    method: Raw = NOTHING
    url: Raw = NOTHING
    body: Raw = NOTHING
    # what our errors.jsonl adds
    reason: Raw = NOTHING
    raw: Raw = NOTHING
    # what tells a line that is something else
    request: Raw = NOTHING
    params: Raw = NOTHING
    modelInput: Raw = NOTHING  # noqa: N815 - Bedrock's word
    response: Raw = NOTHING
    error: Raw = NOTHING
    messages: Raw = NOTHING
    contents: Raw = NOTHING
    prompt: Raw = NOTHING
    input: Raw = NOTHING


class _Body(msgspec.Struct, gc=False):
    model: Raw = NOTHING
    stream: Raw = NOTHING
    background: Raw = NOTHING
    messages: Raw = NOTHING
    prompt: Raw = NOTHING
    input: Raw = NOTHING
    dimensions: Raw = NOTHING
    encoding_format: Raw = NOTHING
    n: Raw = NOTHING
    logprobs: Raw = NOTHING
    top_logprobs: Raw = NOTHING
    max_output_tokens: Raw = NOTHING
    max_completion_tokens: Raw = NOTHING
    max_tokens: Raw = NOTHING


_LINE = msgspec.json.Decoder(_Line)
_BODY = msgspec.json.Decoder(_Body)


def judge(line: bytes | bytearray) -> Request | Refusal:
    """``line`` without its line break, not blank. Never raises, whatever the bytes."""
    if not is_utf8(line):
        return Refusal(*said("invalid_json_line.encoding"))
    if is_deep(line):
        return Refusal(*said("too_deep", most=limits.LINE_DEPTH))
    if has_long_number(line):
        return Refusal(*said("invalid_json_line.number", most=limits.NUMBER_DIGITS))
    try:
        ids, [pair], [body] = usual([line])
    except msgspec.DecodeError:
        return _look_again(line)
    return _request(ids[0], pair, body)


def too_large(cap: int) -> Refusal:
    """A line that fits no batch, or no function: it has more than ``cap`` bytes."""
    return Refusal(*said("line_too_long", most=cap))


def _request(custom_id: str | None, pair: Pair, body: Body, **unusual: object) -> Request | Refusal:
    inputs, answer_bytes = embedded(limits.ENDPOINTS[pair.endpoint], body)
    if inputs > limits.EMBEDDING_INPUTS_PER_BATCH:
        return Refusal(*said("too_many_inputs", inputs=inputs, most=limits.EMBEDDING_INPUTS_PER_BATCH))
    return Request(pair, custom_id, inputs, answer_bytes, **unusual)  # type: ignore[arg-type]


def _look_again(line: bytes | bytearray) -> Request | Refusal:
    """A line that is not written as usual: unusual, or wrong."""
    try:
        fields = _LINE.decode(line)
    except msgspec.DecodeError:
        return _no_object(line)
    if fields.reason and not fields.url and not fields.body:
        if _is_object(fields.request):
            return _unwrapped(fields.request)
        if fields.raw:
            return Refusal(*said("not_mended"))
    return _read(fields, Raw(line), None)


def _no_object(line: bytes | bytearray) -> Refusal:
    try:
        msgspec.json.decode(line, type=Raw)
    except msgspec.DecodeError as error:
        return Refusal(*no_json.reason(line, error))
    return Refusal(*said("not_an_object"))


def _unwrapped(text: Raw) -> Request | Refusal:
    """A line of our own errors file: the request inside is what counts."""
    return _read(_LINE.decode(text), text, text)


def _read(fields: _Line, line: Raw, text: Raw | None) -> Request | Refusal:
    if fault := next(_faults(fields, line), None):
        return _refusal(fields, line, *fault)
    body = _BODY.decode(fields.body)
    verdict = _request(
        _text(fields.custom_id),
        Pair(_text(body.model) or "", _text(fields.url) or ""),
        _sized(body),
        text=text,
        rewrite=_text(fields.method) != "POST",
    )
    return verdict if isinstance(verdict, Request) else _refusal(fields, line, verdict.code, verdict.reason)


def _sized(body: _Body) -> Body:
    """What tells how large the answer gets."""
    return Body(
        input=body.input,
        encoding_format=_text(body.encoding_format),
        dimensions=_number(body.dimensions),
        n=_number(body.n),
        logprobs=body.logprobs == _TRUE or _number(body.logprobs),
        top_logprobs=_number(body.top_logprobs),
        max_output_tokens=_number(body.max_output_tokens),
        max_completion_tokens=_number(body.max_completion_tokens),
        max_tokens=_number(body.max_tokens),
    )


def _refusal(fields: _Line, line: Raw, code: str, reason: str) -> Refusal:
    return Refusal(code, reason, fields.custom_id or NULL, line)


def _faults(fields: _Line, line: Raw) -> Iterator[tuple[str, str]]:
    """(code, reason) of all that is wrong with a JSON object, the most telling first."""
    if name := twice(line, _KEYS):
        yield said("duplicate_key", name=name)
    if not fields.url and not fields.body and (kind := _shape(fields)):
        yield said("not_a_request", kind=kind.name, mend=kind.mend)
    for name in _REQUIRED:
        if not getattr(fields, name):
            yield said("missing_required_parameter", name=name)
    if (_text(fields.method) or "").upper() != "POST":
        yield said("invalid_method")
    endpoint = limits.ENDPOINTS.get(_text(fields.url) or "")
    if endpoint is None:
        yield said("invalid_url", url=_quote(fields.url), accepted=", ".join(limits.ENDPOINTS))
    if endpoint is None or not _is_object(fields.body):
        yield said("invalid_request.body")
        return
    yield from _faults_of_body(fields.body, endpoint)


def _faults_of_body(text: Raw, endpoint: limits.Endpoint) -> Iterator[tuple[str, str]]:
    if name := twice(text, _BODY_KEYS):
        yield said("duplicate_key", name=f"body.{name}")
    body = _BODY.decode(text)
    if not is_model(_text(body.model) or ""):
        yield said("invalid_request.model", most=limits.MODEL_CHARACTERS)
    if endpoint.prompt and is_nothing(getattr(body, endpoint.prompt)):
        yield said("invalid_request.prompt", name=endpoint.prompt.capitalize(), key=endpoint.prompt)
    if body.stream not in _OFF:
        yield said("streaming_unsupported")
    if body.background not in _OFF:
        yield said("invalid_request.background")


def _shape(fields: _Line) -> Kind | None:
    return next((kind for name, kind in SHAPES.items() if not is_nothing(getattr(fields, name))), None)


def _is_object(value: Raw) -> bool:
    return bytes(memoryview(value)[:1]) == b"{"


def _text(value: Raw) -> str | None:
    is_text = bytes(memoryview(value)[:1]) == b'"'
    return msgspec.json.decode(value, type=str) if is_text else None


def _number(value: Raw) -> int | None:
    """A number of at most four digits, as dimensions are; None for all else."""
    text = bytes(memoryview(value)[:5])
    return int(text) if text.isdigit() and len(text) < 5 else None  # noqa: PLR2004 - more than four


def _quote(value: Raw) -> str:
    start = bytes(memoryview(value)[: 4 * _QUOTED]).decode(errors="ignore")
    return start if len(start) <= _QUOTED else start[:_QUOTED] + "..."

"""How long the answers to a job's requests may get, as their bodies say: what a job may cost at the most hangs on it.

Read beside the judging, and apart from it: a job with a cap is read line by line, any other by one line in a window.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.core import limits
from batchdrop.core.lines import TooLong, Window
from batchdrop.core.pricing import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchdrop.core.model import Batch

_MOST_TOKENS, _MOST_ANSWERS = 100_000_000, 10_000  #: above these a number is no limit but a slip


class _Body(msgspec.Struct, gc=False):
    model: Any = None
    max_output_tokens: Any = None
    max_completion_tokens: Any = None
    max_tokens: Any = None
    n: Any = None
    best_of: Any = None


class _Line(msgspec.Struct, gc=False):
    url: Any = None
    body: _Body | None = None
    request: _Line | None = None  #: of a line of our errors file


#: ``url`` and the body's ``model``, limits and numbers of answers.
_Kind = tuple[Any, ...]

_LINE = msgspec.json.Decoder(_Line)
_kind = attrgetter("url", *(f"body.{name}" for name in _Body.__struct_fields__))


class Meter:
    """Takes the input's windows in order. ``every_line``: else the first line stands for those that come with it."""

    def __init__(self, *, every_line: bool) -> None:
        self._every_line = every_line
        self._read: dict[str, list[int]] = defaultdict(_nothing)

    def take(self, piece: Window | TooLong, start: int, end: int) -> int:
        """Read the piece's lines from byte ``start`` of the input up to ``end``; where the next ones begin."""
        if isinstance(piece, TooLong) or end <= start:
            return max(start, end)
        data = piece.data
        if (start, end) != (piece.offset, piece.end):
            data = data[start - piece.offset : end - piece.offset]
        rows = self._lines(data)
        try:
            kinds = Counter(map(_kind, rows))
        except (AttributeError, TypeError):  # a line without a body, or a value that is neither a number nor a text
            for kind in filter(None, map(_any_kind, rows)):
                self._add(kind, 1)
        else:
            for kind, lines in kinds.items():
                self._add(kind, lines)
        return end

    def _lines(self, data: bytes | bytearray) -> list[_Line]:
        if not self._every_line:
            line = _decoded(data[: data.find(b"\n") + 1 or len(data)])
            return [line] if line else []
        try:
            return _LINE.decode_lines(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [*filter(None, map(_decoded, data.split(b"\n")))]

    def _add(self, kind: _Kind, lines: int) -> None:
        url, model, *said = kind
        endpoint = limits.ENDPOINTS.get(url) if isinstance(url, str) else None
        if endpoint and isinstance(model, str):
            tokens, is_assumed = _bound(endpoint, *said)
            sums = self._read[model]
            sums[0] += lines
            sums[1] += lines * tokens
            sums[2] += lines * is_assumed

    def drain(self, batches: Iterable[Batch]) -> dict[str, Estimate]:
        """What was read since the last call, of the models of ``batches``, with their requests and their input."""
        read, self._read = self._read, defaultdict(_nothing)
        found: dict[str, Estimate] = defaultdict(Estimate)
        for batch in batches:
            found[batch.model] += Estimate(requests=batch.requests, input_tokens=batch.estimated_tokens)
            if batch.model not in read:
                found[batch.model] += _assumed(batch)
        for model, (requests, tokens, unlimited) in read.items():
            if model in found:
                found[model] += Estimate(read=requests, output_tokens=tokens, unlimited=unlimited)
        return dict(found)


def added(known: Mapping[str, Estimate], more: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return dict(known) | {model: known.get(model, Estimate()) + estimate for model, estimate in more.items()}


def _decoded(text: bytes | bytearray) -> _Line | None:
    """None for what is no request anyway: it is judged elsewhere."""
    try:
        return _LINE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _nothing() -> list[int]:
    """Requests read, tokens of their answers, those without a limit."""
    return [0, 0, 0]


def _assumed(batch: Batch) -> Estimate:
    """Of a batch none of whose requests was read."""
    each = limits.ENDPOINTS[batch.endpoint].answer_tokens
    return Estimate(read=batch.requests, output_tokens=each * batch.requests, unlimited=batch.requests if each else 0)


def _any_kind(line: _Line) -> _Kind | None:
    request = line if line.body else line.request
    return _kind(request) if request and request.body else None


def _bound(
    endpoint: limits.Endpoint, output: object, completion: object, tokens: object, n: object, best_of: object
) -> tuple[int, bool]:
    """The most tokens that an answer holds, and whether that is an assumption."""
    if not endpoint.answer_tokens:
        return 0, False
    each = next(filter(None, (_number(limit, _MOST_TOKENS) for limit in (output, completion, tokens))), None)
    answers = max(_number(n, _MOST_ANSWERS) or 1, _number(best_of, _MOST_ANSWERS) or 1)
    return (each or endpoint.answer_tokens) * answers, not each


def _number(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None

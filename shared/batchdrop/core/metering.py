"""How long the answers to a job's requests may get, as their bodies say: what a job may cost at the most hangs on it.

Read beside the judging, and apart from it: a job with a cap is read line by line, any other by one line in a window.
"""

from __future__ import annotations

from collections import defaultdict
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


_LINE = msgspec.json.Decoder(_Line)


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
        for line in self._lines(data):
            self._add(line)
        return end

    def _lines(self, data: bytes | bytearray) -> Iterable[_Line]:
        if not self._every_line:
            line = _decoded(data[: data.find(b"\n") + 1 or len(data)])
            return [line] if line else []
        try:
            return _LINE.decode_lines(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return filter(None, map(_decoded, data.split(b"\n")))

    def _add(self, line: _Line) -> None:
        line = line.request if line.request and not line.body else line
        endpoint = limits.ENDPOINTS.get(line.url) if isinstance(line.url, str) else None
        if endpoint and line.body and isinstance(line.body.model, str):
            tokens, unlimited = _bound(endpoint, line.body)
            sums = self._read[line.body.model]
            sums[0] += 1
            sums[1] += tokens
            sums[2] += unlimited

    def drain(self, batches: Iterable[Batch]) -> dict[str, Estimate]:
        """What was read since the last call, of the models of ``batches``, with their requests and their input."""
        found: dict[str, Estimate] = {}
        for batch in batches:
            own = Estimate(requests=batch.requests, input_tokens=batch.estimated_tokens)
            found[batch.model] = found.get(batch.model, Estimate()) + own
        sums, self._read = self._read, defaultdict(_nothing)
        for model, (read, tokens, unlimited) in sums.items():
            if model in found:
                found[model] += Estimate(read=read, output_tokens=tokens, unlimited=unlimited)
        return found


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


def _bound(endpoint: limits.Endpoint, body: _Body) -> tuple[int, bool]:
    """The most tokens that an answer holds, and whether that is an assumption."""
    if not endpoint.answer_tokens:
        return 0, False
    named = (_number(limit, _MOST_TOKENS) for limit in (body.max_output_tokens, body.max_completion_tokens))
    each = next(filter(None, named), None) or _number(body.max_tokens, _MOST_TOKENS)
    answers = max(_number(body.n, _MOST_ANSWERS) or 1, _number(body.best_of, _MOST_ANSWERS) or 1)
    return (each or endpoint.answer_tokens) * answers, not each


def _number(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None

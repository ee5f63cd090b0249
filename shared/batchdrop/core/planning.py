"""Cutting a file into chunks, and each chunk into batches: greedy, in one pass, line by line or window by window.

Where a cut falls depends on the lines alone, never on how they came in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import limits
from batchdrop.core.ids import can_be_kept
from batchdrop.core.judging import judge, too_large
from batchdrop.core.lines import Line, TooLong, Window, is_blank, lines, parts
from batchdrop.core.request import Pair, Refusal, Request, Weight
from batchdrop.core.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

REWRITE_BYTES = 64  #: what writing a line anew with an id of ours may add to it


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold, as the stack's parameters say."""

    requests: int = limits.REQUESTS_PER_BATCH
    bytes: int = limits.BYTES_PER_CHUNK


@dataclass(slots=True)
class Load:
    """One batch in the making. Its byte range is of use where its lines follow each other."""

    first_byte: int
    end_byte: int
    requests: int = 0
    bytes: int = 0
    inputs: int = 0
    answer_bytes: int = 0

    def has_room(self, weight: Weight, limit: Limits) -> bool:
        return (
            self.requests + weight.requests <= limit.requests
            and self.bytes + weight.bytes <= limit.bytes
            and self.inputs + weight.inputs <= limits.EMBEDDING_INPUTS_PER_BATCH
            and self.answer_bytes + weight.answer_bytes <= limits.PROJECTED_BYTES_PER_BATCH
        )

    def add(self, weight: Weight, end: int) -> None:
        self.requests += weight.requests
        self.bytes += weight.bytes
        self.inputs += weight.inputs
        self.answer_bytes += weight.answer_bytes
        self.end_byte = end


@dataclass(slots=True)
class Cut:
    """One chunk: which bytes and lines it spans, and the batches of each pair, in order of their first line.

    ``lines`` is the number of the last line; ``requests`` counts lines that are not blank, ``invalid`` those of them
    that are refused; ``plain``: the batches can be ranges of the input as it is. ``head``: the start of the one line
    that is too long to be read.
    """

    first_byte: int
    end_byte: int
    first_line: int
    lines: int
    requests: int = 0
    invalid: int = 0
    mapped: int = 0
    plain: bool = True
    loads: dict[Pair, list[Load]] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    head: bytes | None = None
    answer_bytes: int = 0
    ids: set[str] = field(default_factory=set)

    @property
    def batches(self) -> int:
        return sum(map(len, self.loads.values()))

    def weigh(self, request: Request, size: int) -> tuple[Weight, bool]:
        """What the request costs here, and whether its own id goes out: in another chunk it may."""
        kept = can_be_kept(request.custom_id) and request.custom_id not in self.ids
        size += 1 if kept and not request.rewrite and request.text is None else 1 + REWRITE_BYTES
        return Weight(1, size, request.inputs, request.answer_bytes), kept

    def reaches(self, requests: int, end: int) -> bool:
        """Whether lines up to ``end`` fit, whatever they are."""
        if self.requests + requests > limits.REQUESTS_PER_CHUNK:
            return False
        return end - self.first_byte <= limits.BYTES_PER_CHUNK

    def has_room(self, pair: Pair, weight: Weight, limit: Limits) -> bool:
        if self.answer_bytes + weight.answer_bytes > limits.PROJECTED_BYTES_PER_CHUNK:
            return False
        loads = self.loads.get(pair)
        if loads is None:
            return len(self.loads) < limits.PAIRS_PER_CHUNK and self.batches < limits.BATCHES_PER_CHUNK
        return loads[-1].has_room(weight, limit) or self.batches < limits.BATCHES_PER_CHUNK

    def has_room_for_all(self, found: Survey, end: int, limit: Limits) -> bool:
        """Whether many lines fit, and a pair that has a batch needs no other on the way."""
        if not self.reaches(found.requests, end) or not self.ids.isdisjoint(found.ids):
            return False
        new = len(found.weights.keys() - self.loads.keys())
        answers = sum(weight.answer_bytes for weight in found.weights.values())
        return (
            self.answer_bytes + answers <= limits.PROJECTED_BYTES_PER_CHUNK
            and len(self.loads) + new <= limits.PAIRS_PER_CHUNK
            and self.batches + new <= limits.BATCHES_PER_CHUNK
            and all(self._last(pair).has_room(weight, limit) for pair, weight in found.weights.items())
        )

    def _last(self, pair: Pair) -> Load:
        loads = self.loads.get(pair)
        return loads[-1] if loads else Load(0, 0)

    def take(self, pair: Pair, weight: Weight, start: int, end: int, limit: Limits) -> None:
        loads = self.loads.setdefault(pair, [])
        if not loads or not loads[-1].has_room(weight, limit):
            loads.append(Load(start, end))
        loads[-1].add(weight, end)
        self.answer_bytes += weight.answer_bytes
        self.plain = self.plain and len(self.loads) == 1

    def reach(self, requests: int, lines_: int, end: int) -> None:
        self.requests += requests
        self.lines = lines_
        self.end_byte = end


_SHOWN = 5  #: refused lines that a chunk names
_SURVEYED = 4 << 20  #: a window above this is one long line
_STEPS = (1 << 17, 1 << 14)  #: a window that cannot be taken whole is tried in parts of these sizes


class Cutter:
    """Takes windows in order, gives chunks as soon as they are full. ``lines`` counts the physical lines behind it."""

    def __init__(self, limit: Limits, *, lines: int = 0, steps: tuple[int, ...] = _STEPS) -> None:
        self.limit = limit
        self.lines = lines
        self._steps = steps
        self._open: Cut | None = None

    @property
    def needs_from(self) -> int | None:
        """The first byte that a chunk still to come may need again; None if there is none so far."""
        return self._open.first_byte if self._open else None

    def feed(self, piece: Window | TooLong) -> Iterator[Cut]:
        if isinstance(piece, TooLong):
            yield from self._alone(piece)
            return
        yield from self._window(piece, self._steps)
        if self._open and not self._open.reaches(0, piece.end):
            yield from self.finish()

    def finish(self) -> Iterator[Cut]:
        """The chunk that is open, if one is: the input is at its end."""
        if self._open:
            yield self._open
        self._open = None

    def _alone(self, piece: TooLong) -> Iterator[Cut]:
        yield from self.finish()
        self.lines += 1
        refused = [(self.lines, "line_too_long")]
        yield Cut(piece.offset, piece.end, self.lines, self.lines, 1, 1, plain=False, refused=refused, head=piece.head)

    def _window(self, window: Window, steps: tuple[int, ...]) -> Iterator[Cut]:
        size = len(window.data)
        if size <= _SURVEYED and self._absorb(window):
            return
        if steps and steps[0] < size <= _SURVEYED:
            for part in parts(window, steps[0]):
                yield from self._window(part, steps[1:])
        else:
            for line in lines(window):
                yield from self._line(line)

    def _absorb(self, window: Window) -> bool:
        """Take all lines of a window at once, if that comes to the same as one by one."""
        found = survey(window.data)
        cut = self._open or self._opened(window.offset)
        if found is None or not cut.has_room_for_all(found, window.end, self.limit):
            return False
        self._open = cut
        cut.plain = cut.plain and cut.lines in (0, self.lines) and not found.crlf
        self.lines += found.requests
        for pair, weight in found.weights.items():
            cut.take(pair, weight, window.offset, window.end, self.limit)
        cut.ids |= found.ids
        cut.reach(found.requests, self.lines, window.end)
        return True

    def _line(self, line: Line) -> Iterator[Cut]:
        self.lines += 1
        if is_blank(line.text):
            return
        verdict = judge(line.text)
        if self._open and not self._fits(self._open, verdict, line):
            yield from self.finish()
        cut = self._open = self._open or self._opened(line.start, self.lines)
        cut.plain = cut.plain and not line.crlf and cut.lines in (0, self.lines - 1)
        if isinstance(verdict, Request):
            verdict = self._take(cut, verdict, line)
        if isinstance(verdict, Refusal):
            _refuse(cut, self.lines, verdict)
        cut.reach(1, self.lines, line.end)

    def _opened(self, start: int, line: int = 0) -> Cut:
        return Cut(start, start, line or self.lines + 1, 0)

    def _fits(self, cut: Cut, verdict: Request | Refusal, line: Line) -> bool:
        if not cut.reaches(1, line.end):
            return False
        if isinstance(verdict, Refusal):
            return True
        weight, _ = cut.weigh(verdict, len(line.text))
        return weight.bytes > self.limit.bytes or cut.has_room(verdict.pair, weight, self.limit)

    def _take(self, cut: Cut, request: Request, line: Line) -> Request | Refusal:
        weight, kept = cut.weigh(request, len(line.text))
        if weight.bytes > self.limit.bytes:
            return too_large(self.limit.bytes)
        cut.take(request.pair, weight, line.start, line.end, self.limit)
        cut.mapped += not kept
        cut.plain = cut.plain and kept and not request.rewrite and request.text is None
        if kept:
            cut.ids.add(request.custom_id or "")
        return request


def _refuse(cut: Cut, line: int, refusal: Refusal) -> None:
    cut.invalid += 1
    cut.plain = False
    if len(cut.refused) < _SHOWN:
        cut.refused.append((line, refusal.code))


def estimated_tokens(requests: int, size: int) -> int:
    """Prompt tokens of a batch of ``size`` bytes, for the provider's limit on what is enqueued."""
    return max(requests, size // limits.BYTES_PER_TOKEN)

"""Cutting a file into chunks, and each chunk into batches: greedy, in one pass, line by line or window by window.

Where a cut falls depends on the lines alone, never on how they came in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core import limits
from batchdrop.core.cut import Cut, Limits
from batchdrop.core.judging import judge, too_large
from batchdrop.core.lines import Line, TooLong, Window, is_blank, lines, parts
from batchdrop.core.request import Refusal, Request
from batchdrop.core.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batchdrop.core.metering import Meter

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
        yield Cut(piece.offset, piece.end, self.lines, self.lines, 1, 1, plain=False, head=piece.head)

    def _window(self, window: Window, steps: tuple[int, ...]) -> Iterator[Cut]:
        size = len(window.data)
        if is_blank(window.data):
            self.lines += window.data.count(b"\n") + (not window.data.endswith(b"\n"))
            return
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
            cut.invalid += 1
            cut.plain = False
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


def cuts(
    pieces: Iterable[Window | TooLong], cutter: Cutter, meter: Meter, forget: Callable[[int | None], None]
) -> Iterator[Cut]:
    """The chunks of an input, each as soon as it is full and metered.

    ``forget`` is told, after each piece, the first byte that a chunk to come may need again.
    """
    for piece in pieces:
        at = piece.offset
        for cut in cutter.feed(piece):
            at = meter.take(piece, at, cut.end_byte)
            yield cut
        meter.take(piece, at, piece.end)
        forget(cutter.needs_from)
        del piece  # it may be one long line, and copying its chunk reads it once more
    yield from cutter.finish()


def estimated_tokens(requests: int, size: int) -> int:
    """Prompt tokens of a batch of ``size`` bytes, for the provider's limit on what is enqueued."""
    return max(requests, size // limits.BYTES_PER_TOKEN)

"""Cutting a stream of bytes into lines, on the newline alone, in flat memory.

U+2028, U+0085 and their kind stand raw in real requests: nothing here may use ``splitlines``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batchdrop.core import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOM = b"\xef\xbb\xbf"
HEAD_BYTES = 4_096  #: what is kept of a line that is too long to be kept
_SHORT = 65_536  #: a shorter cut line is joined with what follows it rather than handed on by itself


class Window(NamedTuple):
    """Whole lines, one after the other, as they stand in the input from byte ``offset`` on.

    Each ends with a newline, but for the input's very last one. Only one line may make it larger than a block.
    """

    offset: int
    data: bytes | bytearray

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


class TooLong(NamedTuple):
    """A line of more bytes than we take, passed over without being held. ``end`` is behind its newline."""

    offset: int
    end: int
    head: bytes


class Line(NamedTuple):
    """One physical line: ``text`` without newline and carriage return, from ``start`` to behind its newline."""

    text: bytes | bytearray
    start: int
    end: int
    crlf: bool


def windows(blocks: Iterable[bytes], *, offset: int = 0, cap: int = limits.LINE_BYTES) -> Iterator[Window | TooLong]:
    """Cut a stream that starts at byte ``offset`` of the input. A BOM at the input's start is left out."""
    for piece in _capped(blocks, offset, cap):
        if piece.offset == 0 and isinstance(piece, Window) and piece.data.startswith(BOM):
            yield Window(len(BOM), _without_bom(piece.data))
        else:
            yield piece


def lines(window: Window) -> Iterator[Line]:
    """Its lines one by one; a window of one line is not copied."""
    start, data = window
    if data.find(b"\n", 0, -1) < 0:
        yield _one_line(window)
        return
    texts = data.split(b"\n")
    if not texts[-1]:
        texts.pop()
    for text in texts:
        crlf = text.endswith(b"\r")
        end = min(start + len(text) + 1, window.end)
        yield Line(text[:-1] if crlf else text, start, end, crlf)
        start = end


def parts(window: Window, size: int) -> Iterator[Window]:
    """The window in pieces of whole lines, of about ``size`` bytes."""
    at, data = 0, window.data
    while at < len(data):
        end = end_of_lines(data, at, size)
        yield Window(window.offset + at, data[at:end])
        at = end


def end_of_lines(data: bytes | bytearray, at: int, size: int) -> int:
    """Where the last line ends that lies within ``size`` bytes from ``at`` on; if none does, where the first ends."""
    return data.rfind(b"\n", at, at + size) + 1 or data.find(b"\n", at + size) + 1 or len(data)


def is_blank(text: bytes | bytearray) -> bool:
    """Whether there is nothing but JSON's white space, line breaks among it."""
    return not text or (text.isspace() and not text.strip(b" \t\r\n"))


def _one_line(window: Window) -> Line:
    text, end = window.data, window.end
    if text.endswith(b"\n"):
        text = _cut(text)
    crlf = text.endswith(b"\r")
    return Line(_cut(text) if crlf else text, window.offset, end, crlf)


def _cut(text: bytes | bytearray) -> bytes | bytearray:
    if isinstance(text, bytes):
        return text[:-1]
    text.pop()  # in place: a long line must not be in memory twice
    return text


def _without_bom(data: bytes | bytearray) -> bytes | bytearray:
    if isinstance(data, bytes):
        return data[len(BOM) :]
    del data[: len(BOM)]
    return data


def _capped(blocks: Iterable[bytes], offset: int, cap: int) -> Iterator[Window | TooLong]:
    for piece in _pieces(blocks, offset, cap):
        if isinstance(piece, TooLong) or len(piece.data) <= cap:
            yield piece
        else:
            yield from _one_by_one(piece, cap)


def _one_by_one(window: Window, cap: int) -> Iterator[Window | TooLong]:
    """The window's lines each by itself, so that which of them is too long never depends on the blocks."""
    start, data = window
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        size = end - at - data.endswith(b"\n", at, end)
        if size > cap:
            yield TooLong(start + at, start + end, bytes(data[at : at + min(size, HEAD_BYTES)]))
        else:
            yield Window(start + at, data if size + 1 >= len(data) else data[at:end])
        at = end


def _pieces(blocks: Iterable[bytes], offset: int, cap: int) -> Iterator[Window | TooLong]:
    held = bytearray()  # the start of a line whose newline has not come yet
    passed = 0  # bytes of it that were let go because it is too long
    for block in blocks:
        first = block.find(b"\n") + 1
        if not first:
            held += block
            if len(held) + passed > cap:
                passed = _let_go(held, passed)
            continue
        if passed:
            end = offset + len(held) + passed + first
            yield TooLong(offset, end, bytes(held))
        elif len(held) > _SHORT:
            held += block[:first]
            end = offset + len(held)
            yield Window(offset, held)
        else:
            first, end = 0, offset
        last = block.rfind(b"\n") + 1
        if last > first:
            data = block[first:last] if first else b"".join((held, memoryview(block)[:last]))
            yield Window(end, data)
            end += len(data)
        held, passed, offset = bytearray(block[last:]), 0, end
    if passed:
        yield TooLong(offset, offset + len(held) + passed, bytes(held))
    elif held:
        yield Window(offset, held)


def _let_go(held: bytearray, passed: int) -> int:
    passed += max(0, len(held) - HEAD_BYTES)
    del held[HEAD_BYTES:]
    return passed

"""What must be known of a line's bytes before a parser may see them."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from batchdrop.core import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BLOCK = 1 << 20
_BEYOND_ASCII = bytes(range(128, 256))
_PLAIN = bytes(set(range(128)) - set(b"{}[],:\r\n"))  #: what says nothing of a line's structure
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TEXTS = re.compile(_TEXT, re.DOTALL)
_TOKEN = re.compile(_TEXT + rb"|([{\[])|([}\]])", re.DOTALL)
_BRACKETS = b"{}[]"
_BUT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_ROUND = bytes.maketrans(_BRACKETS, b"()()")


def is_utf8(data: bytes | bytearray) -> bool:
    """In flat memory: a long text may take four times its bytes when decoded."""
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(data), _BLOCK):
            decoder.decode(view[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def is_deep(line: bytes | bytearray) -> bool:
    """Whether a line nests deeper than ``limits.LINE_DEPTH``: checked first, for parsers are recursive."""
    if line.count(b"{") + line.count(b"[") <= limits.LINE_DEPTH:
        return False
    return not (len(line) <= _BLOCK and _unfolds(line)) and _exceeds(line)


def _unfolds(line: bytes | bytearray) -> bool:
    """Whether nothing is left once the innermost brackets were taken away as often as they may nest. Takes memory."""
    brackets = _TEXTS.sub(b"", line).translate(_ROUND, _BUT_BRACKETS)
    for _ in range(limits.LINE_DEPTH):
        before, brackets = brackets, brackets.replace(b"()", b"")
        if len(before) == len(brackets):
            break
    return not brackets


def _exceeds(line: bytes | bytearray) -> bool:
    depth = 0
    for token in _TOKEN.finditer(line):
        depth += (token.lastindex == 1) - (token.lastindex == 2)  # noqa: PLR2004 - the group that closes
        if depth > limits.LINE_DEPTH:
            return True
    return False


class Flat(NamedTuple):
    """Lines of which every one is an object without line breaks, or no valid JSON, and none is deep.

    ``data`` without carriage returns, and whether there were any.
    """

    data: bytes | bytearray
    lines: int
    crlf: bool


def flat(data: bytes | bytearray) -> Flat | None:
    """What the lines are if they are flat, and UTF-8: looked at all at once, in one pass over their bytes.

    Within one JSON value, a comma, a colon or a bracket stands between any ``}`` and any later ``{``: where each
    newline stands right between the two once all else is taken away, no value spans two lines, and none is blank.
    """
    skeleton = data.translate(None, _PLAIN)
    if not skeleton.isascii():
        if not is_utf8(data):
            return None
        skeleton = skeleton.translate(None, _BEYOND_ASCII)
    if crlf := b"\r" in skeleton:
        data = data.replace(b"\r\n", b"\n")
        if b"\r" in data:
            return None
        skeleton = skeleton.replace(b"\r", b"")
    if not data.startswith(b"{") or not data.endswith((b"}\n", b"}")):
        return None
    shapes = skeleton.removesuffix(b"\n").split(b"\n")
    if skeleton.count(b"}\n{") != len(shapes) - 1:
        return None
    if max(map(len, shapes)) > limits.LINE_DEPTH and any(map(is_deep, _suspects(data, shapes))):
        return None
    return Flat(data, len(shapes), crlf)


def _suspects(data: bytes | bytearray, shapes: Iterable[bytes | bytearray]) -> Iterator[bytes | bytearray]:
    """Lines with more brackets than may nest, those in texts among them."""
    lines: Sequence[bytes | bytearray] = data.split(b"\n")
    for line, shape in zip(lines, shapes, strict=False):
        if len(shape) > limits.LINE_DEPTH < shape.count(b"{") + shape.count(b"["):
            yield line

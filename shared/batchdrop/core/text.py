"""What must be known of a line's bytes before a parser may see them."""

from __future__ import annotations

import codecs
import re

from batchdrop.core import limits

_BLOCK = 1 << 20
_STRUCTURE = b"{}[],:\n"
_BUT_STRUCTURE = bytes(set(range(256)) - set(_STRUCTURE))
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([{\[])|([}\]])', re.DOTALL)


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
    depth = 0
    for token in _TOKEN.finditer(line):
        depth += (token.lastindex == 1) - (token.lastindex == 2)  # noqa: PLR2004 - the group that closes
        if depth > limits.LINE_DEPTH:
            return True
    return False


def count_flat_lines(data: bytes | bytearray) -> int | None:
    """How many lines these are, if every one is an object without line breaks, or no valid JSON, and none is deep.

    Within one JSON value, a comma, a colon or a bracket stands between any ``}`` and any later ``{``: where each
    newline stands right between the two once all else is taken away, no value spans two lines, and none is blank.
    """
    if not data.startswith(b"{") or not data.endswith((b"}\n", b"}")):
        return None
    skeleton = data.translate(None, _BUT_STRUCTURE)
    shapes = skeleton.split(b"\n")
    if not shapes[-1]:
        shapes.pop()
    if skeleton.count(b"}\n{") != len(shapes) - 1 or any(map(_may_be_deep, shapes)):
        return None
    return len(shapes)


def _may_be_deep(shape: bytes | bytearray) -> bool:
    return len(shape) > limits.LINE_DEPTH and shape.count(b"{") + shape.count(b"[") > limits.LINE_DEPTH

"""What must be known of a line's bytes before a parser may see them."""

from __future__ import annotations

import codecs
import math
import re
from typing import TYPE_CHECKING

import msgspec

from batchdrop.core import limits
from batchdrop.core.lines import end_of_lines

if TYPE_CHECKING:
    from collections.abc import Collection

    from msgspec import Raw

_BLOCK = 1 << 20
#: Bytes whose brackets are counted together, to begin with and at the most.
_PART, _LARGEST_PART = 1 << 14, 1 << 16
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TEXTS = re.compile(_TEXT, re.DOTALL)
_TOKEN = re.compile(_TEXT + rb"|([{\[])|([}\]])", re.DOTALL)
_MEMBER = re.compile(rb"(" + _TEXT + rb")[ \t\r\n]*+:|" + _TOKEN.pattern, re.DOTALL)
#: Bytes from one sample to the next, wide first: lists of numbers and hexadecimals fail at the second. Primes, since
#: what is sampled may repeat itself.
_SAMPLES = tuple((step, re.compile(rb"\d{%d}" % (limits.NUMBER_DIGITS // step))) for step in (1_021, 61))
_LONG = re.compile(_TEXT + rb"|(\d{%d})" % (limits.NUMBER_DIGITS + 1), re.DOTALL)
#: What may be more than a double holds; an integer is exact, whatever its digits.
_NUMBER = re.compile(_TEXT + rb"|(\d++(?:\.\d++)?[eE]\+?\d++|\d{309,}+\.\d++)", re.DOTALL)
#: An escape; half a character, by itself, is group 1.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
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


def with_whole_characters(text: bytes) -> bytes:
    """JSON whose texts hold no half of a character and nothing that is not UTF-8: each is a U+FFFD, as in browsers.

    Providers cut texts anywhere, and no encoder takes such a text again.
    """
    if not is_utf8(text):
        text = text.decode(errors="replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def is_deep(line: bytes | bytearray) -> bool:
    """Whether a line nests deeper than ``limits.LINE_DEPTH``: checked first, for parsers are recursive."""
    if _openings(line) <= limits.LINE_DEPTH:
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


def any_is_deep(data: bytes | bytearray) -> bool:
    """Whether one of many lines is deep: asked of several together, since most have few brackets. Each must be JSON."""
    at, size = 0, _PART
    while at < len(data):
        end = end_of_lines(data, at, size)
        part = data[at:end]
        openings = _openings(part)
        if openings > limits.LINE_DEPTH:
            if part.find(b"\n", 0, -1) >= 0:
                size //= 2
                continue
            if is_deep(part):
                return True
        elif openings < limits.LINE_DEPTH // 3:
            size = min(2 * size + 1, _LARGEST_PART)
        at = end
    return False


def _openings(text: bytes | bytearray) -> int:
    """How many ``[`` and ``{`` it has. ``count`` looks at each byte by itself and takes six times as long."""
    return 2 * len(text) - len(text.replace(b"[", b"")) - len(text.replace(b"{", b""))


def has_long_number(data: bytes | bytearray) -> bool:
    """Whether a number has more digits in a row than ``limits.NUMBER_DIGITS``. Each line must be JSON.

    Nobody means to write one, so that looking for it must cost nothing: where so many are digits, samples are too.
    """
    if not all(digits.search(data[::step]) for step, digits in _SAMPLES):
        return False
    return any(token.lastindex for token in _LONG.finditer(data))


def has_number_beyond_double(line: bytes) -> bool:
    """Whether there is a number such as ``1e400``. The line must be JSON. In flat memory, as a line may be long.

    It takes ten times as long as to judge the line: this is for lines that are under suspicion.
    """
    return any(token.lastindex and math.isinf(float(token[1])) for token in _NUMBER.finditer(line))


def twice(text: bytes | bytearray | Raw, names: Collection[str]) -> str | None:
    """The first of ``names`` that is a key of the JSON object ``text`` itself a second time: parsers see the last."""
    depth = 0
    seen = set()
    for member in _MEMBER.finditer(text):
        key, opening, closing = member.groups()
        depth += bool(opening) - bool(closing)
        if not key or depth != 1:
            continue
        name = _unquoted(key)
        if name in seen:
            return name
        if name in names:
            seen.add(name)
    return None


def _unquoted(key: bytes) -> str:
    if b"\\" not in key:
        return key[1:-1].decode()
    try:
        return msgspec.json.decode(key, type=str)
    except msgspec.DecodeError:  # half a character
        return ""

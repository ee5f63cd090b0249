"""Inputs of any size that are nowhere: every byte is made when it is read, the same each time."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

_MIB = 2**20
_DIGITS = 10
_HEAD = bytes.fromhex("1f8b08000000000000ff")  #: a gzip member's, without a name
_BLOCK, _FRAME, _TRAILER = 60_000, 5, 8  #: bytes of a stored block, of what stands before it, and at the end
#: Every so many lines of a mixed file, one is no JSON.
BROKEN_EVERY = 10_007
MODELS = ("gpt-5-mini", "gpt-5-nano")


class Content(Protocol):
    """What an object holds."""

    @property
    def size(self) -> int: ...

    def read(self, first: int, size: int) -> bytes | bytearray:
        """At most ``size`` bytes from byte ``first`` on, and at least one before the end."""
        ...


@dataclass(frozen=True)
class Lines:
    """So many requests of ``width`` bytes each. ``mixed``: of two models in turn, and now and then no JSON.

    ``embeds``: for embeddings, whose answers are far larger than they are.
    """

    count: int
    width: int = 3_000
    mixed: bool = False
    embeds: bool = False

    @property
    def size(self) -> int:
        return self.count * self.width

    def read(self, first: int, size: int) -> bytearray:
        line, skipped = divmod(first, self.width)
        end = min(self.count, line + _MIB // self.width + 1)
        made = self._lines(line, end)
        return made[skipped : skipped + size]

    def _lines(self, first: int, end: int) -> bytearray:
        made = bytearray(self._template * (end - first))
        for place, number in enumerate(range(first + 1, end + 1)):
            start = place * self.width
            made[start + self._id_at : start + self._id_at + _DIGITS] = b"%010d" % number
            if self.mixed:
                model = MODELS[number % 2].encode()
                made[start + self._model_at : start + self._model_at + len(model)] = model
            if self.is_broken(number):
                made[start + self.width - 2] = ord(" ")
        return made

    def is_broken(self, number: int) -> bool:
        """Whether line ``number``, from 1, is no request."""
        return self.mixed and number % BROKEN_EVERY == 0

    @cached_property
    def _template(self) -> bytes:
        make = _embedding if self.embeds else _chat
        return make("x" * (self.width - len(make(""))))

    @cached_property
    def _id_at(self) -> int:
        return self._template.index(b"0" * _DIGITS)

    @cached_property
    def _model_at(self) -> int:
        return self._template.index(MODELS[0].encode())


def _chat(text: str) -> bytes:
    return _request("/v1/chat/completions", {"model": MODELS[0], "messages": [{"role": "user", "content": text}]})


def _embedding(text: str) -> bytes:
    return _request("/v1/embeddings", {"model": "text-embedding-3-large", "input": text})


def _request(url: str, body: dict[str, object]) -> bytes:
    line = {"custom_id": "r-" + "0" * _DIGITS, "method": "POST", "url": url, "body": body}
    return json.dumps(line).encode() + b"\n"


@dataclass(frozen=True)
class OneLine:
    """A single line without a newline."""

    size: int

    def read(self, first: int, size: int) -> bytes:
        start = b'{"custom_id": "long", "text": "'[first : first + size]
        return start or b"x" * min(size, _MIB, self.size - first)


@dataclass(frozen=True)
class Stored:
    """Bytes that are held."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, first: int, size: int) -> bytes:
        return self.data[first : first + size]


def bomb(unpacked: int) -> Stored:
    """A gzip file of one line of spaces: about a thousandth of what it unpacks to."""
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * _MIB
    packed = [packer.compress(block) for _ in range(unpacked // _MIB)]
    return Stored(b"".join([*packed, packer.flush()]))


@dataclass(frozen=True)
class Packed:
    """Gzip of ``lines`` that is not compressed: as cheap to make from any byte on as they are."""

    lines: Lines

    @property
    def size(self) -> int:
        return len(_HEAD) + self._blocks * _FRAME + self.lines.size + _TRAILER

    def read(self, first: int, size: int) -> bytes | bytearray:
        end = len(_HEAD) + self._blocks * _FRAME + self.lines.size
        if first < len(_HEAD):
            return _HEAD[first : first + size]
        if first >= end:
            return self._trailer[first - end :][:size]
        number, skipped = divmod(first - len(_HEAD), _FRAME + _BLOCK)
        count = min(max(1, size // _BLOCK), _MIB // _BLOCK, self._blocks - number)
        return b"".join(map(self._block, range(number, number + count)))[skipped : skipped + size]

    def _block(self, number: int) -> bytes:
        start = number * _BLOCK
        size = min(_BLOCK, self.lines.size - start)
        data = bytearray()
        while len(data) < size:
            data += self.lines.read(start + len(data), size - len(data))
        is_last = number == self._blocks - 1
        return struct.pack("<BHH", is_last, size, size ^ 0xFFFF) + bytes(data)

    @property
    def _blocks(self) -> int:
        return -(-self.lines.size // _BLOCK)

    @cached_property
    def _trailer(self) -> bytes:
        check, at = 0, 0
        while at < self.lines.size:
            block = self.lines.read(at, _MIB)
            check, at = zlib.crc32(block, check), at + len(block)
        return struct.pack("<II", check, self.lines.size % 2**32)

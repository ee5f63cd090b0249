"""Unpacking gzip as a stream, with its checks and a cap on what may come out."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from batchdrop.core import limits
from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


def inflate(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of one or more gzip members in blocks of at most 1 MiB.

    ``Rejected("corrupt_gzip")`` where it is damaged, cut short or followed by something else; a member's checksum is
    known only at its end, so act on nothing before the stream is through. ``Rejected("gzip_bomb")`` over the caps.
    """
    stream = _Stream()
    for block in blocks:
        yield from stream.feed(block)
    stream.finish()


class _Stream:
    def __init__(self) -> None:
        self.member: zlib._Decompress | None = zlib.decompressobj(_GZIP)
        self.pending = b""  # bytes behind a member: the next one's head, or padding
        self.read = 0
        self.made = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        self.read += len(block)
        data = self.pending + block
        self.pending = b""
        while data:
            if self.member is None and not (data := self._next_member(data)):
                return
            data = yield from self._unpack(data)

    def _next_member(self, data: bytes) -> bytes:
        """What is left to unpack. Tape blocks are padded with zeros; anything else between members is no gzip."""
        data = data.lstrip(b"\0")
        if len(data) < len(MAGIC):
            self.pending = data
            return b""
        if not data.startswith(MAGIC):
            raise _corrupt("something that is not gzip follows its end")
        self.member = zlib.decompressobj(_GZIP)
        return data

    def _unpack(self, data: bytes) -> Generator[bytes, None, bytes]:
        member = self.member
        assert member is not None  # noqa: S101 - feed() sees to it
        while not member.eof and data:
            try:
                out = member.decompress(data, _BLOCK)
            except zlib.error as error:
                raise _corrupt(str(error)) from None
            data = member.unconsumed_tail
            self._count(len(out))
            if out:
                yield out
        if member.eof:
            self.member = None
            return member.unused_data
        return b""

    def _count(self, size: int) -> None:
        self.made += size
        if self.made > limits.GZIP_BYTES:
            raise Rejected(*said("gzip_bomb.bytes", most=limits.GZIP_BYTES))
        if self.made > limits.GZIP_FREE_BYTES and self.made > limits.GZIP_RATIO * self.read:
            raise Rejected(*said("gzip_bomb.ratio", most=limits.GZIP_RATIO))

    def finish(self) -> None:
        if self.member is not None:
            raise _corrupt("it ends in the middle")
        if self.pending:
            raise _corrupt("something that is not gzip follows its end")


def _corrupt(detail: str) -> Rejected:
    return Rejected(*said("corrupt_gzip", detail=detail))

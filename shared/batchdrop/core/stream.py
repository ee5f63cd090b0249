"""A stream of bytes: its blocks, and the lines in them.

Lines end at a line feed alone: U+2028, U+0085 and their like stand raw in real results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 1 << 18  #: bytes that are read at once

# glibc gives memory back to the kernel as soon as more than 128 kB of it are free, and then each page of the next block
# faults: up to a fifth of the time that planning takes. As much as was freed in one piece it keeps (mallopt(3),
# M_MMAP_THRESHOLD); not a page of this piece is touched.
bytes(16 * BLOCK)


def blocks(read_some: Callable[[int], bytes]) -> Iterator[bytes]:
    """A stream's bytes to its end, in blocks of ``BLOCK`` or less."""
    return iter(lambda: read_some(BLOCK), b"")


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The non-empty lines, without their newline, however the stream is cut into pieces."""
    rest: list[bytes] = []
    for piece in pieces:
        *whole, tail = piece.split(b"\n")
        if whole:
            rest.append(whole[0])
            whole[0] = b"".join(rest)
            rest = []
            yield from filter(None, whole)
        if tail:
            rest.append(tail)
    if last := b"".join(rest):
        yield last


def packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of about ``BLOCK``: few large writes instead of many small ones."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)

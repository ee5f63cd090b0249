"""Objects as segments of files: copying a range costs nothing, and a file goes with its last reference."""

from __future__ import annotations

import itertools
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.size.sources import Content

_BLOCK = 2**20


class Body(Protocol):
    """What a request brings."""

    def read(self, size: int, /) -> bytes: ...


class File:
    """A file on disk; removed when nothing refers to it any more."""

    def __init__(self, folder: Path, source: Body, size: int) -> None:
        self._path = folder / uuid.uuid4().hex
        with self._path.open("wb") as file:
            while size and (block := source.read(min(size, _BLOCK))):
                size -= file.write(block)
            self.size = file.tell()
        self._descriptor = os.open(self._path, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)

    def read(self, first: int, size: int) -> bytes:
        return os.pread(self._descriptor, min(size, _BLOCK), first)


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of a content."""

    content: Content
    first: int
    size: int

    def blocks(self) -> Iterator[bytes | bytearray]:
        at, left = self.first, self.size
        while left:
            block = self.content.read(at, left)
            yield block
            at, left = at + len(block), left - len(block)


@dataclass(frozen=True, slots=True)
class Blob:
    """One object, or one part of an upload."""

    segments: tuple[Segment, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    tag: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    def range(self, first: int, end: int) -> tuple[Segment, ...]:
        """The segments that hold bytes ``first`` to ``end``."""
        starts = itertools.accumulate((segment.size for segment in self.segments), initial=0)
        found = []
        for start, segment in zip(starts, self.segments, strict=False):
            low, high = max(first, start), min(end, start + segment.size)
            if low < high:
                found.append(Segment(segment.content, segment.first + low - start, high - low))
        return tuple(found)


def of(content: Content, metadata: Mapping[str, str] | None = None) -> Blob:
    """The whole of it as an object."""
    segments = (Segment(content, 0, content.size),) if content.size else ()
    return Blob(segments, metadata or {})

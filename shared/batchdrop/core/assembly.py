"""How finished parts become one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MIB = 2**20
#: S3's limits for multipart uploads, docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read 2026-11-22.
SMALLEST_PART = 5 * MIB
LARGEST_PART = 5 * 1024 * MIB
MOST_PARTS = 9_000  #: of 10,000
MERGED = 100  #: neighbours that are merged into one, at least: each of these objects takes several calls of its own
#: Up to here an object is written in one go: quicker than an upload, and nothing to resume.
PLAIN_BYTES = 16 * MIB


@dataclass(frozen=True, slots=True)
class Span:
    """A byte range of an object in the output bucket."""

    key: str
    first_byte: int
    end_byte: int

    @property
    def bytes(self) -> int:
        return self.end_byte - self.first_byte


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the upload: a single span that S3 copies by itself, or small neighbours that go through us."""

    number: int
    spans: tuple[Span, ...]

    @property
    def bytes(self) -> int:
        return sum(span.bytes for span in self.spans)

    @property
    def is_copied(self) -> bool:
        return len(self.spans) == 1 and self.bytes >= SMALLEST_PART


def parts(spans: Iterable[Span]) -> list[Part]:
    """The parts of an upload that holds all spans in order.

    Every part but the last has at least 5 MiB, none more than 5 GiB. What goes through us is 5 MiB at a time: where a
    large span follows a small one, only its first bytes are taken, and the rest of it is copied.
    """
    return [Part(number, group) for number, group in enumerate(_grouped(spans), 1)]


def _grouped(spans: Iterable[Span]) -> Iterator[tuple[Span, ...]]:
    small: list[Span] = []
    held = 0
    for span in spans:
        rest = span
        if held:
            head, rest = _cut(span, SMALLEST_PART - held)
            small.append(head)
            held += head.bytes
            if held < SMALLEST_PART:
                continue
            yield tuple(small)
            small, held = [], 0
        while rest.bytes >= SMALLEST_PART:
            head, rest = _cut(rest, LARGEST_PART)
            yield (head,)
        if rest.bytes:
            small, held = [rest], rest.bytes
    if small:
        yield tuple(small)


def _cut(span: Span, size: int) -> tuple[Span, Span]:
    middle = min(span.first_byte + size, span.end_byte)
    return Span(span.key, span.first_byte, middle), Span(span.key, middle, span.end_byte)


def merged(spans: Sequence[Span]) -> list[Sequence[Span]]:
    """Runs of neighbours, few enough for one upload, to be made into one object each before the last step."""
    size = max(MERGED, -(-len(spans) // MOST_PARTS))
    return [spans[start : start + size] for start in range(0, len(spans), size)]

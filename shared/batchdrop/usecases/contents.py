"""Objects, and parts of them, as blocks of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core import stream
from batchdrop.core.model import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchdrop.ports import ObjectStore


def whole(objects: ObjectStore, bucket: str, key: str) -> Iterator[bytes] | None:
    """An object from its start to its end; None if it is not there."""
    info = objects.head(bucket, key)
    return None if info is None else part(objects, Source(bucket=bucket, key=key, first_byte=0, end_byte=info.bytes))


def part(objects: ObjectStore, source: Source) -> Iterator[bytes]:
    """A range of an object. S3 has no empty ranges: there is nothing to read then."""
    if source.first_byte < source.end_byte:
        with objects.open(source) as readable:
            yield from stream.blocks(readable.read)

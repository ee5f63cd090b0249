"""Batches made of a batch: parts of its byte range, and what goes again of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchdrop.core import naming, stream
from batchdrop.core.model import Batch, Item, Source
from batchdrop.core.states import BatchState
from batchdrop.usecases import contents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from batchdrop.ports import ObjectStore

#: Suffixes of the parts of a batch, in order; their number is what one split can make.
PARTS = "abcdefghijklmnopqrstuvwxyz"


def requests(objects: ObjectStore, batch: Batch) -> Iterator[bytes]:
    """The batch's request lines, without their newlines."""
    return stream.lines(contents.part(objects, batch.source))


def divided(objects: ObjectStore, batch: Batch, pieces: int, *, now: datetime, halvings: int = 0) -> list[Batch]:
    """The batch as so many ranges of the same source, alike in requests; at most 26, at most one for each request.

    Repeated, it gives the same batches.
    """
    pieces = min(pieces, len(PARTS), batch.requests)
    borders = [batch.requests * number // pieces for number in range(pieces + 1)]
    places = _places(objects, batch, borders)
    return [
        child(
            batch,
            PARTS[number],
            msgspec.structs.replace(batch.source, first_byte=places[number], end_byte=places[number + 1]),
            borders[number + 1] - borders[number],
            now=now,
            halvings=halvings,
        )
        for number in range(pieces)
    ]


def child(
    batch: Batch, suffix: str, source: Source, count: int, *, now: datetime, attempt: int = 0, halvings: int = 0
) -> Batch:
    """A batch of ``count`` of the requests of ``batch``, queued; attempt and halvings are its own unless given."""
    return Batch(
        job_id=batch.job_id,
        item=naming.batch_item(batch.chunk, f"{batch.name}.{suffix}"),
        state=BatchState.QUEUED,
        source=source,
        model=batch.model,
        endpoint=batch.endpoint,
        requests=count,
        estimated_tokens=max(count, -(-batch.estimated_tokens * _bytes(source) // _bytes(batch.source))),
        api=batch.api,
        completion_window=batch.completion_window,
        attempt=attempt or batch.attempt,
        halvings=halvings or batch.halvings,
        due=Item.OPEN,
        next_check_at=now,
    )


def _bytes(source: Source) -> int:
    return source.end_byte - source.first_byte


def _places(objects: ObjectStore, batch: Batch, borders: list[int]) -> list[int]:
    """Where in the object the requests with these ordinals begin; the last one is the end."""
    wanted, at = set(borders), batch.source.first_byte
    places = []
    for ordinal, line in enumerate(requests(objects, batch)):
        if ordinal in wanted:
            places.append(at)
        at += len(line) + 1
    return [*places, batch.source.end_byte]

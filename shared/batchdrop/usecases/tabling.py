"""From a cut to the items of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchdrop.core import metering, naming
from batchdrop.core.model import Batch, Chunk, Cursor, Item, Job, Source
from batchdrop.core.planning import estimated_tokens
from batchdrop.core.states import BatchState, ChunkState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batchdrop.core.cut import Cut, Load
    from batchdrop.core.pricing import Estimate
    from batchdrop.core.request import Pair
    from batchdrop.usecases.staging import Staged


def chunk(job: Job, number: int, cut: Cut, batches: int, *, is_staged: bool, now: datetime) -> Chunk:
    return Chunk(
        job_id=job.job_id,
        item=naming.chunk_item(number),
        state=ChunkState.OPEN,
        source=_range(job, cut.first_byte, cut.end_byte),
        first_line=cut.first_line,
        requests=cut.requests,
        invalid=cut.invalid,
        staged=is_staged,
        batches=batches,
        due=Item.OPEN,
        next_check_at=now,
    )


def untouched(job: Job, number: int, cut: Cut, now: datetime) -> list[Batch]:
    """The batches of a plain chunk: ranges of the user's object."""
    all_loads = [(pair, load) for pair, loads in cut.loads.items() for load in loads]
    return [
        _batch(job, naming.batch_item(number, naming.batch_number(ordinal)), pair, load, source, now)
        for ordinal, (pair, load) in enumerate(all_loads, 1)
        for source in [_range(job, load.first_byte, load.end_byte)]
    ]


def staged(job: Job, number: int, copies: list[Staged], now: datetime) -> list[Batch]:
    """The batches of a staged chunk: ranges of the copy."""
    return [
        _batch(job, naming.batch_item(number, naming.batch_number(ordinal)), copy.pair, copy.load, copy.source, now)
        for ordinal, copy in enumerate(copies, 1)
    ]


def counted(job: Job, cut: Cut, estimates: Mapping[str, Estimate]) -> Job:
    """The job with a chunk more. Its cursor stays as read: the ledger compares it."""
    counts = job.counts
    return replace(
        job,
        counts=replace(
            counts,
            requests=counts.requests + cut.requests,
            failed=counts.failed + cut.invalid,
            invalid=counts.invalid + cut.invalid,
        ),
        mapped_ids=job.mapped_ids + cut.mapped,
        chunks=job.chunks + 1,
        open_chunks=job.open_chunks + 1,
        estimates=metering.added(job.estimates, estimates),
    )


def cursor(job: Job, number: int, cut: Cut) -> Cursor:
    requests = job.cursor.requests + cut.requests
    return Cursor(offset=cut.end_byte, lines=cut.lines, requests=requests, chunks=number)


def _range(job: Job, first: int, end: int) -> Source:
    return Source(bucket=job.bucket, key=job.input_key, version_id=job.version_id, first_byte=first, end_byte=end)


def _batch(job: Job, item: str, pair: Pair, load: Load, source: Source, now: datetime) -> Batch:
    return Batch(
        job_id=job.job_id,
        item=item,
        state=BatchState.QUEUED,
        source=source,
        model=pair.model,
        endpoint=pair.endpoint,
        requests=load.requests,
        estimated_tokens=estimated_tokens(load.requests, source.end_byte - source.first_byte),
        api=job.options.api,
        completion_window=job.options.completion_window,
        due=Item.OPEN,
        next_check_at=now,
    )

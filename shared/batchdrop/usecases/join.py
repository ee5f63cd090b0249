"""Write a chunk's answers in the order of its input, once all its batches are done."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from batchdrop.core import lineage, naming, poison, stream, unanswered
from batchdrop.core.errors import BatchdropError, Rejected
from batchdrop.core.joining import Index, Joined, Joiner, own_id, selected, staged_id
from batchdrop.core.model import Batch, Chunk, Job
from batchdrop.core.states import BatchState, ChunkState, JobState
from batchdrop.ports import Clock, Deadline, Ledger, ObjectStore
from batchdrop.usecases import contents, pace
from batchdrop.usecases.resting import given_back


@dataclass(frozen=True)
class Join:
    """Safe to run any number of times, at once or after a crash: the parts are the same bytes each time.

    ``spool``: a directory for temporary files; a chunk needs the size of its answers there, and that of its requests
    if some failed. ``room``: bytes of answers to hold there at once, half of what is free if None; a chunk with more is
    joined window by window, and its answers are read once for each.
    """

    ledger: Ledger
    objects: ObjectStore
    clock: Clock
    output_bucket: str
    work_bucket: str
    spool: Path
    room: int | None = None

    def __call__(self, chunk: Chunk, deadline: Deadline) -> bool:
        """Whether the chunk is collected now; False too where a batch of it is still under way."""
        fresh, batches = self.ledger.chunk(chunk.job_id, chunk.number)
        job = self.ledger.job(chunk.job_id)  # after its batches: it then says why any of them was dropped
        if job is None or job.state is not JobState.RUNNING or not _is_joinable(job, fresh, batches):
            return False
        now = self.clock.now()
        mine = self.ledger.claim_chunk(fresh or chunk, lease=pace.lease(now, deadline), now=now)
        if mine is None:
            return False
        try:
            if poison.is_parked(mine):
                self.ledger.postpone(mine, check_at=now + pace.PARKED)
            done = self._join(job, mine, batches)
        except BatchdropError as trouble:
            self._rest(mine, pace.again(self.clock.now(), trouble), str(trouble)[:500])
            raise
        if not done:
            self._rest(mine, self.clock.now() + pace.REST, mine.reason)
        return done

    def _rest(self, chunk: Chunk, check_at: datetime, reason: str | None) -> None:
        given_back(partial(self.ledger.rest_chunk, chunk, check_at=check_at, reason=reason))

    def _join(self, job: Job, chunk: Chunk, batches: list[Batch]) -> bool:
        """A chunk that crashes whoever joins it is joined without its answers: they are left where they are."""
        given_up = self._where_its_answers_are(chunk) if poison.is_poisoned(chunk) else None
        fetched = [batch for batch in batches if batch.state is BatchState.FETCHED]
        with ExitStack() as stack:
            gathered, failures = _temporary(self.spool, stack), _temporary(self.spool, stack)
            why = (poison.QUARANTINED, given_up) if given_up else unanswered.why(job, batches)
            joiner = Joiner(Index(), partial(_read_at, gathered.fileno()), why)
            results = _Count()
            joined = self._windows(chunk, [] if given_up else fetched, joiner, gathered, _Staged(self, chunk, stack))
            self._write(job, chunk, "results", results.of(_results(joined, failures)))
            errors_bytes = failures.tell()
            if results.lines != chunk.requests:
                raise ValueError(f"{chunk.key} has {chunk.requests} requests, {results.lines} were found")
            if errors_bytes:
                failures.seek(0)
                self._write(job, chunk, "errors", stream.blocks(failures.read))
        counted = unanswered.counts(batches, joiner.unanswered, given_up=given_up is not None)
        return self.ledger.collect_chunk(
            chunk, results_bytes=results.bytes, errors_bytes=errors_bytes, counted=counted, reason=given_up
        )

    def _where_its_answers_are(self, chunk: Chunk) -> str:
        folder = naming.chunk_prefix(chunk.job_id, chunk.number)
        where = f"what was fetched for it is in s3://{self.work_bucket}/{folder}"
        return f"{poison.QUARANTINED}: Joining these lines crashed {poison.CRASHES} times; {where}"

    def _windows(
        self, chunk: Chunk, batches: list[Batch], joiner: Joiner, gathered: IO[bytes], staged: _Staged
    ) -> Iterator[Joined]:
        """Join so many lines at a time that their answers have room."""
        keys = [
            naming.answers_key(batch.job_id, batch.chunk, batch.name)
            for batch in batches
            if batch.completed + batch.failed
        ]
        windows = self._count(keys)
        size = max(1, -(-chunk.requests // windows))
        ids = list(self._ids(chunk)) if windows > 1 else None
        rows = self._rows(chunk)
        for first in range(0, chunk.requests, size):
            wanted = None if ids is None else frozenset(ids[first : first + size])
            joiner.turn_to(self._gather(keys, gathered, wanted))
            some = islice(rows, size)
            line = chunk.first_line + first
            yield from joiner.staged(some, staged.read) if chunk.staged else joiner.clean(some, line)
        yield from joiner.staged(rows, staged.read) if chunk.staged else joiner.clean(rows, chunk.first_line)

    def _count(self, keys: list[str]) -> int:
        """How many windows the answers take."""
        room = shutil.disk_usage(self.spool).free // 2 if self.room is None else self.room
        infos = (self.objects.head(self.work_bucket, key) for key in keys)
        return max(1, -(-sum(info.bytes for info in infos if info) // max(1, room)))

    def _gather(self, keys: list[str], into: IO[bytes], wanted: frozenset[str] | None) -> Index:
        """The final records of the chunk in one file, all or those of the ``wanted`` ids, and where each stands."""
        into.seek(0)
        into.truncate()
        index = Index()
        for key in keys:
            blocks = self.whole(key)
            index.add(stream.lines(_copied(blocks if wanted is None else selected(blocks, wanted), into)))
        into.flush()
        return index

    def _rows(self, chunk: Chunk) -> Iterator[bytes]:
        """A line for each request: the manifest's where the chunk is staged, else the user's own."""
        if chunk.staged:
            return stream.lines(self.whole(naming.manifest_key(chunk.job_id, chunk.number)))
        return stream.lines(contents.part(self.objects, chunk.source))

    def _ids(self, chunk: Chunk) -> Iterator[str]:
        """The id that each of the rows goes under; empty for a line that was refused."""
        return map(staged_id if chunk.staged else own_id, self._rows(chunk))

    def _write(self, job: Job, chunk: Chunk, kind: str, blocks: Iterator[bytes]) -> None:
        key = naming.part_key(job.stem, job.job_id, chunk.number, kind)
        self.objects.write(self.output_bucket, key, blocks)

    def whole(self, key: str) -> Iterator[bytes]:
        """The bytes of an object of the work bucket; ``Rejected("object_gone")`` if it is not there."""
        blocks = contents.whole(self.objects, self.work_bucket, key)
        if blocks is None:
            raise Rejected("object_gone", f"s3://{self.work_bucket}/{key} is not there: who deleted it?")
        return blocks


class _Staged:
    """The staged requests of a chunk, brought here when the first failure asks for one."""

    def __init__(self, join: Join, chunk: Chunk, stack: ExitStack) -> None:
        self._join = join
        self._key = naming.staged_key(chunk.job_id, chunk.number)
        self._stack = stack
        self._file: IO[bytes] | None = None

    def read(self, first_byte: int, length: int) -> bytes:
        if self._file is None:
            self._file = _temporary(self._join.spool, self._stack)
            self._file.writelines(self._join.whole(self._key))
            self._file.flush()
        return _read_at(self._file.fileno(), first_byte, length)


class _Count:
    """Counts the lines and bytes that go through."""

    def __init__(self) -> None:
        self.lines = 0
        self.bytes = 0

    def of(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for block in stream.packed(lines):
            self.lines += block.count(b"\n")
            self.bytes += len(block)
            yield block


def _results(joined: Iterator[Joined], failures: IO[bytes]) -> Iterator[bytes]:
    for result, error in joined:
        if error is not None:
            failures.write(error)
        yield result


def _temporary(directory: Path, stack: ExitStack) -> IO[bytes]:
    return stack.enter_context(tempfile.TemporaryFile(dir=directory))


def _copied(blocks: Iterator[bytes], into: IO[bytes]) -> Iterator[bytes]:
    for block in blocks:
        into.write(block)
        yield block


def _read_at(descriptor: int, first_byte: int, length: int) -> bytes:
    return os.pread(descriptor, length, first_byte)


def _is_joinable(job: Job, chunk: Chunk | None, batches: list[Batch]) -> bool:
    return chunk is not None and chunk.state is ChunkState.OPEN and lineage.is_complete(job, batches)

"""Write a chunk's answers in the order of its input, once all its batches are done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from batchdrop.core import answers, naming
from batchdrop.core.errors import Rejected
from batchdrop.core.joining import Index, Joined, Joiner
from batchdrop.core.lifecycle import FINAL
from batchdrop.core.model import Batch, BatchState, Chunk, ChunkState, Job, JobState, Source
from batchdrop.ports import Clock, Deadline, Ledger, ObjectStore
from batchdrop.usecases import pace


@dataclass(frozen=True)
class Join:
    """Safe to run any number of times, at once or after a crash: the parts are the same bytes each time.

    ``spool``: a directory for temporary files; a chunk needs the size of its answers there, and that of its requests
    if some failed.
    """

    ledger: Ledger
    objects: ObjectStore
    clock: Clock
    output_bucket: str
    work_bucket: str
    spool: Path

    def __call__(self, chunk: Chunk, deadline: Deadline) -> bool:
        """Whether the chunk is collected now; False too where a batch of it is still under way."""
        job = self.ledger.job(chunk.job_id)
        fresh, batches = self.ledger.chunk(chunk.job_id, chunk.number)
        if job is None or job.state is not JobState.RUNNING or not _is_complete(fresh, batches):
            return False
        now = self.clock.now()
        mine = self.ledger.claim_chunk(fresh or chunk, lease=pace.lease(now, deadline), now=now)
        return mine is not None and self._join(job, mine, batches)

    def _join(self, job: Job, chunk: Chunk, batches: list[Batch]) -> bool:
        with ExitStack() as stack:
            gathered, failures = _temporary(self.spool, stack), _temporary(self.spool, stack)
            index = self._gather(batches, gathered)
            joiner = Joiner(index, partial(_read_at, gathered.fileno()), _why_not(batches))
            results = _Count()
            joined = self._joined(chunk, joiner, _Staged(self, chunk, stack))
            self._write(job, chunk, "results", results.of(_results(joined, failures)))
            errors_bytes = failures.tell()
            if results.lines != chunk.requests:
                raise ValueError(f"{chunk.key} has {chunk.requests} requests, {results.lines} were found")
            if errors_bytes:
                failures.seek(0)
                self._write(job, chunk, "errors", answers.blocks(failures.read))
        return self.ledger.collect_chunk(
            chunk, results_bytes=results.bytes, errors_bytes=errors_bytes, unanswered=joiner.unanswered
        )

    def _gather(self, batches: list[Batch], into: IO[bytes]) -> Index:
        """All final records of the chunk in one file, and where each stands."""
        index = Index()
        for batch in batches:
            if batch.state is BatchState.FETCHED and batch.completed + batch.failed:
                key = naming.answers_key(batch.job_id, batch.chunk, batch.name)
                index.add(answers.lines(_copied(self.whole(key), into)))
        into.flush()
        return index

    def _joined(self, chunk: Chunk, joiner: Joiner, staged: _Staged) -> Iterator[Joined]:
        if chunk.staged:
            rows = answers.lines(self.whole(naming.manifest_key(chunk.job_id, chunk.number)))
            return joiner.staged(rows, staged.read)
        return joiner.clean(answers.lines(self._range(chunk.source)), chunk.first_line)

    def _write(self, job: Job, chunk: Chunk, kind: str, blocks: Iterator[bytes]) -> None:
        key = naming.part_key(job.stem, job.job_id, chunk.number, kind)
        self.objects.write(self.output_bucket, key, blocks)

    def whole(self, key: str) -> Iterator[bytes]:
        """The bytes of an object of the work bucket; ``Rejected("object_gone")`` if it is not there."""
        info = self.objects.head(self.work_bucket, key)
        if info is None:
            raise Rejected("object_gone", f"s3://{self.work_bucket}/{key} is not there: who deleted it?")
        return self._range(Source(bucket=self.work_bucket, key=key, first_byte=0, end_byte=info.bytes))

    def _range(self, source: Source) -> Iterator[bytes]:
        if source.first_byte < source.end_byte:
            with self.objects.open(source) as readable:
                yield from answers.blocks(readable.read)


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
        for block in answers.packed(lines):
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


def _is_complete(chunk: Chunk | None, batches: list[Batch]) -> bool:
    return chunk is not None and chunk.state is ChunkState.OPEN and all(batch.state in FINAL for batch in batches)


def _why_not(batches: list[Batch]) -> str:
    """Why a request may have no record: what is known of the batches that were given up."""
    given_up = [batch for batch in batches if batch.state in FINAL and batch.state is not BatchState.FETCHED]
    reasons = dict.fromkeys(batch.reason for batch in given_up if batch.reason)
    return "; ".join(reasons) or "The batch of this request was given up before it was answered."

"""An input as a stream of lines, from any offset on, packed or not; and each chunk's lines once more."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Protocol

from batchdrop.core import appearance, stream
from batchdrop.core.codes import said
from batchdrop.core.errors import Rejected
from batchdrop.core.inflate import MAGIC, inflate
from batchdrop.core.lines import Window, windows
from batchdrop.core.model import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from batchdrop.core.appearance import Kind
    from batchdrop.core.cut import Cut
    from batchdrop.core.lines import TooLong
    from batchdrop.core.model import Job
    from batchdrop.ports import Deadline, ObjectStore

    Pieces = Iterator[Window | TooLong]


class Input(Protocol):
    """One reading of a job's input. Offsets are those of the lines: of what comes out of a packed file."""

    @property
    def is_packed(self) -> bool: ...

    def pieces(self) -> Pieces:
        """Its lines, from the job's cursor on."""
        ...

    def again(self, cut: Cut) -> AbstractContextManager[Pieces]:
        """A chunk's lines once more."""
        ...

    def forget(self, needs_from: int | None) -> None:
        """No chunk to come needs what is before that byte, or anything read so far."""
        ...


def no_lines(kind: Kind) -> Rejected:
    """Why a file that is of this kind is not run."""
    return Rejected(*said("unsupported_type.content", kind=kind.name, mend=kind.mend))


@contextmanager
def reading(objects: ObjectStore, job: Job, deadline: Deadline, folder: str | None = None) -> Iterator[Input]:
    """``Rejected`` where the first bytes say that these are no lines at all."""
    start = head(objects, job)
    if start.startswith(MAGIC):
        with tempfile.TemporaryFile(dir=folder) as file:
            yield _Packed(objects, job, deadline, file)
        return
    if kind := appearance.binary(start):
        raise no_lines(kind)
    yield _Plain(objects, job)


def head(objects: ObjectStore, job: Job) -> bytes:
    """The object's first bytes, as they are stored."""
    with ExitStack() as stack:
        return next(_stored(objects, job, 0, min(job.bytes, appearance.HEAD_BYTES), stack), b"")


def first_block(objects: ObjectStore, job: Job) -> bytes:
    """The start of the content."""
    with ExitStack() as stack:
        stored = _stored(objects, job, 0, job.bytes, stack)
        if head(objects, job).startswith(MAGIC):
            stored = inflate(stored)
        return b"".join(islice(stored, 1))


def _stored(objects: ObjectStore, job: Job, first: int, end: int, stack: ExitStack) -> Iterator[bytes]:
    if first >= end:
        return iter(())
    source = Source(bucket=job.bucket, key=job.input_key, version_id=job.version_id, first_byte=first, end_byte=end)
    return stream.blocks(stack.enter_context(objects.open(source)).read)


@dataclass(frozen=True)
class _Plain:
    objects: ObjectStore
    job: Job
    is_packed = False

    def pieces(self) -> Pieces:
        with ExitStack() as stack:
            offset = self.job.cursor.offset
            yield from windows(_stored(self.objects, self.job, offset, self.job.bytes, stack), offset=offset)

    @contextmanager
    def again(self, cut: Cut) -> Iterator[Pieces]:
        with ExitStack() as stack:
            stored = _stored(self.objects, self.job, cut.first_byte, cut.end_byte, stack)
            yield windows(stored, offset=cut.first_byte)

    def forget(self, needs_from: int | None) -> None:
        """Nothing is held."""


class _Packed:
    """Keeps the lines of the chunk that is open in a file: unpacking cannot go back."""

    is_packed = True

    def __init__(self, objects: ObjectStore, job: Job, deadline: Deadline, file: IO[bytes]) -> None:
        self._objects = objects
        self._job = job
        self._deadline = deadline
        self._file = file
        self._base = job.cursor.offset  # where in the input the file begins
        self._size = 0

    def pieces(self) -> Pieces:
        with ExitStack() as stack:
            unpacked = inflate(_stored(self._objects, self._job, 0, self._job.bytes, stack))
            offset = self._job.cursor.offset
            for piece in windows(self._skip(unpacked, offset), offset=offset):
                self._keep(piece)
                yield piece

    def _skip(self, unpacked: Iterable[bytes], left: int) -> Iterator[bytes]:
        half = self._deadline.remaining() / 2
        for block in unpacked:
            if left and self._deadline.remaining() < half:
                raise Rejected(*said("gzip_too_large"))
            if left < len(block):
                yield block[left:] if left else block
            left = max(0, left - len(block))

    def _keep(self, piece: Window | TooLong) -> None:
        if not isinstance(piece, Window):
            return  # nobody reads it again, and what was kept before it is still to be copied
        if not self._size:
            self._base = piece.offset
        self._file.seek(self._size)
        self._size += self._file.write(piece.data)

    @contextmanager
    def again(self, cut: Cut) -> Iterator[Pieces]:
        yield windows(self._range(cut.first_byte, cut.end_byte), offset=cut.first_byte)

    def forget(self, needs_from: int | None) -> None:
        end = self._base + self._size
        if needs_from is None or needs_from >= end:
            self._clear(end)
        elif needs_from > self._base:
            self._move_down(needs_from - self._base)

    def _move_down(self, by: int) -> None:
        """Copy what is still needed over what is not: a window's worth, whenever a chunk is done."""
        to = 0
        for block in self._range(self._base + by, self._base + self._size):
            self._file.seek(to)
            to += self._file.write(block)
        self._file.truncate(to)
        self._base, self._size = self._base + by, to

    def _range(self, first: int, end: int) -> Iterator[bytes]:
        at, stop = first - self._base, end - self._base
        while at < stop:
            self._file.seek(at)
            block = self._file.read(min(stream.BLOCK, stop - at))
            at += len(block)
            yield block

    def _clear(self, base: int) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._base, self._size = base, 0

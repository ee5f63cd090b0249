"""Copy a chunk's requests to the work bucket, grouped by (model, endpoint), and note what became of each line."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec

from batchdrop.core import limits, manifest, naming, stream
from batchdrop.core.cut import Cut, Limits, Load
from batchdrop.core.judging import judge, too_large
from batchdrop.core.lines import HEAD_BYTES, Window, is_blank, lines
from batchdrop.core.model import Source
from batchdrop.core.request import NULL, Pair, Refusal, Request
from batchdrop.core.rewriting import original_id, rewritten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msgspec import Raw

    from batchdrop.core.lines import TooLong
    from batchdrop.core.request import Weight
    from batchdrop.ports import ObjectStore

    Text = bytes | bytearray | Raw

_BUFFER = 1 << 17
_NO_REQUEST = b"null,null]\n"  #: how a refused line without request and text ends


class Staged(NamedTuple):
    """One batch: ``source`` are its lines in the work bucket."""

    pair: Pair
    load: Load
    source: Source


@dataclass(frozen=True)
class Stage:
    """Repeated, it writes the same bytes under the same names. Temporary disk: about twice the chunk's bytes."""

    objects: ObjectStore
    work_bucket: str
    limit: Limits
    folder: str | None = None  #: for temporary files; the system's own if None

    def __call__(self, job_id: str, number: int, cut: Cut, pieces: Iterable[Window | TooLong]) -> list[Staged]:
        """Stage chunk ``number``, whose lines are ``pieces``, cut as ``cut`` was."""
        with ExitStack() as stack:
            copy = _Copy(cut, self.limit, self.folder, stack)
            if cut.head is not None:
                copy.refuse(too_large(limits.LINE_BYTES), cut.head)
            else:
                copy.take(pieces)
            copy.lay_out()
            return self._write(job_id, number, copy)

    def _write(self, job_id: str, number: int, copy: _Copy) -> list[Staged]:
        key = naming.staged_key(job_id, number)
        if copy.spools:
            spools = (spool.file for spool in copy.spools.values())
            self.objects.write(self.work_bucket, key, chain.from_iterable(map(_from_start, spools)))
        self.objects.write(self.work_bucket, naming.manifest_key(job_id, number), copy.manifest())
        return [
            Staged(pair, load, self._source(key, copy.spools[pair].base, load))
            for pair, loads in copy.cut.loads.items()
            for load in loads
        ]

    def _source(self, key: str, base: int, load: Load) -> Source:
        first, end = base + load.first_byte, base + load.end_byte
        return Source(bucket=self.work_bucket, key=key, first_byte=first, end_byte=end)


class _Spool:
    """The lines of one pair. ``base``: where they stand in the staged object, known when all spools are full."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.size = 0
        self.base = 0

    def write(self, pieces: Iterable[bytes | bytearray | memoryview | Raw]) -> int:
        """Add a line; its length without the newline."""
        start = self.size
        for piece in pieces:
            self.size += self.file.write(memoryview(piece))
        self.size += self.file.write(b"\n")
        return self.size - start - 1


class _Copy:
    """A chunk on its way: cut a second time, with the copy's own byte ranges."""

    def __init__(self, cut: Cut, limit: Limits, folder: str | None, stack: ExitStack) -> None:
        self.cut = Cut(0, 0, cut.first_line, 0)
        self.spools: dict[Pair, _Spool] = {}
        self._line = cut.first_line - (cut.head is None)
        self._ordinal = 0
        self._limit = limit
        self._folder = folder
        self._stack = stack
        self._rows = self._file()
        self._pairs: list[Pair] = []

    def take(self, pieces: Iterable[Window | TooLong]) -> None:
        for piece in pieces:
            assert isinstance(piece, Window), "a line that is too long is a chunk by itself"  # noqa: S101
            for line in lines(piece):
                self._line += 1
                if not is_blank(line.text):
                    self._ordinal += 1
                    self._judge(line.text)

    def _judge(self, text: Text) -> None:
        verdict = judge(text)
        if isinstance(verdict, Request):
            weight, kept = self.cut.weigh(verdict, len(text))
            if weight.bytes <= self._limit.bytes:
                self._send(verdict, text, weight, kept=kept)
                return
            verdict = too_large(self._limit.bytes)
        self.refuse(verdict, text)

    def _send(self, request: Request, line: Text, weight: Weight, *, kept: bool) -> None:
        text = line if request.text is None else request.text
        spool = self._spool(request.pair)
        start = spool.size
        custom_id = request.custom_id if kept and request.custom_id else naming.MAPPED_ID.format(self._ordinal)
        if kept and not request.rewrite:
            length = spool.write([text])
        else:
            length = spool.write(rewritten(text, None if kept else custom_id))
        self.cut.take(request.pair, weight, start, spool.size, self._limit)
        if kept:
            self.cut.ids.add(custom_id)
        original = NULL if kept else original_id(text)
        self._pairs.append(request.pair)
        self._rows.write(manifest.encode(manifest.Sent(self._line, custom_id, start, length, not kept, original)))

    def refuse(self, refusal: Refusal, text: Text) -> None:
        """Note why the line is not sent. A long request goes into the row without being copied once more."""
        raw = _start(text) if refusal.request is None else None
        row = manifest.encode(manifest.Refused(self._line, refusal.code, refusal.reason, refusal.custom_id, raw=raw))
        if refusal.request is None:
            self._rows.write(row)
            return
        self._rows.write(row.removesuffix(_NO_REQUEST))
        self._rows.write(memoryview(refusal.request))
        self._rows.write(b",null]\n")

    def lay_out(self) -> None:
        """All lines are in: one pair's spool follows the other's."""
        base = 0
        for spool in self.spools.values():
            spool.base, base = base, base + spool.size

    def manifest(self) -> Iterator[bytes]:
        """Its rows, each told where its pair's lines begin; the first pair's begin at 0."""
        if len(self.spools) <= 1:
            yield from _from_start(self._rows)
            return
        pairs = iter(self._pairs)
        self._rows.seek(0)
        for line in self._rows:
            row = manifest.decode(line)
            if isinstance(row, manifest.Sent):
                base = self.spools[next(pairs)].base
                yield manifest.encode(msgspec.structs.replace(row, first_byte=base + row.first_byte))
            else:
                yield line

    def _spool(self, pair: Pair) -> _Spool:
        if pair not in self.spools:
            self.spools[pair] = _Spool(self._file())
        return self.spools[pair]

    def _file(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder, buffering=_BUFFER))


def _from_start(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    return stream.blocks(file.read)


def _start(text: Text) -> str:
    """The text's start, at most 4 kB of UTF-8."""
    shown = bytes(text[:HEAD_BYTES]).decode(errors="replace").encode()[:HEAD_BYTES]
    return shown.decode(errors="ignore")

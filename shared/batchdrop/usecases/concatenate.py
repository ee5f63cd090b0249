"""Make one object of many spans, on S3's side where it can, going on where an earlier invocation stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchdrop.core import assembly
from batchdrop.core.assembly import Part, Span
from batchdrop.core.model import Job, Source
from batchdrop.ports import Deadline, Ledger, ObjectStore, Precondition, UploadPart, Written
from batchdrop.usecases import contents
from batchdrop.usecases.abreast import WORKERS, abreast

WINDOW = 2 * WORKERS  #: parts between two looks at the clock
STOP_SECONDS = 120.0  #: time left below which no further parts are begun; two copies of 5 GiB take up to a minute each
JSONL = "application/jsonl"


class Unfinished(Exception):  # noqa: N818 - not a failure: a later invocation goes on
    """Time is short, or another invocation owns the job now."""


@dataclass
class Concatenate:
    """One job's outputs, within one invocation. ``job`` follows what is noted in the ledger."""

    ledger: Ledger
    objects: ObjectStore
    bucket: str
    job: Job
    deadline: Deadline

    def __call__(
        self, key: str, spans: Sequence[Span], metadata: Mapping[str, str], only: Precondition
    ) -> Written | None:
        """Write ``spans`` as ``key``. None if ``only`` fails; ``Unfinished`` if it is to be called again."""
        if sum(span.bytes for span in spans) <= assembly.PLAIN_BYTES:
            self._take_time()
            return self.objects.write(self.bucket, key, abreast(self._whole, spans), metadata=metadata, only=only)
        if len(spans) > assembly.MOST_PARTS:
            runs = enumerate(assembly.merged(spans), 1)
            spans = [self._merged(f"{_directory(run)}merged-{number:06d}.{_kind(run)}", run) for number, run in runs]
        return self._upload(key, spans, metadata, only)

    def note(self, upload: Mapping[str, str], name: str) -> None:
        """Remember how far we are; ``Unfinished`` if the job is no longer ours."""
        job = self.ledger.note_upload(self.job, upload, name)
        if job is None:
            raise Unfinished
        self.job = job

    def abandon(self, key: str) -> None:
        """Drop the noted upload if it is for this key."""
        if self.job.upload.get("key") == key:
            self.objects.abort_upload(self.bucket, key, self.job.upload["upload_id"])

    def _merged(self, key: str, spans: Sequence[Span]) -> Span:
        size = sum(span.bytes for span in spans)
        info = self.objects.head(self.bucket, key)
        if info is None or info.bytes != size:
            self(key, spans, {}, None)
        return Span(key, 0, size)

    def _upload(
        self, key: str, spans: Sequence[Span], metadata: Mapping[str, str], only: Precondition
    ) -> Written | None:
        upload_id, there = self._begun(key, metadata)
        done = {part.number: part for part in there}
        todo = [part for part in assembly.parts(spans) if not _is_done(part, done)]
        for start in range(0, len(todo), WINDOW):
            self._take_time()
            sent = abreast(lambda part: self._send(key, upload_id, part), todo[start : start + WINDOW], few=1)
            done |= {part.number: part for part in sent}
        return self.objects.complete_upload(
            self.bucket, key, upload_id, [done[number] for number in sorted(done)], only=only
        )

    def _begun(self, key: str, metadata: Mapping[str, str]) -> tuple[str, list[UploadPart]]:
        """The upload under way with its parts, or a new one.

        A death between the start and the note, or an abort that fails, leaves an upload that nobody knows: the bucket's
        lifecycle drops it.
        """
        if self.job.upload.get("key") == key:
            there = self.objects.list_parts(self.bucket, key, self.job.upload["upload_id"])
            if there is not None:
                return self.job.upload["upload_id"], there
        upload_id = self.objects.start_upload(self.bucket, key, metadata=metadata, content_type=JSONL)
        try:
            self.note({"key": key, "upload_id": upload_id}, self.job.published_as or self.job.stem)
        except Unfinished:
            self.objects.abort_upload(self.bucket, key, upload_id)
            raise
        return upload_id, []

    def _take_time(self) -> None:
        """``Unfinished`` where too little is left for what comes next."""
        if self.deadline.remaining() < STOP_SECONDS:
            raise Unfinished

    def _send(self, key: str, upload_id: str, part: Part) -> UploadPart:
        if part.is_copied:
            return self.objects.copy_part(self.bucket, key, upload_id, part.number, self._source(part.spans[0]))
        return self.objects.upload_part(
            self.bucket, key, upload_id, part.number, b"".join(map(self._whole, part.spans))
        )

    def _whole(self, span: Span) -> bytes:
        """One of the small spans that go through us: all that are held at once are 40 MiB at most."""
        return b"".join(contents.part(self.objects, self._source(span)))

    def _source(self, span: Span) -> Source:
        return Source(bucket=self.bucket, key=span.key, first_byte=span.first_byte, end_byte=span.end_byte)


def _is_done(part: Part, done: Mapping[int, UploadPart]) -> bool:
    return part.number in done and done[part.number].bytes == part.bytes


def _directory(spans: Sequence[Span]) -> str:
    return spans[0].key.rpartition("/")[0] + "/"


def _kind(spans: Sequence[Span]) -> str:
    return spans[0].key.rpartition("/")[2].partition(".")[2]

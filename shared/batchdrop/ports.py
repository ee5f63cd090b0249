"""What the use cases need from the outside world.

The docstrings are the contract; ``tests/contract`` holds every implementation to them.

Unless a method says otherwise: repeating a call changes nothing more, a caller that dies leaves no half of it behind,
and a busy or unreachable dependency is ``RetryLater``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from batchdrop.core.allowance import Learned, Named, Pool
    from batchdrop.core.housekeeping import Housekeeping, VersionCursor
    from batchdrop.core.model import AnyItem, Batch, Chunk, Counts, Cursor, Job, Key, Source, Usage
    from batchdrop.core.pricing import Price


class Clock(Protocol):
    """Time, injected so that tests can move it."""

    def now(self) -> datetime:
        """UTC, cut to whole seconds: times in the table compare as strings."""
        ...


class Deadline(Protocol):
    """How much of this invocation is left."""

    def remaining(self) -> float:
        """Seconds until the platform kills this invocation."""
        ...


# ── objects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One version of one object. ``metadata`` is the user's, keys in lower case."""

    bucket: str
    key: str
    version_id: str | None  #: None where the bucket is not versioned
    etag: str
    bytes: int
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Write only if the name's current object has this ETag."""

    etag: str


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """Write only if nothing holds the name."""


Precondition = IfMatch | IfAbsent | None


@dataclass(frozen=True, slots=True)
class Written:
    """What a write made."""

    etag: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A finished part of a multipart upload. ``number`` counts from 1. ``checksum``: CRC-32 in base64, where known."""

    number: int
    etag: str
    bytes: int
    checksum: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Version:
    """A version as the bucket's list shows it. ``last_modified`` of a multipart upload is when it was begun."""

    key: str
    version_id: str | None  #: None for what was written while the bucket was not versioned
    etag: str  #: of a multipart upload, it ends in "-" and the number of parts
    last_modified: datetime
    is_latest: bool  #: nothing newer holds the name, not even a delete marker


@dataclass(frozen=True, slots=True)
class VersionPage:
    """A page of a bucket's versions, by key, newest first; delete markers are left out, so it may be empty.

    ``cursor`` asks for the next one; None at the end.
    """

    versions: tuple[Version, ...]
    cursor: VersionCursor | None


class Readable(Protocol):
    """A forward-only stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, and at least one until the end; b"" is the end."""
        ...


class Replayable(Readable, Protocol):
    """A stream that can start again: what the SDK needs to send a body with its length."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position; only the two ends and the current place are asked for."""
        ...

    def tell(self) -> int:
        """The current position."""
        ...


class ObjectStore(Protocol):
    """Objects by bucket and key. A key is a name, never a path.

    ``Rejected("input_gone")`` where a version is not there, ``Rejected("access_denied")`` where it may not be read.
    """

    def head(self, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo | None:
        """What stands there now, or that version; None if nothing does."""
        ...

    def list_versions(self, bucket: str, cursor: VersionCursor | None = None) -> VersionPage:
        """One page of up to 1,000 versions of the whole bucket. A cursor stays good while the bucket changes."""
        ...

    def open(self, source: Source) -> AbstractContextManager[Readable]:
        """Stream the range. A connection cut on the way is resumed at its byte; flat memory."""
        ...

    def replayable(self, source: Source) -> Replayable:
        """The range as a file that reads on demand and can be read again from its start; one connection at most."""
        ...

    def write(
        self,
        bucket: str,
        key: str,
        blocks: Iterable[bytes],
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/jsonl",
        only: Precondition = None,
    ) -> Written | None:
        """Write a stream of unknown length in flat memory; None if ``only`` does not hold (nothing was written).

        If ``blocks`` raises, nothing is written, no part of it stays, and the error goes through. A write whose
        answer was lost and that is repeated under ``IfAbsent`` answers None: look who holds the name.
        """
        ...

    def delete(self, bucket: str, key: str) -> None:
        """Remove the name (in a versioned bucket: hide it). No error if it is not there."""
        ...

    def delete_prefix(self, bucket: str, prefix: str, deadline: Deadline) -> bool:
        """Remove every name under ``prefix`` with all its versions; False if time ran out first.

        For names that we made alone.
        """
        ...

    def start_upload(self, bucket: str, key: str, *, metadata: Mapping[str, str], content_type: str) -> str:
        """Begin a multipart upload; its id. Repeated: another upload, so record the id."""
        ...

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        """Send one part; every part but the last is at least 5 MiB. Repeated: replaces the part."""
        ...

    def copy_part(self, bucket: str, key: str, upload_id: str, number: int, source: Source) -> UploadPart:
        """Make one part of a range of another object, on the server's side."""
        ...

    def list_parts(self, bucket: str, key: str, upload_id: str) -> list[UploadPart] | None:
        """The parts that are there, by number; None if the upload is not known (any more)."""
        ...

    def complete_upload(
        self, bucket: str, key: str, upload_id: str, parts: Iterable[UploadPart], *, only: Precondition
    ) -> Written | None:
        """Make the object of its parts: the commit point. None if ``only`` fails or the upload is gone: look."""
        ...

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Drop the upload and its parts. No error if it is not known."""
        ...


# ── the provider ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class LineError:
    """Why the provider failed a batch. ``line`` is 1-based within the input file, None where it names no line."""

    code: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as the provider shows it; ``created_at`` is its clock, Unix seconds. Falsy file ids are None."""

    id: str
    status: str
    input_file_id: str
    created_at: int
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: tuple[LineError, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A page of the provider's list, newest first. ``cursor`` asks for the next one; None at the end."""

    batches: tuple[RemoteBatch, ...]
    cursor: str | None


class BatchApi(Protocol):
    """The OpenAI Batch API, or one that is compatible.

    Every method: ``Misconfigured`` where the operator must act (key, permission, quota), ``RetryLater`` where the call
    had no effect and may later.
    """

    def upload(self, name: str, body: Replayable) -> str:
        """Send an input file; its id. NOT idempotent: repeated, another file, which is free and expires by itself.

        ``Rejected`` where the provider will not take this file. Sent once, never retried by the SDK.
        """
        ...

    def create(
        self, *, file_id: str, endpoint: str, completion_window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        """Buy a batch. NOT idempotent: repeated, another batch is bought. Sent once, within 60 seconds.

        ``Rejected`` and ``RetryLater`` are definite: no batch was made. ``OutcomeUnknown``: one may have been.
        A key that is refused is not replaced meanwhile, as in all other calls: ``RetryLater`` where there is a new one.
        """
        ...

    def page(self, cursor: str | None = None) -> BatchPage:
        """One page of up to 100 batches, newest first; of every job and stack that shares the project."""
        ...

    def retrieve(self, batch_id: str) -> RemoteBatch | None:
        """One batch; None if the provider does not know it."""
        ...

    def cancel(self, batch_id: str) -> None:
        """Ask the provider to stop it. No error where it has ended or is stopping."""
        ...

    def download(self, file_id: str) -> AbstractContextManager[Iterator[bytes]]:
        """Stream a file's bytes from its start, in blocks.

        ``RetryLater`` when it is cut, or shorter than announced, and the rest cannot be had by itself: what came so
        far must be thrown away.
        ``Rejected("file_gone")`` if there is no such file.
        """
        ...

    def delete_file(self, file_id: str) -> bool:
        """Remove a file. True if the provider says that it removed it now, False if it did not know it."""
        ...

    def key_version(self) -> str:
        """Under which version of the key calls are made; asks the secret's store, at times.

        Another version may be of another project, which knows nothing of the files and batches of this one.
        """
        ...


class Prices(Protocol):
    """What the provider asks for tokens. A look into a table; nothing is called."""

    def of(self, model: str, now: datetime) -> Price | None:
        """A model's rates in a batch that is bought now; None where they are not known, which is not the same as 0."""
        ...


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Messages(Protocol):
    """Hints that make it fast. Each may be lost, doubled or late; the table is the truth. They carry ids only."""

    def dropped(self, bucket: str, key: str, version_id: str | None) -> None:
        """Tell the submitter what S3's event did not: this version was dropped."""
        ...

    def plan(self, job_id: str) -> None:
        """Ask the submitter to go on with a plan."""
        ...

    def submit(self, key: Key) -> None:
        """Ask the submitter to submit a batch."""
        ...

    def collect(self, key: Key) -> None:
        """Ask the collector to look at a batch, a chunk or a job."""
        ...

    def tick(self) -> None:
        """Ask the poller to look now. Of many who ask at once, one is heard."""
        ...

    def job_ended(self, job: Job) -> None:
        """Tell the world: an EventBridge event, at least once."""
        ...


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Stack:
    """This deployment. ``id`` is random, written once; inputs older than ``accept_after`` are not ours to run."""

    id: str
    accept_after: datetime


@dataclass(frozen=True, slots=True)
class Fetched:
    """What fetching one batch gave. completed + failed + repeated = its requests.

    ``long_usage``: the part of ``usage`` that is of prompts above the length at which its model costs more.
    """

    completed: int
    failed: int
    repeated: int
    usage: Usage
    long_usage: Usage | None = None


class Ledger(Protocol):
    """The durable record of every job; the only mutable state.

    Every write is conditional (``core.lifecycle``) and fenced by the claim of the item that the caller read. Methods
    that answer ``bool`` or ``… | None`` answer False or None for a lost race: read again. A write that we made and
    whose answer was lost counts as made. ``lease`` arguments are absolute times.
    """

    # reads, strongly consistent unless said otherwise
    def stack(self, now: datetime) -> Stack:
        """This deployment's record; made by the first caller."""
        ...

    def get(self, key: Key) -> AnyItem | None:
        """One item."""
        ...

    def job(self, job_id: str) -> Job | None:
        """The job's own item."""
        ...

    def chunk(self, job_id: str, number: int) -> tuple[Chunk | None, list[Batch]]:
        """A chunk and all its batches, final ones too, in order of their names."""
        ...

    def chunks(self, job_id: str) -> Iterator[Chunk]:
        """A job's chunks in input order."""
        ...

    def batches(self, job_id: str) -> Iterator[Batch]:
        """A job's batches in order."""
        ...

    def open_items(self) -> Iterator[AnyItem]:
        """Every item that is not at its end, the longest overdue first; a moment old (eventually consistent)."""
        ...

    def newest_job(self, bucket: str, key: str) -> str | None:
        """Id of the job that was opened last for this key."""
        ...

    # rounds beside the ticks
    def housekeeping(self) -> Housekeeping:
        """How far sweep and audit came; an empty record before the first."""
        ...

    def claim_housekeeping(self, record: Housekeeping, *, lease: datetime, now: datetime) -> Housekeeping | None:
        """Own the record as it was read; None while another poller does."""
        ...

    def note_housekeeping(self, record: Housekeeping) -> bool:
        """Under its claim: how far the rounds came. Without ``lease_until`` it is given back."""
        ...

    def take_poke(self, *, now: datetime, until: datetime) -> bool:
        """Whether a tick that somebody asked for may be made now; then none is before ``until``."""
        ...

    def record_orphan(self, remote: RemoteBatch, of: Key, *, what: str, now: datetime, expires: datetime) -> bool:
        """Note a batch that was made for item ``of`` and will never be its; True once for each, until it expires."""
        ...

    def untold_orphans(self) -> list[str]:
        """The ids of those that nobody was told of yet: who noted one may have died before it could."""
        ...

    def note_orphans_told(self, batch_ids: Iterable[str], *, now: datetime) -> None:
        """They were told of. Told twice is possible, never is not."""
        ...

    def parts(self, job_id: str) -> Iterator[Chunk | Batch]:
        """A job's chunks, each followed by its batches."""
        ...

    # jobs
    def open_job(self, job: Job, *, after: str | None) -> bool:
        """J1. ``job`` is ``planning`` or born ``failed``; ``after``: what ``newest_job`` answered."""
        ...

    def claim_job(self, job: Job, *, lease: datetime, now: datetime) -> Job | None:
        """J2.claim, J5, J5.claim: own a job that is planning, running with no open chunk, or assembling."""
        ...

    def add_chunk(self, job: Job, chunk: Chunk, batches: Iterable[Batch], cursor: Cursor) -> Job | None:
        """J2 for one chunk; the job as it is afterwards."""
        ...

    def rest_plan(self, job: Job, check_at: datetime, *, reason: str | None = None) -> bool:
        """J2.rest: out of time, or something is in the way; due again at ``check_at``. ``reason``: what that is."""
        ...

    def start_job(self, job: Job) -> bool:
        """J3. Writes the job's counts, chunks, usage's models, estimates, prices; from here spending is permitted."""
        ...

    def fail_job(self, job: Job, *, code: str, reason: str, now: datetime) -> bool:
        """J4. With the job's prices, where they are known by then."""
        ...

    def lose_input(self, job: Job, *, code: str, reason: str, now: datetime) -> Job | None:
        """J4.lost: the input was removed while the job ran; the job as it is afterwards.

        Its batches are stopped as those of a cancelled job.
        """
        ...

    def request_cancel(self, job: Job, *, now: datetime, because: tuple[str, str] | None = None) -> bool:
        """J7: from here on nothing more is bought for a running job; False too where it was asked before.

        ``because``: code and reason where it is not a user who asks.
        """
        ...

    def rest_assembly(self, job: Job, *, check_at: datetime) -> bool:
        """J5.rest: out of time, or something is in the way; due again at ``check_at``."""
        ...

    def note_upload(self, job: Job, upload: Mapping[str, str], published_as: str) -> Job | None:
        """J5.note: how far the outputs are; the job as it is afterwards, under a claim of its own."""
        ...

    def finish_job(self, job: Job, outputs: Mapping[str, Mapping[str, str]], now: datetime) -> Job | None:
        """J6: ``completed``, or ``cancelled`` where a user asked for it."""
        ...

    def note_announced(self, job: Job, now: datetime) -> Job | None:
        """J8.told: the final status is written and the event sent; the job as it is afterwards."""
        ...

    def expire_items(self, job: Job, *, expires: datetime, deadline: Deadline) -> bool:
        """Its chunks and batches are no longer due, and go at that time; the job's item never does.

        False if time ran out first: the next call goes on with those that do not expire yet.
        """
        ...

    def note_cleaned(self, job: Job, *, now: datetime) -> bool:
        """J8: nothing is left to do."""
        ...

    def note_status(self, job: Job, *, digest: str, due_at: datetime) -> None:
        """What the status object last said, what was spent by then, and when it may be written next.

        Lost silently if the job is gone, or has ended since.
        """
        ...

    # chunks
    def claim_chunk(self, chunk: Chunk, *, lease: datetime, now: datetime) -> Chunk | None:
        """C1.claim."""
        ...

    def rest_chunk(self, chunk: Chunk, *, check_at: datetime, reason: str | None) -> bool:
        """C1.rest: something is in the way; due again at ``check_at``."""
        ...

    def collect_chunk(
        self, chunk: Chunk, *, results_bytes: int, errors_bytes: int, counted: Counts, reason: str | None = None
    ) -> bool:
        """C1. ``counted`` is added to the job's counts: what its fetched batches do not account for.

        ``reason``: why it was joined without its answers.
        """
        ...

    # batches, in the order of a batch's life
    def lead(self, name: str, *, lease: datetime, now: datetime) -> bool:
        """Hold the admission lease under our ``name``; renewing one's own is fine."""
        ...

    def paid_creates(self) -> datetime | None:
        """Until when the creates of the past are paid for (``core.creates``); None if there are none."""
        ...

    def pay_creates(self, name: str, *, until: datetime) -> bool:
        """Note that, before they are admitted; False where another one than ``name`` leads."""
        ...

    def limits(self) -> Mapping[Pool, Learned]:
        """What was learned so far of each (api, model)."""
        ...

    def learn_limit(self, pool: Pool, limit: Named, *, now: datetime | None = None) -> None:
        """Remember what the provider named; without ``now``, for ever.

        This and the next three are hints: of two at once, one may be lost.
        """
        ...

    def note_refused(self, batch: Batch, *, now: datetime) -> None:
        """There was no room for it beside what it was admitted with."""
        ...

    def note_seen(self, pool: Pool, tokens: int) -> None:
        """The provider was seen to work on so many tokens at once."""
        ...

    def note_taken(self, batch: Batch, usage: Usage) -> None:
        """What a finished batch took, to correct the estimates of others. Repeated, it counts twice."""
        ...

    def admit(self, batch: Batch, *, lease: datetime, pool_tokens: int | None = None) -> bool:
        """B1. ``pool_tokens``: what is then under way of its model, by estimate."""
        ...

    def probe(self, batch: Batch, *, lease: datetime) -> bool:
        """B8.probe."""
        ...

    def claim_upload(self, batch: Batch, *, lease: datetime) -> Batch | None:
        """B2."""
        ...

    def record_intent(
        self, batch: Batch, *, file_id: str, key_version: str, now: datetime, lease: datetime
    ) -> Batch | None:
        """B3. From here on a batch may exist at the provider. ``key_version``: under which it is created.

        None too where its job has ended, or was cancelled, meanwhile.
        """
        ...

    def note_unknown(self, batch: Batch) -> bool:
        """B3.unknown: the caller lives, and does not know whether it made a batch."""
        ...

    def record_created(self, batch: Batch, remote: RemoteBatch, *, now: datetime, check_at: datetime) -> bool:
        """B4."""
        ...

    def adopt(self, batch: Batch, remote: RemoteBatch, *, now: datetime, check_at: datetime) -> bool:
        """B5. ``batch``: one whose create was lost, looked for or blocked."""
        ...

    def requeue(self, batch: Batch, *, not_before: datetime, now: datetime, reason: str | None = None) -> bool:
        """B6, B7.refused, B11, B8.mended, by its state; an admitted or uploading one without ``reason``: lease over."""
        ...

    def record_fence(self, batch: Batch, *, key_version: str, now: datetime, lease: datetime) -> Batch | None:
        """B7.fence: the input file is about to be deleted; after a crash that must not look like another's doing.

        Once for each file: None where another poller was first. Until ``lease`` nobody else goes on with it.
        ``key_version``: under which it is deleted.
        """
        ...

    def record_removed(self, batch: Batch, *, key_version: str) -> Batch | None:
        """B7.removed: the input file was there and is deleted. Who looks for it once more will not find it."""
        ...

    def requeue_fenced(self, batch: Batch, *, not_before: datetime) -> bool:
        """B7.fenced: the caller deleted the input file and then saw no batch of it."""
        ...

    def end_refused(self, batch: Batch, *, code: str, reason: str, now: datetime) -> bool:
        """B7.ended: the create was refused for good; the collector gives every request that error."""
        ...

    def block(self, batch: Batch, *, reason: str, check_at: datetime) -> bool:
        """B8."""
        ...

    def lose(self, batch: Batch, *, reason: str, check_at: datetime) -> bool:
        """B8.unknown: it is never queued again by itself."""
        ...

    def find(self, batch: Batch, *, check_at: datetime) -> bool:
        """B8.known: what was lost shows up again."""
        ...

    def observe(self, batch: Batch, remote: RemoteBatch, *, check_at: datetime) -> bool:
        """B9; call it only if the look shows something new."""
        ...

    def note_cancel(self, batch: Batch, *, now: datetime, check_at: datetime) -> bool:
        """B9.cancel: the provider was asked to stop the batch; at ``check_at`` it is overdue."""
        ...

    def end(self, batch: Batch, remote: RemoteBatch, *, now: datetime, check_at: datetime) -> bool:
        """B10."""
        ...

    def claim_ended(self, batch: Batch, *, lease: datetime, now: datetime) -> Batch | None:
        """B12.claim."""
        ...

    def rest_fetch(self, batch: Batch, *, check_at: datetime, reason: str | None) -> bool:
        """B12.rest: the provider does not hand the answers over now; due again at ``check_at``."""
        ...

    def record_fetched(self, batch: Batch, fetched: Fetched, follow_ups: Iterable[Batch], *, now: datetime) -> bool:
        """B12. ``follow_ups``: the batches of what goes again, at most two."""
        ...

    def split(self, batch: Batch, halves: Iterable[Batch]) -> bool:
        """B13. False too where its job has ended meanwhile."""
        ...

    def retire(self, batch: Batch, *, reason: str) -> bool:
        """B14: its job is stopped, and it will not be bought."""
        ...

    def give_up(self, batch: Batch, *, reason: str, now: datetime) -> bool:
        """B14.late: its job is stopped, and what became of it cannot be found out."""
        ...

    def quarantine(self, batch: Batch, *, reason: str) -> bool:
        """B15: whoever works on it dies; its requests are reported as quarantined."""
        ...

    def release(self, item: AnyItem, *, now: datetime) -> bool:
        """Its crashes are forgotten, and it is due now."""
        ...

    def postpone(self, item: AnyItem, *, check_at: datetime) -> None:
        """A message about the item was sent: it is overdue again at ``check_at``. Lost silently if it moved on."""
        ...

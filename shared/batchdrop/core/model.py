"""The three nouns: a Job is delivered, a Chunk is joined, a Batch is submitted.

Fields are the attributes of the table's items (docs/data-model.md). Times are UTC, whole seconds; sizes are bytes;
byte ranges are half open. ``claim`` counts the invocations that owned an item: a write under an old claim fails.
``crashes`` counts those that died with it, until the work that they died of is done (``core.poison``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from batchdrop.core.options import Options
from batchdrop.core.pricing import Estimate, Price
from batchdrop.core.states import BatchState, ChunkState, JobState


class Key(msgspec.Struct, frozen=True):
    """Name of one item of the table."""

    job_id: str
    item: str


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A byte range of one version of one object."""

    bucket: str
    key: str
    version_id: str | None = None
    first_byte: int
    end_byte: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that answers report, as OpenAI counts them.

    ``requests``: how many answers reported any; ``unreported``: how many good ones reported none.
    """

    requests: int = 0
    unreported: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    def __sub__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) - getattr(other, name) for name in self.__struct_fields__})


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a plan has come: byte ``offset`` (decompressed), lines, requests and chunks behind it."""

    offset: int = 0
    lines: int = 0
    requests: int = 0
    chunks: int = 0


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """A job's requests. ``invalid`` and ``quarantined`` ones are part of ``failed``.

    ``retried`` counts executions beyond the first; ``quarantined``, requests given up because work on them crashed.
    """

    requests: int = 0
    completed: int = 0
    failed: int = 0
    invalid: int = 0
    retried: int = 0
    quarantined: int = 0


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What every item of a job carries."""

    job_id: str
    item: str
    claim: int = 0
    token: str | None = None
    lease_until: datetime | None = None
    crashes: int = 0
    next_check_at: datetime | None = None
    due: str | None = None
    reason: str | None = None

    OPEN: ClassVar[str] = "open"  #: value of ``due`` on open items, the partition of the index

    @property
    def key(self) -> Key:
        return Key(self.job_id, self.item)


class Job(Item, frozen=True, kw_only=True):
    """One version of one input object, from drop to delivery."""

    state: JobState
    bucket: str
    input_key: str
    version_id: str
    etag: str
    bytes: int
    last_modified: datetime
    stem: str
    options: Options
    created_at: datetime
    month: str
    cursor: Cursor = Cursor()
    counts: Counts = Counts()
    chunks: int = 0
    open_chunks: int = 0
    mapped_ids: int = 0
    usage: dict[str, Usage] = {}
    long_usage: dict[str, Usage] = {}
    estimates: dict[str, Estimate] = {}
    prices: dict[str, Price] = {}
    cost: dict[str, str] = {}
    planned_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    code: str | None = None
    published_as: str | None = None
    outputs: dict[str, dict[str, str]] = {}
    upload: dict[str, str] = {}
    status_digest: str | None = None
    status_due_at: datetime | None = None
    announced_at: datetime | None = None
    cleaned_at: datetime | None = None


class Chunk(Item, frozen=True, kw_only=True):
    """A window of consecutive input lines, small enough for one function.

    ``requests`` counts its non-blank lines, ``invalid`` those of them that we refused. ``staged``: its requests were
    copied to the work bucket, with a manifest; else its batches are ranges of the user's own object.
    """

    state: ChunkState
    source: Source
    first_line: int
    requests: int
    invalid: int = 0
    staged: bool = False
    batches: int = 0
    results_bytes: int = 0
    errors_bytes: int = 0

    @property
    def number(self) -> int:
        return int(self.item.removeprefix("chunk#"))


class Batch(Item, frozen=True, kw_only=True):
    """One OpenAI batch: a byte range of requests for one (model, endpoint).

    ``attempt``: which execution of its requests this is, from 1. ``halvings``: how often it was halved because of an
    error that names no line. ``created_under``: the version of the key at its intent. ``fenced_under``: the one under
    which its file was to be deleted; ``removed_under``: the one under which it was there, and was deleted. ``rank``
    orders remote statuses, so that a late look never goes back. ``no_room_at``: when the provider last refused it for
    want of room or of calls (``core.crowding``). ``pool_tokens``: the estimates of all
    that was under way of its model when it was admitted, itself included.
    """

    state: BatchState
    source: Source
    model: str
    endpoint: str
    requests: int
    estimated_tokens: int
    api: str = "default"
    completion_window: str = "24h"
    attempt: int = 1
    halvings: int = 0
    refusals: int = 0
    file_id: str | None = None
    intent_at: datetime | None = None
    created_under: str | None = None
    fenced_at: datetime | None = None
    fenced_under: str | None = None
    removed_under: str | None = None
    openai_batch_id: str | None = None
    openai_created_at: int | None = None
    in_flight_at: datetime | None = None
    cancel_sent_at: datetime | None = None
    remote_status: str | None = None
    rank: int = 0
    remote_completed: int = 0
    remote_failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    error_codes: tuple[str, ...] = ()
    ended_at: datetime | None = None
    not_before: datetime | None = None
    no_room_at: datetime | None = None
    pool_tokens: int | None = None
    completed: int = 0
    failed: int = 0
    repeated: int = 0

    @property
    def chunk(self) -> int:
        return int(self.item.split("#")[1])

    @property
    def name(self) -> str:
        """Name within the chunk: ``0001``, ``0001.r``."""
        return self.item.rsplit("#", 1)[1]


AnyItem = Job | Chunk | Batch


def attributes(value: msgspec.Struct) -> dict[str, Any]:
    """The item as plain attributes: times are ISO 8601 strings, what is None is left out."""
    return {name: part for name, part in msgspec.to_builtins(value).items() if part is not None}


def from_attributes(item: dict[str, Any]) -> AnyItem:
    """The noun that an item of the table is. Unknown attributes are ignored: a newer version may have written it."""
    kind: type[AnyItem] = Job if item["item"] == "job" else Batch if "#batch#" in item["item"] else Chunk
    return msgspec.convert(item, kind)

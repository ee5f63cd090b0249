"""What the poller remembers of its rounds beside the ticks: when the next one is due, and how far the last one came."""

from __future__ import annotations

from datetime import datetime

import msgspec


class VersionCursor(msgspec.Struct, frozen=True):
    """Where a list of versions goes on: behind this version of this key, as S3 writes them."""

    key: str
    version_id: str


class Sweeping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pass over the input bucket's versions. ``cursor``, ``began_at`` and ``held_at`` are those of one under way.

    ``checked_until``: what was in the bucket by then has its job, as far as it is to have one. ``held_at``: what this
    pass sent again was in the bucket by then at the earliest, so the next pass must look at it once more.
    """

    next_at: datetime | None = None
    cursor: VersionCursor | None = None
    began_at: datetime | None = None
    held_at: datetime | None = None
    checked_until: datetime | None = None


class Auditing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rounds over the provider's list. ``cursor``: where the deep one goes on.

    ``checked_until``: when the last one began that saw all of the newest batches. ``active_until``: until then rounds
    are made even if no job is open.
    """

    next_at: datetime | None = None
    cursor: str | None = None
    checked_until: datetime | None = None
    active_until: datetime | None = None


class Looking(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a look at the batches in flight was cut short: all that are newer were seen, by the provider's time.

    ``cursor``: where its list goes on. ``batch_id``: the last one that was asked for by itself, if that is the end.
    """

    created_at: int
    cursor: str | None = None
    batch_id: str = ""


class Housekeeping(msgspec.Struct, frozen=True, kw_only=True):
    """The record of all of them. ``claim`` counts the pollers that owned it: a write under an old claim fails."""

    claim: int = 0
    lease_until: datetime | None = None
    sweep: Sweeping = Sweeping()
    audit: Auditing = Auditing()
    look: Looking | None = None

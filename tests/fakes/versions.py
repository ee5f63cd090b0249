"""The list of a bucket's versions, in memory: by key, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from batchdrop.core.housekeeping import VersionCursor
from batchdrop.ports import Version, VersionPage

if TYPE_CHECKING:
    from tests.fakes.objects import Stored

Bucket = Mapping[str, "list[Stored]"]


def page_of(bucket: Bucket, cursor: VersionCursor | None, size: int) -> VersionPage:
    """At most ``size`` versions and delete markers behind ``cursor``; only the versions are shown."""
    rest = list(_behind(bucket, cursor))
    shown = rest[:size]
    more = VersionCursor(shown[-1][0], _name(shown[-1][1])) if len(rest) > size else None
    return VersionPage(tuple(_version(bucket, key, one) for key, one in shown if one.data is not None), more)


def _behind(bucket: Bucket, cursor: VersionCursor | None) -> Iterator[tuple[str, Stored]]:
    for key in sorted(bucket, key=str.encode):
        newest_first = bucket[key][::-1]
        if cursor is not None and key.encode() < cursor.key.encode():
            continue
        if cursor is not None and key == cursor.key:
            newest_first = newest_first[[_name(one) for one in newest_first].index(cursor.version_id) + 1 :]
        yield from ((key, one) for one in newest_first)


def _version(bucket: Bucket, key: str, one: Stored) -> Version:
    return Version(key, one.version_id, one.etag, one.last_modified, is_latest=one is bucket[key][-1])


def _name(one: Stored) -> str:
    return one.version_id or "null"

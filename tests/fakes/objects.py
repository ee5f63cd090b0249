"""Buckets in dicts."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from batchdrop.core.errors import Misconfigured, Rejected
from batchdrop.core.housekeeping import VersionCursor
from batchdrop.core.model import Source
from batchdrop.ports import (
    Clock,
    Deadline,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    Precondition,
    Readable,
    Replayable,
    UploadPart,
    VersionPage,
    Written,
)
from tests.fakes.multipart import Multipart, md5
from tests.fakes.ranges import Late
from tests.fakes.versions import page_of


@dataclass(frozen=True)
class Stored:
    """One version of one object. ``data`` is None in a delete marker."""

    version_id: str | None
    data: bytes | None
    etag: str
    last_modified: datetime
    metadata: Mapping[str, str]
    content_type: str


class InMemoryObjects:
    """``ports.ObjectStore`` over named buckets, each versioned or not.

    ``smallest_part``: the bytes that every part but the last must have. ``page``: names removed or
    versions listed at once.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        versioned: Iterable[str] = ("input", "output"),
        plain: Iterable[str] = ("work",),
        smallest_part: int = 5 * 2**20,
        page: int = 1_000,
    ) -> None:
        self.versioned = frozenset(versioned)
        self.uploads: dict[str, Multipart] = {}
        self.smallest_part = smallest_part
        self.page = page
        self._clock = clock
        self._named = 0  #: ids given out so far
        self._buckets: dict[str, dict[str, list[Stored]]] = {name: {} for name in (*self.versioned, *plain)}

    # what tests ask for
    def put(self, bucket: str, key: str, data: bytes | str, metadata: Mapping[str, str] | None = None) -> ObjectInfo:
        """Write an object whole; what stands there now."""
        body = data.encode() if isinstance(data, str) else data
        self._store(bucket, key, body, metadata=metadata or {}, content_type="binary/octet-stream")
        info = self.head(bucket, key)
        assert info is not None
        return info

    def read(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        """The whole of an object; ``Rejected("input_gone")`` if it is not there."""
        return self._data(bucket, key, version_id)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The names that are held, in order."""
        return sorted(
            key for key in self._bucket(bucket) if key.startswith(prefix) and self._find(bucket, key) is not None
        )

    def versions(self, bucket: str, key: str) -> list[Stored]:
        """Every version and delete marker of a name, oldest first."""
        return list(self._bucket(bucket).get(key, []))

    # the port
    def head(self, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo | None:
        found = self._find(bucket, key, version_id)
        if found is None or found.data is None:
            return None
        return ObjectInfo(
            bucket=bucket,
            key=key,
            version_id=found.version_id,
            etag=found.etag,
            bytes=len(found.data),
            last_modified=found.last_modified,
            metadata=dict(found.metadata),
        )

    def list_versions(self, bucket: str, cursor: VersionCursor | None = None) -> VersionPage:
        return page_of(self._bucket(bucket), cursor, self.page)

    @contextmanager
    def open(self, source: Source) -> Iterator[Readable]:
        yield io.BytesIO(self._range(source))

    def replayable(self, source: Source) -> Replayable:
        return Late(lambda: self._range(source), source.end_byte - source.first_byte)

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
        data = b"".join(blocks)
        if not self._holds(bucket, key, only):
            return None
        return self._store(bucket, key, data, metadata=metadata or {}, content_type=content_type)

    def delete(self, bucket: str, key: str) -> None:
        if bucket not in self.versioned:
            self._bucket(bucket).pop(key, None)
        else:
            marker = Stored(self._version_id(bucket), None, "", self._clock.now(), {}, "")
            self._bucket(bucket).setdefault(key, []).append(marker)

    def delete_prefix(self, bucket: str, prefix: str, deadline: Deadline) -> bool:
        held = self._bucket(bucket)
        while keys := sorted(key for key in held if key.startswith(prefix)):
            if deadline.remaining() <= 0:
                return False
            for key in keys[: self.page]:
                del held[key]
        return True

    def start_upload(self, bucket: str, key: str, *, metadata: Mapping[str, str], content_type: str) -> str:
        self._bucket(bucket)
        upload_id = self._id("upload")
        self.uploads[upload_id] = Multipart(bucket, key, _lower(metadata), content_type)
        return upload_id

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        upload = self._upload(bucket, key, upload_id)
        if upload is None:
            raise Rejected("upload_gone", f"there is no upload {upload_id}")
        return upload.add(number, data)

    def copy_part(self, bucket: str, key: str, upload_id: str, number: int, source: Source) -> UploadPart:
        return self.upload_part(bucket, key, upload_id, number, self._range(source))

    def list_parts(self, bucket: str, key: str, upload_id: str) -> list[UploadPart] | None:
        upload = self._upload(bucket, key, upload_id)
        return None if upload is None else upload.parts()

    def complete_upload(
        self, bucket: str, key: str, upload_id: str, parts: Iterable[UploadPart], *, only: Precondition
    ) -> Written | None:
        upload = self._upload(bucket, key, upload_id)
        if upload is None or not self._holds(bucket, key, only):
            return None
        data, etag = upload.join(list(parts), self.smallest_part)
        del self.uploads[upload_id]
        content_type = upload.content_type
        return self._store(bucket, key, data, metadata=upload.metadata, content_type=content_type, etag=etag)

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        if self._upload(bucket, key, upload_id) is not None:
            del self.uploads[upload_id]

    # inside
    def _bucket(self, name: str) -> dict[str, list[Stored]]:
        if name not in self._buckets:
            raise Misconfigured("no_such_bucket", f"there is no bucket {name}")
        return self._buckets[name]

    def _version_id(self, bucket: str) -> str | None:
        return self._id("version") if bucket in self.versioned else None

    def _id(self, kind: str) -> str:
        self._named += 1
        return f"{kind}-{self._named:06d}"

    def _find(self, bucket: str, key: str, version_id: str | None = None) -> Stored | None:
        versions = self._bucket(bucket).get(key, [])
        if version_id is None:
            return versions[-1] if versions and versions[-1].data is not None else None
        return next((one for one in versions if one.version_id == version_id), None)

    def _data(self, bucket: str, key: str, version_id: str | None) -> bytes:
        found = self._find(bucket, key, version_id)
        if found is None or found.data is None:
            raise Rejected("input_gone", f"s3://{bucket}/{key} is not there (any more)")
        return found.data

    def _range(self, source: Source) -> bytes:
        data = self._data(source.bucket, source.key, source.version_id)
        if source.end_byte > len(data):
            raise Rejected("input_gone", f"s3://{source.bucket}/{source.key} ends before byte {source.end_byte}")
        return data[source.first_byte : source.end_byte]

    def _store(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        metadata: Mapping[str, str],
        content_type: str,
        etag: str | None = None,
    ) -> Written:
        assert len(key.encode()) <= 1_024, "S3 takes no longer key"
        version_id = self._version_id(bucket)
        stored = Stored(version_id, data, etag or md5(data), self._clock.now(), _lower(metadata), content_type)
        former = self._bucket(bucket).get(key, []) if bucket in self.versioned else []
        self._bucket(bucket)[key] = [*former, stored]
        return Written(stored.etag, version_id)

    def _holds(self, bucket: str, key: str, only: Precondition) -> bool:
        info = self.head(bucket, key)
        if isinstance(only, IfMatch):
            return info is not None and info.etag == only.etag
        return not (isinstance(only, IfAbsent) and info is not None)

    def _upload(self, bucket: str, key: str, upload_id: str) -> Multipart | None:
        upload = self.uploads.get(upload_id)
        return upload if upload and (upload.bucket, upload.key) == (bucket, key) else None


def _lower(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in metadata.items()}

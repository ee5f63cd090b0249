"""A byte range of an object as a file: read on demand over one connection, resumed where it was cut."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, NotRequired, TypedDict

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from batchdrop.adapters.s3_errors import reading
from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Source

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

CUTS_IN_A_ROW = 4  #: cuts without a byte in between, before the queue takes over
_CUT = (BotoCoreError, HTTPError, OSError)


class Version(TypedDict):
    """How S3 calls name a version of an object."""

    Bucket: str
    Key: str
    VersionId: NotRequired[str]


def version(bucket: str, key: str, version_id: str | None) -> Version:
    named: Version = {"Bucket": bucket, "Key": key}
    if version_id is not None:
        named["VersionId"] = version_id
    return named


class _Same(TypedDict):
    IfMatch: NotRequired[str]


class Range:
    """``ports.Replayable``. Nothing is asked for until the first read; the connection is given back at the end."""

    def __init__(self, client: S3Client, source: Source) -> None:
        self._client = client
        self._source = source
        self._place = f"s3://{source.bucket}/{source.key}"
        self._size = source.end_byte - source.first_byte
        self._position = 0
        self._etag: str | None = None
        self._body: StreamingBody | None = None

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(2**20), b""))
        wanted = min(size, self._size - self._position)
        if wanted <= 0:
            return b""
        block = self._read_some(wanted)
        self._position += len(block)
        if self._position == self._size:
            self.close()
        return block

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        target = max(0, start + offset)
        if target != self._position:
            self.close()
        self._position = target
        return target

    def tell(self) -> int:
        return self._position

    def open(self) -> None:
        """Connect now, so that an object that is not there is known before anything is read."""
        if self._size > self._position:
            self._connected()

    def close(self) -> None:
        if self._body is not None:
            with suppress(*_CUT):
                self._body.close()
            self._body = None

    def _read_some(self, wanted: int) -> bytes:
        """At least one byte of what is left, however often the connection is cut before."""
        reason = "the answer ended early"
        for _ in range(CUTS_IN_A_ROW):
            body = self._connected()
            try:
                if block := body.read(wanted):
                    return block
            except _CUT as error:
                reason = type(error).__name__
            self.close()
        raise RetryLater(f"{self._place} was cut {CUTS_IN_A_ROW} times at byte {self._position}: {reason}")

    def _connected(self) -> StreamingBody:
        if self._body is None:
            self._body = self._get()
        return self._body

    def _get(self) -> StreamingBody:
        source = self._source
        first = source.first_byte + self._position
        # An unversioned object may have been replaced since the first part of it was read.
        same: _Same = {"IfMatch": self._etag} if self._etag else {}
        with reading(self._place):
            answer = self._client.get_object(
                **version(source.bucket, source.key, source.version_id),
                **same,
                Range=f"bytes={first}-{source.end_byte - 1}",
            )
        if not answer.get("ContentRange", "").startswith(f"bytes {first}-"):
            answer["Body"].close()
            raise RuntimeError(f"{self._place}: byte {first} was asked for, something else came")
        self._etag = answer["ETag"]
        return answer["Body"]

"""``ports.ObjectStore`` on S3. ETags are given without their quotes, as in S3's events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from batchdrop.adapters.aws import code_of
from batchdrop.adapters.s3_conditions import bare, conditional, headers, real_version
from batchdrop.adapters.s3_errors import GONE, reading, writing
from batchdrop.adapters.s3_metadata import from_headers, to_headers
from batchdrop.adapters.s3_multipart import S3Uploads
from batchdrop.adapters.s3_range import Range, version
from batchdrop.adapters.s3_versions import S3Versions
from batchdrop.core.errors import BatchdropError, RetryLater
from batchdrop.core.model import Source
from batchdrop.ports import Deadline, ObjectInfo, Precondition, Readable, Replayable, Written

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

PART = 8 * 2**20  #: bytes of a part that we stream; S3's 10,000 of them hold 80 GB
PAGE = 1_000  #: names or parts in one listing; also what one DeleteObjects takes
DELETE_PAGE_SECONDS = 5  #: what deleting one page of names may take
_NO_SUCH_VERSION = frozenset({"400", "InvalidArgument"})  #: an id that no version could have


class S3Objects(S3Uploads, S3Versions):
    """Objects on S3. The role needs s3:ListBucket: without it S3 answers 403 where it means 404."""

    def __init__(self, client: S3Client, *, part_bytes: int = PART, page: int = PAGE) -> None:
        super().__init__(client, page=page)
        self._part_bytes = part_bytes

    def head(self, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo | None:
        missing = GONE | _NO_SUCH_VERSION if version_id else GONE
        try:
            with reading(f"s3://{bucket}/{key}", through=missing):
                answer = self._client.head_object(**version(bucket, key, version_id))
        except ClientError as error:
            if code_of(error) in missing:
                return None
            raise
        return ObjectInfo(
            bucket=bucket,
            key=key,
            version_id=real_version(answer.get("VersionId")),
            etag=bare(answer["ETag"]),
            bytes=answer["ContentLength"],
            last_modified=answer["LastModified"],
            metadata=from_headers(answer["Metadata"]),
        )

    @contextmanager
    def open(self, source: Source) -> Iterator[Readable]:
        stream = Range(self._client, source)
        stream.open()
        try:
            yield stream
        finally:
            stream.close()

    def replayable(self, source: Source) -> Replayable:
        return Range(self._client, source)

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
        parts = _parts(blocks, self._part_bytes)
        first = next(parts, b"")
        if len(first) < self._part_bytes:
            return self._put(bucket, key, first, metadata=metadata or {}, content_type=content_type, only=only)
        upload_id = self.start_upload(bucket, key, metadata=metadata or {}, content_type=content_type)
        try:
            sent = [self.upload_part(bucket, key, upload_id, 1, first)]
            del first  # nor is any later part held while the next one is gathered
            sent += map(partial(self.upload_part, bucket, key, upload_id), count(2), parts)
            written = self.complete_upload(bucket, key, upload_id, sent, only=only)
        except BaseException:
            self._drop(bucket, key, upload_id)
            raise
        if written is None:
            self._drop(bucket, key, upload_id)
        return written

    def delete(self, bucket: str, key: str) -> None:
        with writing(f"s3://{bucket}/{key}"):
            self._client.delete_object(Bucket=bucket, Key=key)

    def delete_prefix(self, bucket: str, prefix: str, deadline: Deadline) -> bool:
        with writing(f"s3://{bucket}/{prefix}*"):
            while True:
                # From the start each time: what a marker names would be gone.
                page = self._client.list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=self._page)
                # "null" is named too: without it, a bucket whose versioning is suspended only gets a marker more.
                found: list[ObjectIdentifierTypeDef] = [
                    {"Key": one["Key"], "VersionId": one["VersionId"]}
                    for one in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
                ]
                if not found:
                    return True
                if deadline.remaining() < DELETE_PAGE_SECONDS:
                    return False
                self._delete_page(bucket, found)
                if not page["IsTruncated"]:
                    return True

    def _delete_page(self, bucket: str, names: list[ObjectIdentifierTypeDef]) -> None:
        answer = self._client.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})
        if errors := answer.get("Errors"):
            raise RetryLater(f"S3 kept {len(errors)} of {len(names)} objects: {errors[0].get('Code')}")

    def _put(
        self, bucket: str, key: str, data: bytes, *, metadata: Mapping[str, str], content_type: str, only: Precondition
    ) -> Written | None:
        return conditional(
            lambda: self._client.put_object(
                Bucket=bucket,
                Key=key,
                Body=data,
                Metadata=to_headers(metadata),
                ContentType=content_type,
                **headers(only),
            ),
            f"s3://{bucket}/{key}",
            only,
        )

    def _drop(self, bucket: str, key: str, upload_id: str) -> None:
        # What brought us here matters more; the bucket's lifecycle takes what stays.
        with suppress(BatchdropError):
            self.abort_upload(bucket, key, upload_id)


def _parts(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The stream in pieces of exactly ``size`` bytes, the last one shorter."""
    held: list[bytes] = []
    room = size
    for block in blocks:
        at = 0
        while len(block) - at >= room:
            held.append(block[at : at + room])
            at, room = at + room, size
            yield _emptied(held)
        if at < len(block):
            held.append(block[at:])
            room -= len(block) - at
    if held:
        yield _emptied(held)


def _emptied(held: list[bytes]) -> bytes:
    whole = b"".join(held)
    held.clear()
    return whole

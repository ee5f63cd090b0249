"""The object stores that the contract is held against, and what its tests do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchdrop.adapters.s3 import S3Objects
from batchdrop.core.model import Source
from batchdrop.ports import ObjectStore, Written
from tests.fakes import FakeClock, InMemoryObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 5 * 2**20
PAGE = 3


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, clock: FakeClock) -> ObjectStore:
    if request.param == "memory":
        return InMemoryObjects(clock, page=PAGE)
    client: S3Client = request.getfixturevalue("s3")
    return S3Objects(client, part_bytes=PART, page=PAGE)


def source(key: str, first: int, end: int, *, bucket: str = "input", version_id: str | None = None) -> Source:
    return Source(bucket=bucket, key=key, version_id=version_id, first_byte=first, end_byte=end)


def read(store: ObjectStore, bucket: str, key: str, version_id: str | None = None) -> bytes:
    info = store.head(bucket, key, version_id)
    assert info is not None
    with store.open(source(key, 0, info.bytes, bucket=bucket, version_id=version_id)) as stream:
        return b"".join(iter(lambda: stream.read(64 * 1024), b""))


def put(store: ObjectStore, key: str, data: bytes, bucket: str = "input") -> Written:
    written = store.write(bucket, key, [data])
    assert written is not None
    return written


def keys(store: ObjectStore, bucket: str, names: list[str]) -> list[str]:
    return [name for name in names if store.head(bucket, name)]


def open_uploads(store: ObjectStore) -> int:
    if isinstance(store, InMemoryObjects):
        return len(store.uploads)
    assert isinstance(store, S3Objects)
    return len(store._client.list_multipart_uploads(Bucket="work").get("Uploads", []))

"""The collecting side once more, over the real S3 adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from batchdrop.adapters.s3 import S3Objects
from batchdrop.core.states import JobState
from batchdrop.ports import ObjectInfo
from tests.fakes.answers import answer
from tests.fakes.objects import InMemoryObjects
from tests.usecases.collecting.assembling import MIB, assemble, large
from tests.usecases.collecting.world import World, ids

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class OnS3(S3Objects):
    """With what tests ask of the fake."""

    def put(self, bucket: str, key: str, data: bytes, metadata: dict[str, str] | None = None) -> ObjectInfo:
        self._client.put_object(Bucket=bucket, Key=key, Body=data, Metadata=metadata or {})
        info = self.head(bucket, key)
        assert info is not None
        return info

    def read(self, bucket: str, key: str) -> bytes:
        return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def keys(self, bucket: str) -> list[str]:
        return [one["Key"] for one in self._client.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture
def world(tmp_path: Path, s3: S3Client) -> World:
    world = World(tmp_path)
    world.objects = cast("InMemoryObjects", cast("Any", OnS3(s3)))
    return world


def test_large_and_small_parts_are_put_together_by_s3(world: World, s3: S3Client) -> None:
    job, whole = large(world, 6 * MIB, 100, 200, 12 * MIB, 6 * MIB)

    ended = assemble(world, job)

    assert ended is not None
    assert ended.state is JobState.COMPLETED
    assert world.output("large.results.jsonl") == whole
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="output")


def test_a_key_of_any_characters_is_delivered_under_its_own_stem_and_replaced_by_its_next_run(world: World) -> None:
    stem = "rev iews/\u00fc+%2F\U0001f600"
    job, [batch] = world.run(["a", "b"], key=f"{stem}.jsonl")
    world.finish(batch, errors=[answer("b", 400)])
    world.settle(job)
    assert sorted(world.objects.keys("output")) == [f"{stem}.errors.jsonl", f"{stem}.results.jsonl"]
    assert world.objects.keys("work") == []

    again, [batch] = world.run(["c"], key=f"{stem}.jsonl")
    world.finish(batch)
    world.settle(again)

    assert world.objects.keys("output") == [f"{stem}.results.jsonl"]
    assert ids(world.output(f"{stem}.results.jsonl")) == ["c"]

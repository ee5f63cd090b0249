"""Objects as blocks of bytes."""

from __future__ import annotations

import pytest

from batchdrop.core import stream
from batchdrop.core.model import Source
from batchdrop.usecases import contents
from tests.fakes.clock import FakeClock
from tests.fakes.objects import InMemoryObjects


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects(FakeClock())


@pytest.mark.parametrize("size", [0, 1, stream.BLOCK, 2 * stream.BLOCK + 1])
def test_a_whole_object_is_read_to_its_end(objects: InMemoryObjects, size: int) -> None:
    objects.put("work", "a", b"x" * size)
    blocks = contents.whole(objects, "work", "a")
    assert blocks is not None
    assert b"".join(blocks) == b"x" * size


def test_an_object_that_is_not_there_is_told_from_an_empty_one(objects: InMemoryObjects) -> None:
    assert contents.whole(objects, "work", "a") is None


def test_a_part_is_its_bytes_and_an_empty_one_is_not_asked_for(objects: InMemoryObjects) -> None:
    objects.put("work", "a", b"abcdef")
    assert b"".join(contents.part(objects, Source(bucket="work", key="a", first_byte=2, end_byte=4))) == b"cd"
    assert list(contents.part(objects, Source(bucket="work", key="gone", first_byte=2, end_byte=2))) == []

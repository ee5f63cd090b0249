"""What every object store promises about writing: whole or not at all, and only where it may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchdrop.ports import IfAbsent, IfMatch, ObjectStore, Written
from tests.contract.stores import PART, open_uploads, put, read, store

__all__ = ["store"]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 7])
def test_a_stream_of_any_length_is_written_whole(store: ObjectStore, size: int) -> None:
    data = bytes(index % 251 for index in range(1000)) * (size // 1000 + 1)
    blocks = (data[start : min(start + 999_999, size)] for start in range(0, size, 999_999))
    written = store.write("work", "a", blocks, metadata={"x": "y"}, content_type="application/json")
    info = store.head("work", "a")
    assert written is not None
    assert info is not None
    assert (info.bytes, info.etag, dict(info.metadata)) == (size, written.etag, {"x": "y"})
    assert read(store, "work", "a") == data[:size]


@pytest.mark.parametrize("before", [b"", b"x" * (PART + 1)], ids=["in the first part", "in a later part"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_source_that_fails_leaves_nothing_behind(
    store: ObjectStore, before: bytes, error: type[BaseException]
) -> None:
    def blocks() -> Iterator[bytes]:
        yield before
        raise error

    put(store, "a", b"former", "work")
    with pytest.raises(error):
        store.write("work", "a", blocks())
    assert read(store, "work", "a") == b"former"
    assert open_uploads(store) == 0


@pytest.mark.parametrize("size", [1, PART + 1], ids=["whole", "in parts"])
class TestPrecondition:
    def write(self, store: ObjectStore, size: int, only: IfAbsent | IfMatch) -> Written | None:
        return store.write("work", "a", [b"n" * size], only=only)

    def test_if_absent_writes_to_a_free_name(self, store: ObjectStore, size: int) -> None:
        assert self.write(store, size, IfAbsent()) is not None
        assert read(store, "work", "a") == b"n" * size

    def test_if_absent_leaves_a_held_name_alone(self, store: ObjectStore, size: int) -> None:
        put(store, "a", b"former", "work")
        assert self.write(store, size, IfAbsent()) is None
        assert read(store, "work", "a") == b"former"
        assert open_uploads(store) == 0

    def test_if_match_replaces_what_the_caller_saw(self, store: ObjectStore, size: int) -> None:
        seen = put(store, "a", b"former", "work")
        assert self.write(store, size, IfMatch(seen.etag)) is not None
        assert read(store, "work", "a") == b"n" * size

    def test_if_match_leaves_alone_what_somebody_else_wrote(self, store: ObjectStore, size: int) -> None:
        seen = put(store, "a", b"former", "work")
        put(store, "a", b"other", "work")
        assert self.write(store, size, IfMatch(seen.etag)) is None
        assert read(store, "work", "a") == b"other"
        assert open_uploads(store) == 0

    def test_if_match_does_not_write_to_a_name_that_was_freed(self, store: ObjectStore, size: int) -> None:
        seen = put(store, "a", b"former", "work")
        store.delete("work", "a")
        assert self.write(store, size, IfMatch(seen.etag)) is None
        assert store.head("work", "a") is None


def test_if_absent_takes_a_name_whose_object_was_deleted(store: ObjectStore) -> None:
    put(store, "a", b"former", "output")
    store.delete("output", "a")
    assert store.write("output", "a", [b"new"], only=IfAbsent()) is not None

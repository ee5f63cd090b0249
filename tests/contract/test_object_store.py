"""What every object store promises, in memory and on S3."""

from __future__ import annotations

import pytest

from batchdrop.core.errors import Misconfigured, Rejected
from batchdrop.ports import ObjectStore
from tests.contract.stores import PAGE, keys, put, read, source, store
from tests.fakes import FakeDeadline

__all__ = ["store"]

KEYS = ["a b+c%2F=&;,?.jsonl", "späße/日本 \u2028.jsonl", "../up/./x.jsonl", "trailing space .jsonl"]


# ── what stands there ───────────────────────────────────────────────────────────────────────────────────────────────


def test_head_tells_what_was_written(store: ObjectStore) -> None:
    written = store.write("input", "a.jsonl", [b"one\n", b"two\n"], metadata={"Invalid-Lines": "reject"})
    info = store.head("input", "a.jsonl")
    assert written is not None
    assert info is not None
    assert (info.bytes, info.etag, info.version_id) == (8, written.etag, written.version_id)
    assert dict(info.metadata) == {"invalid-lines": "reject"}
    assert info.version_id is not None
    assert info.last_modified.tzinfo is not None
    assert '"' not in info.etag


def test_nothing_stands_under_a_name_that_was_never_written(store: ObjectStore) -> None:
    assert store.head("input", "nothing.jsonl") is None
    assert store.head("input", "nothing.jsonl", "no-such-version") is None


def test_a_bucket_without_versions_gives_none(store: ObjectStore) -> None:
    assert put(store, "a", b"x", "work").version_id is None
    info = store.head("work", "a")
    assert info is not None
    assert info.version_id is None


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_a_name_and_comes_back_as_it_was(store: ObjectStore, key: str) -> None:
    put(store, key, key.encode())
    assert read(store, "input", key) == key.encode()
    store.delete("input", key)
    assert store.head("input", key) is None


@pytest.mark.parametrize(
    "value", ["plain", "späße/日本.jsonl", "=?UTF-8?B?eA==?=", " padded ", "line\nbreak", "", "ä" * 500]
)
def test_metadata_of_any_text_comes_back_as_it_was(store: ObjectStore, value: str) -> None:
    store.write("output", "a", [b"x"], metadata={"input-key": value})
    info = store.head("output", "a")
    assert info is not None
    assert dict(info.metadata) == {"input-key": value}


def test_each_version_keeps_its_own_bytes(store: ObjectStore) -> None:
    older, newer = put(store, "a", b"older"), put(store, "a", b"newer!")
    assert read(store, "input", "a", older.version_id) == b"older"
    assert read(store, "input", "a", newer.version_id) == b"newer!"
    assert read(store, "input", "a") == b"newer!"


def test_a_deleted_name_is_empty_but_its_versions_stay(store: ObjectStore) -> None:
    written = put(store, "a", b"kept")
    store.delete("input", "a")
    store.delete("input", "a")
    assert store.head("input", "a") is None
    assert read(store, "input", "a", written.version_id) == b"kept"


def test_deleting_what_is_not_there_is_no_error(store: ObjectStore) -> None:
    store.delete("work", "nothing")
    store.delete("input", "nothing")


def test_a_bucket_that_is_not_there_is_for_the_operator(store: ObjectStore) -> None:
    with pytest.raises(Misconfigured):
        store.write("no-such-bucket", "a", [b"x"])


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_range_is_half_open(store: ObjectStore) -> None:
    put(store, "a", b"0123456789")
    with store.open(source("a", 2, 5)) as stream:
        assert stream.read() == b"234"
        assert stream.read(1) == b""


def test_a_range_of_an_older_version_is_a_range_of_that_version(store: ObjectStore) -> None:
    older = put(store, "a", b"0123456789")
    put(store, "a", b"abcdefghij")
    with store.open(source("a", 2, 5, version_id=older.version_id)) as stream:
        assert stream.read() == b"234"


def test_reads_give_at_most_what_was_asked_until_the_end(store: ObjectStore) -> None:
    put(store, "a", b"0123456789")
    with store.open(source("a", 1, 9)) as stream:
        blocks = list(iter(lambda: stream.read(3), b""))
    assert b"".join(blocks) == b"12345678"
    assert all(1 <= len(block) <= 3 for block in blocks)


def test_an_empty_range_reads_as_nothing(store: ObjectStore) -> None:
    put(store, "a", b"")
    with store.open(source("a", 0, 0)) as stream:
        assert stream.read() == b""


def test_a_version_that_is_gone_is_rejected_before_the_first_read(store: ObjectStore) -> None:
    put(store, "a", b"x")
    for missing in (source("b", 0, 1), source("a", 0, 1, version_id="no-such-version")):
        with pytest.raises(Rejected) as caught, store.open(missing):
            pytest.fail("opened what is not there")
        assert caught.value.code == "input_gone"


def test_a_range_beyond_the_object_is_rejected_not_cut_short(store: ObjectStore) -> None:
    put(store, "a", b"0123456789", "work")
    beyond = store.replayable(source("a", 5, 20, bucket="work"))
    with pytest.raises(Rejected) as caught:
        list(iter(lambda: beyond.read(100), b""))
    assert caught.value.code == "input_gone"


def test_a_replayable_tells_its_length_and_starts_again(store: ObjectStore) -> None:
    put(store, "a", b"0123456789")
    body = store.replayable(source("a", 2, 8))
    assert (body.seek(0, 2), body.tell(), body.read()) == (6, 6, b"")
    assert (body.seek(0), body.read(4), body.tell()) == (0, b"2345", 4)
    assert body.seek(0, 1) == 4
    assert body.read() == b"67"
    body.seek(0)
    assert body.read() == b"234567"


# ── many at once ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_prefix_is_removed_and_its_neighbours_stay(store: ObjectStore) -> None:
    names = ["p/1", "p/2 x", "p/sub/3", "p", "q/1"]
    for name in names:
        put(store, name, b"x", "output")
    assert store.delete_prefix("output", "p/", FakeDeadline())
    assert keys(store, "output", names) == ["p", "q/1"]
    assert store.delete_prefix("output", "p/", FakeDeadline())


def test_removing_a_prefix_leaves_no_version_behind(store: ObjectStore) -> None:
    for name in ("p/1", "p/1", "p/2", "q/1"):
        put(store, name, b"x")
    store.delete("input", "p/2")
    assert store.delete_prefix("input", "p/", FakeDeadline())
    assert [version.key for version in store.list_versions("input").versions] == ["q/1"]


def test_removing_a_prefix_stops_when_time_is_over_and_goes_on_later(store: ObjectStore) -> None:
    names = [f"p/{number:04d}" for number in range(2 * PAGE + 1)]
    for name in names:
        put(store, name, b"", "work")
    assert not store.delete_prefix("work", "p/", FakeDeadline(60, each=60))
    assert len(keys(store, "work", names)) == PAGE + 1
    assert store.delete_prefix("work", "p/", FakeDeadline())
    assert keys(store, "work", names) == []

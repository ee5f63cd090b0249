"""What every object store promises about multipart uploads."""

from __future__ import annotations

import pytest

from batchdrop.core.errors import Rejected
from batchdrop.ports import IfAbsent, IfMatch, ObjectStore
from tests.contract.stores import PAGE, PART, open_uploads, put, read, source, store

__all__ = ["store"]

A, B, END = b"a" * PART, b"b" * PART, b"end"


def start(store: ObjectStore, key: str = "joined") -> str:
    return store.start_upload("work", key, metadata={"Input-Key": "späße"}, content_type="application/jsonl")


def test_an_object_is_made_of_its_parts_in_order(store: ObjectStore) -> None:
    upload = start(store)
    parts = [store.upload_part("work", "joined", upload, number, data) for number, data in [(3, END), (1, A), (2, B)]]
    assert store.list_parts("work", "joined", upload) == sorted(parts, key=lambda part: part.number)
    written = store.complete_upload(
        "work", "joined", upload, sorted(parts, key=lambda part: part.number), only=IfAbsent()
    )
    info = store.head("work", "joined")
    assert written is not None
    assert info is not None
    assert read(store, "work", "joined") == A + B + END
    assert (info.etag, dict(info.metadata)) == (written.etag, {"input-key": "späße"})
    assert open_uploads(store) == 0


def test_nothing_shows_before_the_upload_is_completed(store: ObjectStore) -> None:
    upload = start(store)
    store.upload_part("work", "joined", upload, 1, END)
    assert store.head("work", "joined") is None


def test_a_part_sent_again_replaces_the_former(store: ObjectStore) -> None:
    upload = start(store)
    store.upload_part("work", "joined", upload, 1, b"former")
    part = store.upload_part("work", "joined", upload, 1, b"latter")
    assert store.list_parts("work", "joined", upload) == [part]
    store.complete_upload("work", "joined", upload, [part], only=None)
    assert read(store, "work", "joined") == b"latter"


def test_a_part_is_copied_from_a_range_of_a_version(store: ObjectStore) -> None:
    key = "späße/a b+c.jsonl"
    older = put(store, key, b"0123456789")
    put(store, key, b"xxxxxxxxxx")
    upload = start(store)
    part = store.copy_part("work", "joined", upload, 1, source(key, 2, 6, version_id=older.version_id))
    assert part.bytes == 4
    assert store.list_parts("work", "joined", upload) == [part]
    store.complete_upload("work", "joined", upload, [part], only=None)
    assert read(store, "work", "joined") == b"2345"


def test_copying_what_is_gone_is_rejected(store: ObjectStore) -> None:
    upload = start(store)
    with pytest.raises(Rejected) as caught:
        store.copy_part("work", "joined", upload, 1, source("nothing", 0, 1))
    assert caught.value.code == "input_gone"


def test_an_upload_under_a_condition_that_does_not_hold_can_be_completed_under_another(store: ObjectStore) -> None:
    held = put(store, "joined", b"former", "work")
    upload = start(store)
    part = store.upload_part("work", "joined", upload, 1, END)
    assert store.complete_upload("work", "joined", upload, [part], only=IfAbsent()) is None
    assert read(store, "work", "joined") == b"former"
    assert store.complete_upload("work", "joined", upload, [part], only=IfMatch(held.etag)) is not None
    assert read(store, "work", "joined") == END


def test_an_upload_that_was_aborted_is_unknown(store: ObjectStore) -> None:
    upload = start(store)
    part = store.upload_part("work", "joined", upload, 1, END)
    store.abort_upload("work", "joined", upload)
    store.abort_upload("work", "joined", upload)
    assert store.list_parts("work", "joined", upload) is None
    assert store.complete_upload("work", "joined", upload, [part], only=None) is None
    with pytest.raises(Rejected) as caught:
        store.upload_part("work", "joined", upload, 2, END)
    assert caught.value.code == "upload_gone"


def test_two_uploads_to_one_name_do_not_meet(store: ObjectStore) -> None:
    first, second = start(store), start(store)
    assert first != second
    store.upload_part("work", "joined", first, 1, b"first")
    part = store.upload_part("work", "joined", second, 1, b"second")
    store.complete_upload("work", "joined", second, [part], only=None)
    assert read(store, "work", "joined") == b"second"
    assert store.list_parts("work", "joined", first) is not None


def test_more_parts_than_a_page_are_all_listed(store: ObjectStore) -> None:
    upload = start(store)
    for number in range(1, 2 * PAGE + 2):
        store.upload_part("work", "joined", upload, number, b"x")
    listed = store.list_parts("work", "joined", upload)
    assert listed is not None
    assert [part.number for part in listed] == list(range(1, 2 * PAGE + 2))

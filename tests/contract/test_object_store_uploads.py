"""What every object store promises about multipart uploads."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from batchdrop.adapters.s3_multipart import S3Uploads
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


def test_s3_is_told_of_checksums_beforehand_and_again_of_each_at_the_end() -> None:
    client = boto3.client("s3", region_name="eu-central-1")
    uploads, joined = S3Uploads(client, page=PAGE), {"Bucket": "work", "Key": "joined"}
    part, algorithm = joined | {"UploadId": "u"}, {"ChecksumAlgorithm": "CRC32"}
    with Stubber(client) as stubber:
        begun = joined | algorithm | {"Metadata": {}, "ContentType": "application/jsonl"}
        stubber.add_response("create_multipart_upload", {"UploadId": "u"}, begun)
        sent = part | algorithm | {"PartNumber": 1, "Body": END}
        stubber.add_response("upload_part", {"ETag": '"e1"', "ChecksumCRC32": "one="}, sent)
        copied = part | {"PartNumber": 2, "CopySource": {"Bucket": "input", "Key": "a"}, "CopySourceRange": "bytes=0-2"}
        copy = {"CopyPartResult": {"ETag": '"e2"', "ChecksumCRC32": "two="}}
        stubber.add_response("upload_part_copy", copy, copied)
        old = {"PartNumber": 3, "ETag": '"e3"', "Size": 4, "ChecksumCRC32": "old="}
        stubber.add_response("list_parts", {"Parts": [old]}, part | {"MaxParts": PAGE})
        ended = [
            {"PartNumber": 1, "ETag": '"e1"', "ChecksumCRC32": "one="},
            {"PartNumber": 2, "ETag": '"e2"', "ChecksumCRC32": "two="},
            {"PartNumber": 3, "ETag": '"e3"', "ChecksumCRC32": "old="},
        ]
        stubber.add_response(
            "complete_multipart_upload", {"ETag": '"all-3"'}, part | {"MultipartUpload": {"Parts": ended}}
        )
        upload = uploads.start_upload("work", "joined", metadata={}, content_type="application/jsonl")
        parts = [
            uploads.upload_part("work", "joined", upload, 1, END),
            uploads.copy_part("work", "joined", upload, 2, source("a", 0, 3)),
            *(uploads.list_parts("work", "joined", upload) or []),
        ]
        assert uploads.complete_upload("work", "joined", upload, parts, only=None) is not None
        stubber.assert_no_pending_responses()

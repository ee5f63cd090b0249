"""The list of a bucket's versions, in memory and on S3."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from batchdrop.adapters.s3 import S3Objects
from batchdrop.core.errors import Misconfigured, RetryLater
from batchdrop.core.housekeeping import VersionCursor
from batchdrop.ports import ObjectStore, Version
from tests.contract.stores import PAGE, PART, put, store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["store"]

KEYS = ["a b+c%2F=&;,?.jsonl", "späße/日本 \u2028.jsonl", "../up/./x.jsonl", "line\nbreak.jsonl", "z"]


def listed(store: ObjectStore, bucket: str = "input") -> list[Version]:
    """All pages, one after the other."""
    found: list[Version] = []
    cursor: VersionCursor | None = None
    while True:
        page = store.list_versions(bucket, cursor)
        assert len(page.versions) <= PAGE
        found += page.versions
        cursor = page.cursor
        if cursor is None:
            return found


def test_an_empty_bucket_is_one_empty_page(store: ObjectStore) -> None:
    page = store.list_versions("input")
    assert (page.versions, page.cursor) == ((), None)


def test_every_version_is_listed_once_by_key_the_newest_first(store: ObjectStore) -> None:
    written = [(key, put(store, key, bytes(number)).version_id) for number in range(4) for key in ("a", "b")]
    wanted = [(key, version) for key in ("a", "b") for name, version in reversed(written) if name == key]
    found = listed(store)
    assert [(version.key, version.version_id) for version in found] == wanted
    assert [version.is_latest for version in found] == [True, False, False, False] * 2


def test_a_version_shows_what_head_shows(store: ObjectStore) -> None:
    put(store, "a.jsonl", b"one\n")
    (version,) = listed(store)
    info = store.head("input", "a.jsonl")
    assert info
    assert (version.etag, version.version_id) == (info.etag, info.version_id)
    assert abs(version.last_modified - info.last_modified) < dt.timedelta(seconds=1)


def test_keys_of_every_kind_come_back_as_they_were_over_pages(store: ObjectStore) -> None:
    for key in KEYS:
        put(store, key, b"x")
        put(store, key, b"y")
    assert {version.key for version in listed(store)} == set(KEYS)
    assert len(listed(store)) == 2 * len(KEYS)


def test_delete_markers_are_left_out_and_what_they_hide_is_not(store: ObjectStore) -> None:
    for key in ("a", "b", "c"):
        put(store, key, b"x")
        store.delete("input", key)
    put(store, "c", b"y")
    assert [(version.key, version.is_latest) for version in listed(store)] == [
        ("a", False),
        ("b", False),
        ("c", True),
        ("c", False),
    ]


def test_a_page_of_delete_markers_alone_is_empty_and_not_the_end(store: ObjectStore) -> None:
    put(store, "a", b"x")
    for _ in range(2 * PAGE):
        store.delete("input", "a")
    page = store.list_versions("input")
    assert page.versions == ()
    assert page.cursor is not None
    assert [version.key for version in listed(store)] == ["a"]


def test_a_bucket_without_versions_lists_its_objects_and_no_ids(store: ObjectStore) -> None:
    for number in range(PAGE + 1):
        put(store, f"{number}", b"x", "work")
    found = listed(store, "work")
    assert [(version.key, version.version_id, version.is_latest) for version in found] == [
        (f"{number}", None, True) for number in range(PAGE + 1)
    ]


def test_a_cursor_stays_good_while_the_bucket_changes(store: ObjectStore) -> None:
    for number in range(PAGE + 2):
        put(store, f"{number}", b"x")
    cursor = store.list_versions("input").cursor
    put(store, "0", b"again")
    put(store, f"{PAGE - 1}", b"again")
    store.delete("input", f"{PAGE - 1}")
    page = store.list_versions("input", cursor)
    assert [version.key for version in page.versions] == [f"{PAGE}", f"{PAGE + 1}"]
    assert page.cursor is None


def test_a_multipart_upload_shows_by_its_etag(store: ObjectStore) -> None:
    upload_id = store.start_upload("input", "a", metadata={}, content_type="text/plain")
    part = store.upload_part("input", "a", upload_id, 1, b"x")
    store.complete_upload("input", "a", upload_id, [part], only=None)
    assert [version.etag[-2:] for version in listed(store)] == ["-1"]


def test_what_was_written_before_the_bucket_kept_versions_has_no_id(s3: S3Client) -> None:
    store = S3Objects(s3, part_bytes=PART, page=PAGE)
    put(store, "a", b"x", "work")
    s3.put_bucket_versioning(Bucket="work", VersioningConfiguration={"Status": "Enabled"})
    new = put(store, "a", b"y", "work")
    assert [(version.version_id, version.is_latest) for version in listed(store, "work")] == [
        (new.version_id, True),
        (None, False),
    ]


@pytest.mark.parametrize(("code", "kind"), [("AccessDenied", Misconfigured), ("SlowDown", RetryLater)])
def test_a_bucket_that_cannot_be_listed_is_never_the_uploaders_fault(
    s3: S3Client, code: str, kind: type[Exception]
) -> None:
    store = S3Objects(s3, part_bytes=PART, page=PAGE)
    with Stubber(s3) as stub:
        stub.add_client_error("list_object_versions", code, http_status_code=403 if code == "AccessDenied" else 503)
        with pytest.raises(kind):
            store.list_versions("input")


def test_a_pass_whose_place_s3_does_not_take_begins_anew(s3: S3Client) -> None:
    store, cursor = S3Objects(s3, part_bytes=PART, page=PAGE), VersionCursor("a.jsonl", "gone")
    every = {"Bucket": "input", "MaxKeys": PAGE}
    with Stubber(s3) as stub:
        at = every | {"KeyMarker": "a.jsonl", "VersionIdMarker": "gone"}
        stub.add_client_error("list_object_versions", "InvalidArgument", http_status_code=400, expected_params=at)
        stub.add_response("list_object_versions", {"IsTruncated": False}, every)
        assert store.list_versions("input", cursor).cursor is None
        stub.assert_no_pending_responses()


def test_a_refusal_that_is_not_of_a_place_is_not_asked_for_again(s3: S3Client) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("list_object_versions", "InvalidArgument", http_status_code=400)
        with pytest.raises(ClientError):
            S3Objects(s3).list_versions("input")

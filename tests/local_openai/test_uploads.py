from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.local_openai.driving import counts, create, lines

if TYPE_CHECKING:
    from openai.types import Upload

    from local.openai import Admin

CONTENT = lines(40)
MIDDLE = len(CONTENT) // 2


def announce(client: openai.OpenAI, size: int = len(CONTENT), **changes: Any) -> Upload:
    asked: dict[str, Any] = {"bytes": size, "filename": "a.jsonl", "mime_type": "application/jsonl", "purpose": "batch"}
    return client.uploads.create(**asked | changes)


def part(client: openai.OpenAI, upload: Upload, data: bytes) -> str:
    return client.uploads.parts.create(upload.id, data=data).id


def test_parts_are_put_together_in_the_order_that_complete_names(client: openai.OpenAI, admin: Admin) -> None:
    upload = announce(client)
    assert (upload.status, upload.expires_at, upload.file) == ("pending", upload.created_at + 3_600, None)
    second, first = part(client, upload, CONTENT[MIDDLE:]), part(client, upload, CONTENT[:MIDDLE])
    done = client.uploads.complete(upload.id, part_ids=[first, second], md5=hashlib.md5(CONTENT).hexdigest())
    assert done.status == "completed"
    assert done.file is not None
    assert (done.file.bytes, done.file.purpose, done.file.filename) == (len(CONTENT), "batch", "a.jsonl")
    assert client.files.content(done.file.id).content == CONTENT
    batch = create(client, done.file.id)
    admin.advance(1_000)
    assert counts(client.batches.retrieve(batch.id)) == (40, 40, 0)
    entry = admin.journal("uploads.complete")[0]
    assert entry["ids"] == {"upload": upload.id, "file": done.file.id}


def test_the_sdk_uploads_a_file_in_parts_by_itself(client: openai.OpenAI, tmp_path: Any) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(CONTENT)
    done = client.uploads.upload_file_chunked(
        file=path, mime_type="application/jsonl", purpose="batch", part_size=len(CONTENT) // 3
    )
    assert done.file is not None
    assert client.files.content(done.file.id).content == CONTENT


@pytest.mark.parametrize("wrong", ["bytes", "md5", "part", "missing part", "order"])
def test_what_does_not_fit_is_refused_and_the_upload_can_still_be_completed(client: openai.OpenAI, wrong: str) -> None:
    upload = announce(client)
    good = [part(client, upload, CONTENT[:MIDDLE]), part(client, upload, CONTENT[MIDDLE:])]
    md5 = hashlib.md5(CONTENT).hexdigest()
    part_ids, given = {
        "bytes": ([*good, good[0]], md5),
        "md5": (good, "0" * 32),
        "part": (["part_x"], md5),
        "missing part": (good[:1], md5),
        "order": (good[::-1], md5),
    }[wrong]
    with pytest.raises(openai.BadRequestError):
        client.uploads.complete(upload.id, part_ids=part_ids, md5=given)
    assert client.files.list().data == []
    assert client.uploads.complete(upload.id, part_ids=good, md5=md5).status == "completed"


@pytest.mark.parametrize("how", ["completed", "cancelled", "expired"])
def test_an_upload_that_has_ended_takes_nothing_more(client: openai.OpenAI, admin: Admin, how: str) -> None:
    upload = announce(client)
    part_id = part(client, upload, CONTENT)
    if how == "completed":
        client.uploads.complete(upload.id, part_ids=[part_id])
    elif how == "cancelled":
        assert client.uploads.cancel(upload.id).status == "cancelled"
    else:
        admin.advance(3_600)
    for call in (
        lambda: part(client, upload, b"x"),
        lambda: client.uploads.complete(upload.id, part_ids=[part_id]),
        lambda: client.uploads.cancel(upload.id),
    ):
        with pytest.raises(openai.BadRequestError, match=how):
            call()


def test_limits_are_those_of_files_and_of_parts(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(max_part_bytes=1_000, max_batch_bytes=1_500, max_upload_total_bytes=5_000)
    upload = announce(client, 1_600)
    with pytest.raises(openai.BadRequestError, match="too large"):
        part(client, upload, b"x" * 1_001)
    pieces = [part(client, upload, b'"' + b"x" * 999), part(client, upload, b"x" * 599 + b'"')]
    with pytest.raises(openai.BadRequestError, match="File is too large"):
        client.uploads.complete(upload.id, part_ids=pieces)
    with pytest.raises(openai.BadRequestError, match="5000"):
        announce(client, 5_001)
    with pytest.raises(openai.NotFoundError):
        client.uploads.cancel("upload_x")
    other = announce(client, 3, filename="a.json")
    pieces = [part(client, other, b"{}\n")]
    with pytest.raises(openai.BadRequestError, match=r"Must be \.jsonl"):
        client.uploads.complete(other.id, part_ids=pieces)


def test_an_expiry_policy_holds_for_the_file(client: openai.OpenAI) -> None:
    upload = announce(client, expires_after={"anchor": "created_at", "seconds": 7_200})
    done = client.uploads.complete(upload.id, part_ids=[part(client, upload, CONTENT)])
    assert done.file is not None
    assert done.file.expires_at == done.file.created_at + 7_200

from __future__ import annotations

import io
import json
import socket
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import openai
import pytest

from tests.local_openai.driving import line, lines, upload

if TYPE_CHECKING:
    from local.openai import Admin, Server

MONTH = 30 * 86_400


def test_an_upload_answers_processed_and_expires_after_thirty_days(client: openai.OpenAI) -> None:
    stored = client.files.create(file=("a.jsonl", lines(2)), purpose="batch")
    assert stored.status == "processed"
    assert (stored.filename, stored.bytes, stored.purpose) == ("a.jsonl", len(lines(2)), "batch")
    assert stored.expires_at == stored.created_at + MONTH
    assert client.files.retrieve(stored.id) == stored


def test_the_content_comes_back_byte_for_byte(client: openai.OpenAI) -> None:
    content = line("é\u2028\u0085") + b'{"raw": "\xe2\x80\xa8"}\r\n' + b'{"no": "newline"}'
    file_id = upload(client, content)
    reply = client.files.content(file_id)
    assert reply.content == content
    assert reply.response.headers["content-length"] == str(len(content))


def test_an_upload_in_chunks_without_a_length_is_taken(client: openai.OpenAI, admin: Admin) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.rest = [lines(3), b""]

        def read(self, size: int = -1) -> bytes:
            return self.rest.pop(0) if self.rest else b""

    stored = client.files.create(file=("a.jsonl", cast("Any", Pipe())), purpose="batch")
    assert stored.bytes == len(lines(3))
    assert admin.journal("files.create")[0]["headers"]["Transfer-Encoding"] == "chunked"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.json", b"{}\n", "Must be .jsonl"),
        ("a.jsonl", b"", "jsonl"),
        ("a.jsonl", b"no json\n{}\n", "jsonl"),
        ("a.jsonl", b'\xef\xbb\xbf{"a": 1}\n', "jsonl"),
    ],
)
def test_a_file_that_is_no_jsonl_is_refused_at_once(
    client: openai.OpenAI, admin: Admin, name: str, content: bytes, why: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=why):
        client.files.create(file=(name, content), purpose="batch")
    assert admin.state()["files"] == []


def test_bad_rows_after_the_first_are_no_concern_of_the_upload(client: openai.OpenAI) -> None:
    assert client.files.create(file=("a.jsonl", b"{}\nbroken\n"), purpose="batch").status == "processed"


def test_too_large_a_batch_file_is_a_400_and_too_large_a_file_a_413(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(max_batch_bytes=1_000, max_upload_bytes=5_000)
    assert upload(client, b'"' + b"x" * 997 + b'"\n')
    with pytest.raises(openai.BadRequestError, match="File is too large"):
        upload(client, b'"' + b"x" * 998 + b'"\n')
    with pytest.raises(openai.APIStatusError) as caught:
        upload(client, b'"' + b"x" * 400_000 + b'"\n')
    assert caught.value.status_code == 413


def test_an_expiry_is_kept_and_the_file_is_gone_after_it(client: openai.OpenAI, admin: Admin) -> None:
    stored = client.files.create(
        file=("a.jsonl", lines(1)), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3_600}
    )
    assert stored.expires_at == stored.created_at + 3_600
    admin.advance(3_599)
    assert client.files.content(stored.id).content
    admin.advance(1)
    assert list(client.files.list()) == []
    with pytest.raises(openai.NotFoundError):
        client.files.content(stored.id)


@pytest.mark.parametrize("policy", [{"anchor": "created_at", "seconds": 3_599}, {"anchor": "now", "seconds": 7_200}])
def test_an_expiry_out_of_range_is_refused(client: openai.OpenAI, policy: Any) -> None:
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a.jsonl", lines(1)), purpose="batch", expires_after=policy)


def test_a_deleted_file_is_404_ever_after(client: openai.OpenAI) -> None:
    file_id = upload(client, lines(1))
    assert client.files.delete(file_id).deleted
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(file_id)


def test_the_list_pages_filters_and_orders(client: openai.OpenAI) -> None:
    made = [upload(client, lines(1), f"{number}.jsonl") for number in range(5)]
    client.files.create(file=("other.txt", b"x"), purpose="user_data")
    assert [item.id for item in client.files.list(purpose="batch", order="asc")] == made
    page = client.files.list(purpose="batch", limit=2)
    assert ([item.id for item in page.data], page.has_more) == (made[:2:-1], True)
    assert [item.id for item in client.files.list(purpose="batch", after=made[3], limit=10)] == made[2::-1]


def test_the_form_may_come_in_any_order_and_without_a_key_it_is_a_401(server: Server) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.jsonl"\r\n\r\n{}\n\r\n'
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b--\r\n'
    )
    assert _post(server, body, "Authorization: Bearer x\r\n")["bytes"] == 3
    assert _post(server, body, "")["error"]["type"] == "authentication_error"


def _post(server: Server, body: bytes, headers: str) -> dict[str, Any]:
    where = urlsplit(server.base_url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        head = (
            f"POST /v1/files HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        with connection.makefile("rb") as reply:
            answer: dict[str, Any] = json.loads(reply.read().partition(b"\r\n\r\n")[2])
    return answer

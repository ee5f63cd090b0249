from __future__ import annotations

import gzip
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import httpx2
import pytest

from tests.local_openai.driving import line, upload

if TYPE_CHECKING:
    import openai

    from local.openai import Admin, Server

CONTENT = b"".join(line(f"q-{number}") for number in range(2_000))
PIPE_ERRORS = (httpx2.RemoteProtocolError, httpx2.ReadError)


@pytest.fixture
def file_id(client: openai.OpenAI) -> str:
    return upload(client, CONTENT)


def read(client: openai.OpenAI, file_id: str) -> tuple[bytes, str | None]:
    """What arrived, and the name of the error that ended it."""
    got = b""
    try:
        with client.files.with_streaming_response.content(file_id) as reply:
            for piece in reply.iter_bytes(4_096):
                got += piece
    except PIPE_ERRORS as error:
        return got, type(error).__name__
    return got, None


def test_a_content_cut_by_fin_ends_before_its_length(client: openai.OpenAI, admin: Admin, file_id: str) -> None:
    admin.fault("files.content", "cut", at=100_000)
    got, error = read(client, file_id)
    assert error == "RemoteProtocolError"
    assert 0 < len(got) <= 100_000
    assert CONTENT.startswith(got)
    assert read(client, file_id) == (CONTENT, None)


def test_a_content_cut_by_rst_breaks_the_connection(client: openai.OpenAI, admin: Admin, file_id: str) -> None:
    admin.fault("files.content", "cut", at=100_000, how="rst")
    got, error = read(client, file_id)
    assert error == "ReadError"
    assert CONTENT.startswith(got)
    assert len(got) <= 100_000


def test_a_content_may_be_cut_a_number_of_times_then_come_whole(
    client: openai.OpenAI, admin: Admin, file_id: str
) -> None:
    admin.fault("files.content", "cut", at=70_000, times=2)
    assert [read(client, file_id)[1] is None for _ in range(3)] == [False, False, True]
    assert admin.count("files.content", fault="cut") == 2


def test_only_contents_above_a_size_are_cut_and_those_always(client: openai.OpenAI, admin: Admin, file_id: str) -> None:
    small = upload(client, line("only"))
    admin.fault("files.content", "cut", at=0, above=10_000, times=None)
    assert [read(client, file_id)[1] is None for _ in range(4)] == [False] * 4
    assert read(client, small) == (line("only"), None)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_content_that_ends_before_the_cut_is_whole_and_its_connection_is_kept(
    client: openai.OpenAI, admin: Admin, file_id: str, how: str
) -> None:
    admin.fault("files.content", "cut", at=len(CONTENT), how=how)
    assert read(client, file_id) == (CONTENT, None)
    assert [read(client, file_id) for _ in range(20)] == [(CONTENT, None)] * 20


def test_a_short_content_is_a_complete_reply_that_lacks_bytes(
    client: openai.OpenAI, admin: Admin, file_id: str
) -> None:
    admin.fault("files.content", "short", at=1_000)
    reply = client.files.content(file_id)
    assert reply.content == CONTENT[:1_000]
    assert reply.response.headers["content-length"] == "1000"
    assert client.files.retrieve(file_id).bytes == len(CONTENT)


def fetch(server: Server, file_id: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    request = Request(f"{server.base_url}/files/{file_id}/content", headers={"Authorization": "Bearer k"} | headers)
    with urlopen(request) as reply:
        return reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.read()


def test_gzip_is_sent_only_where_it_is_switched_on_and_accepted(server: Server, file_id: str) -> None:
    accept = {"Accept-Encoding": "gzip"}
    assert "content-encoding" not in fetch(server, file_id, accept)[1]
    server.admin.configure(content_gzip=True)
    _, headers, body = fetch(server, file_id, accept)
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == CONTENT
    assert fetch(server, file_id, {"Accept-Encoding": "identity"})[2] == CONTENT


def test_a_range_is_honoured_only_where_it_is_switched_on(server: Server, file_id: str) -> None:
    wanted = {"Range": "bytes=1000-1999"}
    assert fetch(server, file_id, wanted)[::2] == (200, CONTENT)
    server.admin.configure(content_range=True)
    status, headers, body = fetch(server, file_id, wanted)
    assert (status, body) == (206, CONTENT[1_000:2_000])
    assert headers["content-range"] == f"bytes 1000-1999/{len(CONTENT)}"
    assert fetch(server, file_id, {"Range": f"bytes={len(CONTENT) - 5}-"})[2] == CONTENT[-5:]

"""Downloads that are cut: what comes, what is asked for again, and when another day has to do."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from batchdrop.adapters import openai_download
from batchdrop.core.errors import Rejected, RetryLater
from tests.contract.local_provider import provider, running
from tests.contract.providers import Local, download, requests, upload

__all__ = ["provider", "running"]

LARGE = requests(f"r-{number:06d}" for number in range(30_000))
CUT_AT = 1_500_000  #: behind the first block, before the end of the second


@pytest.fixture
def giving_parts(provider: Local) -> Iterator[Local]:
    provider.server.admin.configure(content_range=True)
    yield provider
    provider.server.admin.configure(content_range=False)


def ranges(provider: Local) -> list[str | None]:
    """What was asked for, in turn."""
    return [entry["headers"].get("Range") for entry in provider.server.admin.journal("files.content")]


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("at", [0, 10, 300_000, CUT_AT])
def test_a_download_that_is_cut_is_for_later(provider: Local, how: str, at: int) -> None:
    file_id = upload(provider.api, LARGE)
    provider.server.admin.fault("files.content", "cut", at=at, how=how)
    came = bytearray()

    def read() -> None:
        with provider.api.download(file_id) as blocks:
            for block in blocks:
                came.extend(block)

    with pytest.raises(RetryLater, match="cut"):
        read()
    assert LARGE.startswith(came)
    assert len(came) <= at
    provider.server.admin.clear_faults()
    assert download(provider.api, file_id) == LARGE


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_where_the_provider_gives_parts_each_one_goes_on_where_the_last_was_cut(giving_parts: Local, how: str) -> None:
    file_id, before = upload(giving_parts.api, LARGE), len(ranges(giving_parts))
    giving_parts.server.admin.fault("files.content", "cut", at=CUT_AT, how=how, times=None, above=CUT_AT)
    assert download(giving_parts.api, file_id) == LARGE
    block = openai_download.BLOCK
    assert ranges(giving_parts)[before:] == [
        None,
        *(f"bytes={first}-" for first in range(block, len(LARGE) - CUT_AT + block, block)),
    ]


def test_a_part_that_brings_nothing_is_not_asked_for_again(giving_parts: Local) -> None:
    file_id, before = upload(giving_parts.api, LARGE), len(ranges(giving_parts))
    giving_parts.server.admin.fault("files.content", "cut", at=CUT_AT)
    giving_parts.server.admin.fault("files.content", "cut", at=10, times=None)
    with pytest.raises(RetryLater, match="cut at byte 1048576"):
        download(giving_parts.api, file_id)
    assert ranges(giving_parts)[before:] == [None, "bytes=1048576-"]


def test_a_file_that_went_while_it_was_read_is_for_later(giving_parts: Local) -> None:
    file_id = upload(giving_parts.api, LARGE)
    giving_parts.server.admin.fault("files.content", "cut", at=CUT_AT)
    with giving_parts.api.download(file_id) as blocks:
        assert next(blocks)
        giving_parts.api.delete_file(file_id)
        with pytest.raises(RetryLater):
            list(blocks)


class Answer(SimpleNamespace):
    """An answer that ends after ``body``, whatever its headers announce."""

    def __init__(self, body: bytes, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(
            headers=named,
            status_code=status,
            iter_bytes=lambda _: iter([body] if body else []),
            http_response=SimpleNamespace(num_bytes_downloaded=len(body)),
        )


def first() -> Answer:
    """Half of what it announces."""
    return Answer(b"12345", content_length="10", etag='"same"')


def read(first: Any, *answers: Any) -> tuple[bytes, list[dict[str, str]]]:
    """What comes, and the headers of what is asked for."""
    asked: list[dict[str, str]] = []
    left = list(answers)

    def ask(headers: Any) -> Any:
        asked.append(dict(headers))
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return b"".join(openai_download.whole(first, ask)), asked


def test_a_transport_that_does_not_check_lengths_is_checked() -> None:
    rest = Answer(b"67890", 206, content_range="bytes 5-9/10")
    came, asked = read(first(), rest)
    assert came == b"1234567890"
    assert asked == [{"Accept-Encoding": "identity", "Range": "bytes=5-", "If-Range": '"same"'}]


@pytest.mark.parametrize(
    "rest",
    [
        Answer(b"1234567890", 200, content_length="10"),
        Answer(b"67890", 206, content_range="bytes 6-9/10"),
        Answer(b"67890", 206, content_range="bytes 5-9/11"),
        Answer(b"67890", 206),
        Answer(b"67890", 206, content_range="bytes 5-9/10", content_encoding="gzip"),
        None,
        Rejected("http_416", "no such range"),
    ],
)
def test_what_is_not_just_the_rest_is_not_taken_for_it(rest: Any) -> None:
    with pytest.raises(RetryLater, match="ended after 5 of 10 bytes"):
        read(first(), rest)


def test_no_part_is_asked_for_when_it_is_late() -> None:
    times = iter([0.0, openai_download.RESUME_SECONDS])
    with pytest.raises(RetryLater, match="ended after 5 of 10 bytes"):
        list(openai_download.whole(first(), lambda _: pytest.fail("it is late"), lambda: next(times)))  # type: ignore[arg-type]


def test_a_body_of_more_than_was_announced_is_not_asked_for_more() -> None:
    with pytest.raises(RetryLater, match="ended after 12 of 10 bytes"):
        read(Answer(b"123456789012", content_length="10"))


def test_of_a_coded_body_no_part_is_asked_for() -> None:
    with pytest.raises(RetryLater):
        read(Answer(b"12345", content_length="10", content_encoding="gzip"))


def test_a_weak_tag_is_no_name_for_bytes() -> None:
    rest = Answer(b"67890", 206, content_range="bytes 5-9/10")
    _, asked = read(Answer(b"12345", content_length="10", etag='W/"like"'), rest)
    assert "If-Range" not in asked[0]


def test_a_body_of_unknown_length_is_whole_when_it_ends() -> None:
    assert read(Answer(b"12345"))[0] == b"12345"


def test_a_download_is_asked_for_plain_so_that_its_length_can_be_checked(provider: Local) -> None:
    provider.server.admin.configure(content_gzip=True)
    try:
        assert download(provider.api, upload(provider.api)) == requests()
    finally:
        provider.server.admin.configure(content_gzip=False)

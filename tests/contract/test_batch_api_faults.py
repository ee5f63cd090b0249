"""How the adapter takes the provider's other faults: what it raises, and how often it asked."""

from __future__ import annotations

import io
import re
import socket
import time
import traceback
from collections.abc import Callable

import pytest

from batchdrop.adapters import openai_client
from batchdrop.core.errors import BatchdropError, Misconfigured, Rejected, RetryLater
from batchdrop.ports import BatchApi
from tests.contract.local_provider import file_id, provider, running
from tests.contract.providers import Local, api_at, create, download, one_answer, request, requests, upload

__all__ = ["file_id", "provider", "running"]

Call = Callable[[BatchApi], object]
PROMPT = "a secret prompt"


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({"retry_after": 130}, 130),
        ({"retry_after_ms": 1500}, 1.5),
        ({}, None),
        ({"headers": {"Retry-After": "soon"}}, None),
        ({"headers": {"Retry-After": "nan"}}, None),
        ({"headers": {"Retry-After": "-5"}}, 0),
        ({"headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}}, 0),
    ],
)
def test_a_429_passes_on_how_long_to_wait_and_does_not_wait_itself(
    provider: Local, fields: dict[str, object], after: float | None
) -> None:
    provider.server.admin.fault("batches.list", "status", status=429, **fields)
    started = time.monotonic()
    with pytest.raises(RetryLater) as caught:
        provider.api.page()
    assert caught.value.after == after
    assert time.monotonic() - started < 1


CALLS: dict[str, Call] = {
    "files.create": upload,
    "batches.list": lambda api: api.page(),
    "batches.retrieve": lambda api: api.retrieve("batch_1"),
    "batches.cancel": lambda api: api.cancel("batch_1"),
    "files.content": lambda api: download(api, "file-1"),
    "files.delete": lambda api: api.delete_file("file-1"),
}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize(
    ("do", "fields"),
    [
        ("status", {"status": 500}),
        ("status", {"status": 503, "html": True}),
        ("status", {"status": 408}),
        ("reset_before", {}),
        ("reset_after", {}),
    ],
)
def test_other_calls_without_an_answer_are_for_later_and_asked_for_once(
    provider: Local, route: str, do: str, fields: dict[str, object]
) -> None:
    provider.server.admin.fault(route, do, **fields)
    before = provider.server.admin.count(route)
    with pytest.raises(RetryLater):
        CALLS[route](provider.api)
    assert provider.server.admin.count(route) == before + 1


@pytest.mark.parametrize("route", CALLS)
def test_a_wrong_base_url_is_never_taken_for_something_that_is_gone(provider: Local, route: str) -> None:
    for path in ("/nothing", "/v1/nothing"):
        wrong = provider.server.base_url.removesuffix("/v1") + path
        with api_at(wrong) as api, pytest.raises(Misconfigured) as caught:
            CALLS[route](api)
        assert caught.value.code == "wrong_base_url"


@pytest.mark.parametrize("route", CALLS)
def test_the_key_follows_no_redirect(provider: Local, route: str) -> None:
    answer = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"])
    with one_answer(answer) as (elsewhere, sent):
        provider.server.admin.fault(route, "status", status=307, headers={"Location": elsewhere})
        with pytest.raises(Misconfigured):
            CALLS[route](provider.api)
        assert sent == []
        socket.create_connection(("127.0.0.1", int(elsewhere.split(":")[2].split("/")[0]))).close()


# ── uploads ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_upload_announces_its_length_and_its_end(provider: Local) -> None:
    file_id = upload(provider.api, name="reviews.chunk-000001.1.jsonl")
    shown = next(one for one in provider.server.admin.state()["files"] if one["id"] == file_id)
    assert shown["filename"] == "reviews.chunk-000001.1.jsonl"
    assert shown["purpose"] == "batch"
    assert shown["expires_at"] - shown["created_at"] == 30 * 86_400


def test_a_file_that_is_no_batch_input_is_rejected(provider: Local) -> None:
    with pytest.raises(Rejected):
        upload(provider.api, b"no json\n")
    with pytest.raises(Rejected):
        upload(provider.api, name="requests.txt")


def test_a_refusal_tells_status_parameter_and_the_calls_id_and_no_words(provider: Local) -> None:
    said = {"code": "invalid_value", "message": f"Invalid value: '{PROMPT}'.", "param": "metadata.tags"}
    provider.server.admin.fault("files.create", "status", status=400, **said)
    with pytest.raises(Rejected) as caught:
        upload(provider.api)
    assert caught.value.code == "invalid_value"
    assert re.fullmatch(r"\[.*\] \(HTTP 400, parameter metadata\.tags, request req_\w{20,}\)", caught.value.reason)


@pytest.mark.parametrize("error", [Rejected("input_gone", "s3://input/a is gone"), RetryLater("S3 is busy")])
def test_an_error_of_the_body_passes_through_an_upload(provider: Local, error: BatchdropError) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise error
            return super().read(100)

    files = len(provider.server.admin.state()["files"])
    with pytest.raises(type(error)) as caught:
        provider.api.upload("a.jsonl", Broken(requests() * 10))
    assert caught.value is error
    assert len(provider.server.admin.state()["files"]) == files


def test_no_error_shows_what_was_sent(provider: Local) -> None:
    data = b"".join(str(request(str(number), PROMPT)).encode() + b"\n" for number in range(3))
    caught: list[BatchdropError] = []
    for do in ("status", "reset_before", "none"):
        if do != "none":
            provider.server.admin.fault("files.create", do)
        try:
            upload(provider.api, data)
        except BatchdropError as error:
            caught.append(error)
    shown = "".join("".join(traceback.format_exception(error)) for error in caught)
    assert len(caught) == 3
    assert PROMPT not in shown
    assert provider.key.key not in shown


def test_file_ids_that_are_empty_are_none(provider: Local, file_id: str) -> None:
    provider.server.admin.configure(missing_file_id="")
    try:
        batch = create(provider.api, file_id)
        provider.finish()
        done = provider.api.retrieve(batch.id)
    finally:
        provider.server.admin.configure(missing_file_id=None)
    assert done is not None
    assert done.error_file_id is None


def test_a_batch_that_failed_names_its_lines(provider: Local) -> None:
    batch = create(provider.api, upload(provider.api, requests(["a", "b", "a"])))
    provider.finish()
    done = provider.api.retrieve(batch.id)
    assert done is not None
    assert done.status == "failed"
    assert [(error.code, error.line) for error in done.errors] == [("duplicate_custom_id", 3)]


def test_logs_of_the_sdk_stay_silent(provider: Local, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    upload(provider.api)
    assert not [record for record in caplog.records if record.name.startswith(openai_client._TALKATIVE)]

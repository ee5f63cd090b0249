"""What becomes of a create that goes wrong: refused for sure, or unknown. It is never asked for twice."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from unittest.mock import Mock

import httpx2
import pytest

from batchdrop.adapters import openai_batches, openai_client
from batchdrop.core.errors import BatchdropError, Misconfigured, OutcomeUnknown, Rejected, RetryLater
from tests.contract.local_provider import file_id, provider, running
from tests.contract.providers import Local, api_at, create, one_answer, upload

__all__ = ["file_id", "provider", "running"]


def test_certificates_are_read_once_for_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(wraps=httpx2.create_ssl_context)
    monkeypatch.setattr(httpx2, "create_ssl_context", read)
    openai_client._trust.cache_clear()
    client = openai_client.Client("http://127.0.0.1:1/v1", lambda: "sk-test")
    for _ in range(2):
        with client.once(1.0):
            pass
    client.close()
    assert read.call_count == 1


def test_no_answer_to_a_create_is_outcome_unknown_and_asked_for_once(provider: Local, file_id: str) -> None:
    faults: list[tuple[str, dict[str, object]]] = [
        ("status_after", {"status": 500}),
        ("status", {"status": 500}),
        ("status", {"status": 502, "html": True}),
        ("status", {"status": 529, "retry_after": 1}),
        ("status", {"status": 408}),
        ("status", {"status": 409}),
        ("status", {"status": 307, "headers": {"Location": "/v1/batches"}}),
        ("reset_before", {}),
        ("reset_after", {}),
        ("patch", {"patch": {"id": None}}),
        ("patch", {"patch": {"id": ""}}),
        ("patch", {"patch": {"id": 7}}),
    ]
    for do, fields in faults:
        before = provider.creates()
        provider.server.admin.fault("batches.create", do, **fields)
        with pytest.raises(OutcomeUnknown):
            create(provider.api, file_id)
        assert provider.creates() == before + 1, (do, fields)


@pytest.mark.parametrize("do", ["hang", "hang_after"])
def test_silence_after_a_create_is_outcome_unknown(
    provider: Local, file_id: str, do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_batches, "CREATE_SECONDS", 0.3)
    provider.server.admin.fault("batches.create", do, seconds=2)
    before = provider.creates()
    with pytest.raises(OutcomeUnknown):
        create(provider.api, file_id)
    assert provider.creates() == before + 1


def trickle() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    for _ in range(200):
        time.sleep(0.05)
        yield b"."


def test_an_answer_that_trickles_in_is_cut_off_in_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_batches, "CREATE_SECONDS", 0.5)
    with one_answer(trickle()) as (url, _), api_at(url) as api:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            create(api, "file-1")
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("body", [b"", b"<html>ok</html>", b"[]", b'{"id": "batch_1"', b"\xff\xfe", b"null"])
def test_a_create_whose_answer_cannot_be_read_is_outcome_unknown(body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with one_answer(iter([head + body])) as (url, _), api_at(url) as api, pytest.raises(OutcomeUnknown):
        create(api, "file-1")


def test_a_201_with_an_id_is_a_batch() -> None:
    body = b'{"id": "batch_1"}'
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with one_answer(iter([head + body])) as (url, _), api_at(url) as api:
        assert create(api, "file-1").id == "batch_1"


def test_a_create_that_never_left_this_machine_is_for_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with api_at(f"http://127.0.0.1:{port}/v1") as api, pytest.raises(RetryLater):
        create(api, "file-1")


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"status": 429}, RetryLater, "rate_limit_error"),
        ({"status": 429, "code": "rate_limit_exceeded"}, RetryLater, "rate_limit_exceeded"),
        ({"status": 400, "code": "token_limit_exceeded"}, RetryLater, "token_limit_exceeded"),
        ({"status": 429, "code": "insufficient_quota"}, Misconfigured, "insufficient_quota"),
        ({"status": 400, "code": "billing_hard_limit_reached"}, Misconfigured, "billing_hard_limit_reached"),
        ({"status": 401, "code": "invalid_api_key"}, Misconfigured, "invalid_api_key"),
        ({"status": 403}, Misconfigured, "permission_denied"),
        ({"status": 400, "message": "Cannot find file file-x, or it has expired."}, RetryLater, "file_not_found"),
        ({"status": 404, "message": "No such File object: file-x"}, RetryLater, "file_not_found"),
        ({"status": 404, "html": True}, Misconfigured, "wrong_base_url"),
        ({"status": 400, "code": "invalid_value"}, Rejected, "invalid_value"),
        ({"status": 422, "body": {"detail": [{"loc": ["body"]}]}}, Rejected, "http_422"),
        ({"status": 418, "body": "teapot"}, Rejected, "http_418"),
    ],
)
def test_a_definite_refusal_of_a_create_says_who_must_act(
    provider: Local, file_id: str, fields: dict[str, object], kind: type[BatchdropError], code: str
) -> None:
    before = provider.creates()
    provider.server.admin.fault("batches.create", "status", **fields)
    with pytest.raises(kind) as caught:
        create(provider.api, file_id)
    assert getattr(caught.value, "code", None) == code
    assert provider.creates() == before + 1


@pytest.fixture
def rotated(provider: Local) -> Iterator[Local]:
    """The provider takes the next key alone."""
    provider.server.admin.configure(api_keys=["sk-new"])
    provider.key.others = ["sk-new"]
    yield provider
    provider.server.admin.configure(api_keys=[])


def test_a_create_is_not_sent_again_under_a_new_key_which_its_intent_does_not_name(
    file_id: str, rotated: Local
) -> None:
    before = rotated.creates()
    with pytest.raises(RetryLater) as caught:
        create(rotated.api, file_id)
    assert (caught.value.code, caught.value.after) == ("key_replaced", 0)
    assert rotated.creates() == before + 1
    assert create(rotated.api, file_id).input_file_id == file_id, "the next one is made under the new key"


def test_a_refused_key_is_looked_up_once_more(rotated: Local) -> None:
    assert upload(rotated.api)
    rotated.key.key = "sk-old"
    before = rotated.server.admin.count("batches.list")
    with pytest.raises(Misconfigured) as caught:
        rotated.api.page()
    assert caught.value.code == "invalid_api_key"
    assert rotated.server.admin.count("batches.list") == before + 1

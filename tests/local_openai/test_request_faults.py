from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.local_openai.driving import create, errors, lines, start, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.openai import Admin


@pytest.mark.parametrize(
    ("fields", "header", "value"),
    [
        ({"retry_after": 1}, "retry-after", "1"),
        ({"retry_after": 130}, "retry-after", "130"),
        ({"retry_after_ms": 250}, "retry-after-ms", "250"),
    ],
)
def test_a_scripted_429_says_when_to_come_back_and_does_nothing(
    client: openai.OpenAI, admin: Admin, fields: dict[str, Any], header: str, value: str
) -> None:
    file_id = upload(client, lines(1))
    admin.fault("batches.create", "status", status=429, code="rate_limit_exceeded", **fields)
    with pytest.raises(openai.RateLimitError) as caught:
        create(client, file_id)
    assert caught.value.response.headers[header] == value
    assert caught.value.code == "rate_limit_exceeded"
    assert admin.batches() == []
    assert create(client, file_id).status == "validating"
    assert [(entry["status"], entry["fault"], entry["effect"]) for entry in admin.journal("batches.create")] == [
        (429, "status", False),
        (200, None, True),
    ]


def test_server_errors_come_as_json_or_html(client: openai.OpenAI, admin: Admin) -> None:
    admin.fault("batches.list", "status", status=500)
    admin.fault("batches.list", "status", status=503, html=True)
    with pytest.raises(openai.InternalServerError) as caught:
        client.batches.list()
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "server_error"
    with pytest.raises(openai.InternalServerError) as caught:
        client.batches.list()
    assert caught.value.response.headers["content-type"].startswith("text/html")
    assert caught.value.response.text.startswith("<html>")
    assert client.batches.list().data == []


@pytest.mark.parametrize("fault", ["reset_after", "status_after"])
def test_the_work_may_be_done_though_no_good_reply_comes(client: openai.OpenAI, admin: Admin, fault: str) -> None:
    file_id = upload(client, lines(1))
    admin.fault("batches.create", fault)
    with pytest.raises(openai.APIError):
        create(client, file_id)
    assert len(admin.batches()) == 1
    assert admin.count("batches.create", fault=fault, effect=True) == 1


def test_uploads_and_cancels_lose_their_replies_too(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(1))
    admin.fault("files.create", "reset_after")
    admin.fault("batches.cancel", "reset_after")
    with pytest.raises(openai.APIConnectionError):
        upload(client, lines(1))
    assert len(admin.state()["files"]) == 2
    with pytest.raises(openai.APIConnectionError):
        client.batches.cancel(batch.id)
    assert admin.batches()[0]["status"] == "cancelling"


def test_a_reset_before_the_work_leaves_nothing(client: openai.OpenAI, admin: Admin) -> None:
    admin.fault("files.create", "reset_before")
    with pytest.raises(openai.APIConnectionError):
        upload(client, lines(5_000))
    assert admin.state()["files"] == []
    entry = admin.journal("files.create")[0]
    assert (entry["status"], entry["effect"]) == (None, False)


def test_the_stock_client_retries_a_lost_create_into_three_batches(client: openai.OpenAI, admin: Admin) -> None:
    file_id = upload(client, lines(1))
    admin.fault("batches.create", "reset_after", times=2)
    create(client.with_options(max_retries=2), file_id)
    assert len(admin.batches()) == 3
    tries = [entry["headers"]["X-Stainless-Retry-Count"] for entry in admin.journal("batches.create")]
    assert tries == ["0", "1", "2"]


def test_a_late_create_comes_to_be_long_after_its_connection_broke(client: openai.OpenAI, admin: Admin) -> None:
    file_id = upload(client, lines(1))
    admin.fault("batches.create", "late", seconds=1_900)
    with pytest.raises(openai.APIConnectionError):
        create(client, file_id, metadata={"claim": "1"})
    admin.advance(1_899)
    assert client.batches.list().data == []
    client.files.delete(file_id)
    admin.advance(1)
    found = client.batches.list().data[0]
    assert (found.metadata, found.created_at) == ({"claim": "1"}, int(admin.now()))
    admin.advance(10)
    assert errors(client.batches.retrieve(found.id)) == [("invalid_request", None, "file_id")]
    assert admin.count("batches.create", effect=True) == 1


@pytest.mark.parametrize(("fault", "made"), [("hang", 0), ("hang_after", 1)])
def test_a_hanging_request_times_out_and_does_not_keep_the_server_from_stopping(
    client: openai.OpenAI, admin: Admin, fault: str, made: int
) -> None:
    file_id = upload(client, lines(1))
    admin.fault("batches.create", fault)
    with pytest.raises(openai.APITimeoutError):
        create(client.with_options(timeout=0.2), file_id)
    assert len(admin.batches()) == made


def test_a_delayed_create_is_made_though_its_client_is_gone(client: openai.OpenAI, admin: Admin) -> None:
    admin.fault("batches.create", "delay", seconds=0.5)
    with pytest.raises(openai.APITimeoutError):
        create(client, upload(client, lines(1)), timeout=0.1)
    time.sleep(1)
    assert len(admin.batches()) == 1


def test_a_delay_is_only_a_delay(client: openai.OpenAI, admin: Admin) -> None:
    admin.fault("batches.list", "delay", seconds=0.2)
    began = time.monotonic()
    assert client.batches.list().data == []
    assert time.monotonic() - began >= 0.2


def test_a_new_file_may_not_be_found_by_the_first_creates(client: openai.OpenAI, admin: Admin) -> None:
    file_id = upload(client, lines(1))
    message = f"Cannot find file {file_id}, or project proj-x does not have access to it."
    admin.fault("batches.create", "status", status=400, message=message, param="file_id", times=2)
    for _ in range(2):
        with pytest.raises(openai.BadRequestError, match="Cannot find file"):
            create(client, file_id)
    assert create(client, file_id).status == "validating"


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (401, "invalid_api_key", openai.AuthenticationError),
        (403, None, openai.PermissionDeniedError),
        (429, "insufficient_quota", openai.RateLimitError),
        (400, "billing_hard_limit_reached", openai.BadRequestError),
    ],
)
def test_the_key_or_the_money_may_end_at_any_time(
    client: openai.OpenAI, admin: Admin, status: int, code: str | None, raised: type[openai.APIStatusError]
) -> None:
    batch = start(client, lines(1))
    admin.fault("*", "status", status=status, code=code, times=None)
    calls: list[Callable[[], object]] = [
        client.batches.list,
        lambda: client.batches.retrieve(batch.id),
        lambda: upload(client, lines(1)),
    ]
    for call in calls:
        with pytest.raises(raised) as caught:
            call()
        assert caught.value.code == code
    admin.clear_faults()
    assert client.batches.retrieve(batch.id).id == batch.id


def test_only_the_keys_that_were_named_are_accepted(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(api_keys=["right"])
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        client.batches.list()
    assert client.with_options(api_key="right").batches.list().data == []


def test_replies_can_be_changed_where_they_show_a_status(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(1))
    changes = {"status": "resting", "request_counts": None, "surprise": {"x": 1}}
    admin.fault("batches.*", "patch", when={"status": "in_progress"}, patch=changes, times=2)
    assert client.batches.retrieve(batch.id).status == "validating"
    admin.advance(9)
    seen: list[Any] = [client.batches.retrieve(batch.id), client.batches.list().data[0]]
    assert [(item.status, item.request_counts, item.surprise) for item in seen] == [("resting", None, {"x": 1})] * 2
    assert client.batches.retrieve(batch.id).status == "in_progress"


def test_a_stale_reply_shows_an_older_status_once(client: openai.OpenAI, admin: Admin) -> None:
    batch = start(client, lines(1))
    client.batches.retrieve(batch.id)
    admin.advance(9)
    admin.fault("batches.retrieve", "stale", nth=2)
    seen = [client.batches.retrieve(batch.id).status for _ in range(3)]
    assert seen == ["in_progress", "validating", "in_progress"]


def test_the_nth_request_and_the_ones_after_it_are_hit(client: openai.OpenAI, admin: Admin) -> None:
    admin.fault("batches.list", "status", nth=2, times=2)
    assert [_works(client.batches.list) for _ in range(5)] == [True, False, False, True, True]
    assert admin.faults()["requests"][0]["applied"] == 2


def test_a_rate_hits_a_share_that_the_seed_decides(client: openai.OpenAI, admin: Admin) -> None:
    def pattern() -> list[bool]:
        admin.clear_faults()
        admin.fault("batches.list", "status", rate=0.5, times=None)
        return [_works(client.batches.list) for _ in range(40)]

    first = pattern()
    assert 8 <= sum(first) <= 32
    assert pattern() == first


def test_a_rule_may_name_one_batch(client: openai.OpenAI, admin: Admin) -> None:
    one, other = start(client, lines(1)), start(client, lines(1))
    admin.fault("batches.retrieve", "status", status=404, id=one.id, times=None)
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve(one.id)
    assert client.batches.retrieve(other.id).id == other.id


@pytest.mark.parametrize(
    "plan",
    [
        {"requests": [{"route": "x", "do": "explode"}]},
        {"lines": [{"custom": "x"}]},
        {"batches": [{"expire_at_share": "half"}]},
        {"request": []},
    ],
)
def test_a_mistyped_rule_is_refused(admin: Admin, plan: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Object|Invalid|Expected"):
        admin.add_faults(**plan)


def test_an_unknown_route_is_a_404_in_the_envelope_of_the_api(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(GET /v1/nothing\)"):
        client.get("/nothing", cast_to=object)


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except openai.APIError:
        return False
    return True

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

from local.openai import serve
from tests.local_openai.driving import lines, start
from tests.local_openai.receiving import Received, Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.webhooks import WebhookEndpointWithSecret

    from local.openai import Admin

BATCH_EVENTS: Any = ["batch.completed", "batch.failed", "batch.expired", "batch.cancelled"]


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def endpoint(client: openai.OpenAI, hook: Receiver) -> WebhookEndpointWithSecret:
    return client.webhooks.create(name="mine", url=hook.url, event_types=BATCH_EVENTS)


def opened(client: openai.OpenAI, received: Received, secret: str) -> Any:
    """The event, as the SDK gives it to somebody who has the secret."""
    return client.webhooks.unwrap(received.body, received.headers, secret=secret)


def refused(client: openai.OpenAI, received: Received, secret: str) -> bool:
    try:
        opened(client, received, secret)
    except openai.InvalidWebhookSignatureError:
        return True
    return False


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_every_end_of_a_batch_is_told_once_in_a_thin_signed_body(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret, status: str
) -> None:
    if status == "expired":
        admin.batch_fault(expire_at_share=0.5)
    batch = start(client, b"{}\n" if status == "failed" else lines(4))
    if status == "cancelled":
        client.batches.cancel(batch.id)
    admin.advance(1_000)
    event = opened(client, hook.got[0], endpoint.signing_secret)
    ended = client.batches.retrieve(batch.id)
    assert (event.type, event.data.id) == (f"batch.{status}", batch.id)
    assert event.created_at == getattr(ended, f"{status}_at")
    body = json.loads(hook.got[0].body)
    assert (body["object"], body["data"], set(body)) == (
        "event",
        {"id": batch.id},
        {"id", "object", "type", "created_at", "data"},
    )
    assert body["id"].startswith("evt_")
    headers = {name.lower(): value for name, value in hook.got[0].headers.items()}
    assert headers["webhook-id"].startswith("wh_")
    assert headers["user-agent"].startswith("OpenAI/1.0")
    assert len(hook.got) == 1


def test_only_the_events_that_were_asked_for_are_sent_and_each_endpoint_gets_its_own(
    client: openai.OpenAI, admin: Admin, hook: Receiver
) -> None:
    one, other = (
        client.webhooks.create(name=name, url=hook.url, event_types=["batch.completed"]) for name in ("a", "b")
    )
    client.webhooks.create(name="c", url=hook.url, event_types=["batch.failed"])
    start(client, lines(1))
    admin.advance(1_000)
    assert len(hook.got) == 2
    assert [refused(client, received, one.signing_secret) for received in hook.got] == [False, True]
    assert [refused(client, received, other.signing_secret) for received in hook.got] == [True, False]
    assert len({received.headers["webhook-id"] for received in hook.got}) == 2


@pytest.mark.parametrize("status", [500, 301, 404])
def test_what_is_not_2xx_is_tried_again_under_the_same_id_with_longer_and_longer_pauses(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret, status: int
) -> None:
    hook.answers = [status] * 4
    start(client, lines(1))
    admin.advance(618)
    assert len(hook.got) == 1
    admin.advance(4)
    assert len(hook.got) == 1
    admin.advance(1_000)
    assert [entry["status"] for entry in admin.deliveries()] == [status] * 4 + [200]
    assert len({received.headers["webhook-id"] for received in hook.got}) == 1
    assert not any(refused(client, received, endpoint.signing_secret) for received in hook.got)


def test_after_three_days_nobody_tries_any_more(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret
) -> None:
    hook.answers = [503] * 1_000
    start(client, lines(1))
    admin.advance(618 + 73 * 3_600)
    tries = len(hook.got)
    assert 20 <= tries <= 40
    admin.advance(10 * 86_400)
    assert len(hook.got) == tries


def test_duplicates_have_the_same_id_and_their_own_timestamps(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret
) -> None:
    admin.webhook_fault("duplicate", copies=3, seconds=60)
    start(client, lines(1))
    admin.advance(618)
    assert len(hook.got) == 1
    time.sleep(1.01)  # timestamps have whole seconds
    admin.advance(120)
    assert len(hook.got) == 3
    assert len({received.headers["webhook-id"] for received in hook.got}) == 1
    assert len({received.headers["webhook-timestamp"] for received in hook.got}) == 2
    assert len({received.body for received in hook.got}) == 1
    assert not any(refused(client, received, endpoint.signing_secret) for received in hook.got)
    assert [entry["do"] for entry in admin.happenings("webhook")] == ["duplicate"]


def test_events_may_come_late_and_so_out_of_order_or_never(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret
) -> None:
    admin.webhook_fault("late", event="batch.completed", seconds=100)
    admin.webhook_fault("never", event="batch.*")
    batches = [start(client, lines(1)).id for _ in range(3)]
    admin.advance(1_000)
    assert [json.loads(received.body)["data"]["id"] for received in hook.got] == [batches[2], batches[0]]


def test_an_event_may_come_before_retrieve_shows_it(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret
) -> None:
    seen = []
    hook.on_receipt = lambda got: seen.append(client.batches.retrieve(json.loads(got.body)["data"]["id"]).status)
    admin.webhook_fault("early", times=3)
    start(client, lines(1))
    cancelled = start(client, lines(1))
    start(client, b"{}\n")
    client.batches.cancel(cancelled.id)
    admin.advance(1_000)
    assert sorted(json.loads(received.body)["type"] for received in hook.got) == [
        "batch.cancelled",
        "batch.completed",
        "batch.failed",
    ]
    assert sorted(seen) == ["cancelling", "failed", "finalizing"]


@pytest.mark.parametrize("rule", [{"do": "bad_signature"}, {"do": "old_timestamp", "seconds": 400}])
def test_a_forged_or_an_old_delivery_is_refused_by_the_sdk(
    client: openai.OpenAI,
    admin: Admin,
    hook: Receiver,
    endpoint: WebhookEndpointWithSecret,
    rule: dict[str, Any],
) -> None:
    admin.webhook_fault(**rule)
    hook.answers = [400]
    start(client, lines(1))
    start(client, lines(1))
    admin.advance(5_000)
    assert [refused(client, received, endpoint.signing_secret) for received in hook.got] == [True, False]


def test_for_a_day_after_a_rotation_both_secrets_sign_if_that_was_asked_for(
    client: openai.OpenAI, admin: Admin, hook: Receiver, endpoint: WebhookEndpointWithSecret
) -> None:
    old = endpoint.signing_secret
    new = client.webhooks.rotate_secret(endpoint.id, keep_old_secret_active_for_24_hours=True).signing_secret
    start(client, lines(1))
    admin.advance(1_000)
    assert len(hook.got[0].headers["webhook-signature"].split()) == 2
    assert [refused(client, hook.got[0], secret) for secret in (old, new)] == [False, False]
    admin.advance(86_400)
    start(client, lines(1))
    admin.advance(1_000)
    assert [refused(client, hook.got[1], secret) for secret in (old, new)] == [True, False]
    newest = client.webhooks.rotate_secret(endpoint.id).signing_secret
    client.webhooks.test(endpoint.id, event_type="batch.completed")
    assert [refused(client, hook.got[2], secret) for secret in (new, newest)] == [True, False]


def test_endpoints_are_registered_listed_changed_and_deleted(client: openai.OpenAI, admin: Admin) -> None:
    made = [
        client.webhooks.create(name=f"n-{number}", url=f"https://a.test/{number}", event_types=["batch.failed"])
        for number in range(3)
    ]
    assert made[0].signing_secret.startswith("whsec_")
    assert [item.id for item in client.webhooks.list(limit=2)] == [item.id for item in reversed(made)]
    admin.advance(10)
    changed = client.webhooks.update(made[1].id, name="new", event_types=BATCH_EVENTS)
    assert (changed.name, changed.url, changed.event_types) == ("new", "https://a.test/1", BATCH_EVENTS)
    assert changed.updated_at == changed.created_at + 10
    shown = client.webhooks.retrieve(made[1].id)
    assert shown == changed
    assert not hasattr(shown, "signing_secret")
    assert client.webhooks.delete(made[1].id).deleted
    for call in (
        client.webhooks.retrieve,
        client.webhooks.delete,
        client.webhooks.update,
        client.webhooks.rotate_secret,
    ):
        with pytest.raises(openai.NotFoundError):
            call(made[1].id)
    assert "batch.expired" in client.webhooks.event_types.list().data


@pytest.mark.parametrize(
    "changes", [{"url": "http://a.test"}, {"url": "ftp://127.0.0.1"}, {"event_types": ["batch.born"]}, {"name": ""}]
)
def test_an_endpoint_that_could_not_work_is_refused(client: openai.OpenAI, changes: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        client.webhooks.create(**{"name": "n", "url": "https://a.test", "event_types": ["batch.failed"]} | changes)


def test_what_is_missing_is_named_and_nobody_there_is_told(client: openai.OpenAI, admin: Admin) -> None:
    with pytest.raises(openai.BadRequestError, match="'event_types'"):
        client.post("/webhook_endpoints", body={"name": "n", "url": "https://a.test"}, cast_to=object)
    with pytest.raises(openai.BadRequestError, match="array"):
        client.post("/webhook_endpoints", body={"name": "n", "url": "https://a.test", "event_types": 1}, cast_to=object)
    nobody = client.webhooks.create(name="n", url="http://127.0.0.1:9/", event_types=["batch.completed"])
    with pytest.raises(openai.BadRequestError, match="did not answer"):
        client.webhooks.test(nobody.id, event_type="batch.completed")
    assert [entry["status"] for entry in admin.deliveries()] == [None]


def test_a_sample_is_sent_on_demand_and_its_answer_told(
    client: openai.OpenAI, hook: Receiver, endpoint: WebhookEndpointWithSecret
) -> None:
    hook.answers = [418]
    told = client.webhooks.test(endpoint.id, event_type="batch.expired")
    assert (told.status_code, told.event_type, told.success) == (418, "batch.expired", True)
    assert opened(client, hook.got[0], endpoint.signing_secret).type == "batch.expired"


def test_in_real_time_an_endpoint_that_does_not_answer_keeps_no_batch_waiting(sdk: openai.OpenAI) -> None:
    with receiver() as hook, serve() as server:
        client = sdk.with_options(base_url=server.base_url)
        hook.on_receipt = lambda _: time.sleep(0.5)
        client.webhooks.create(name="slow", url=hook.url, event_types=BATCH_EVENTS)
        began = time.monotonic()
        for _ in range(3):
            start(client, lines(1))
            server.admin.wait_until_idle()
        assert time.monotonic() - began < 1.4

"""Files, uploads in parts and webhook endpoints, seen through the official SDK."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import openai
import pytest

from tests.conformance.trial import line

if TYPE_CHECKING:
    from tests.conformance.strict import Watch
    from tests.conformance.trial import Trial

MONTH = 30 * 86_400


def test_an_upload_is_processed_and_kept_for_thirty_days(trial: Trial) -> None:
    content = line("é\u2028") + line("b")
    stored = trial.client.files.retrieve(trial.upload(content))
    assert (stored.status, stored.purpose, stored.bytes) == ("processed", "batch", len(content))
    assert stored.expires_at == stored.created_at + MONTH
    reply = trial.client.files.content(stored.id)
    assert reply.content == content


def test_an_expiry_policy_is_kept(trial: Trial) -> None:
    stored = trial.client.files.create(
        file=("conformance.jsonl", line("a")),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 3_600},
    )
    assert stored.expires_at == stored.created_at + 3_600
    assert trial.client.files.delete(stored.id).deleted
    for call in (trial.client.files.retrieve, trial.client.files.content, trial.client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(stored.id)


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", line("a")), ("a.jsonl", b""), ("a.jsonl", b"this is no json\n")]
)
def test_what_is_no_jsonl_is_refused(trial: Trial, name: str, content: bytes) -> None:
    with pytest.raises(openai.BadRequestError):
        trial.upload(content, name)


def test_files_are_listed_by_age_in_pages(trial: Trial) -> None:
    made = [trial.upload(line(f"l-{number}")) for number in range(3)]
    page = trial.client.files.list(purpose="batch", order="desc", limit=2)
    assert (len(page.data), page.has_more) == (2, True)
    found = []
    for stored in trial.client.files.list(purpose="batch", order="desc", limit=50):
        found += [stored.id] if stored.id in made else []
        if len(found) == len(made):
            break
    assert sorted(found) == sorted(made)


def test_a_file_may_come_in_parts(trial: Trial) -> None:
    content = line("a") + line("b")
    half = len(content) // 2
    upload = trial.client.uploads.create(
        bytes=len(content), filename="conformance.jsonl", mime_type="application/jsonl", purpose="batch"
    )
    assert (upload.status, upload.bytes, upload.file) == ("pending", len(content), None)
    assert upload.expires_at == upload.created_at + 3_600
    parts = [trial.client.uploads.parts.create(upload.id, data=data).id for data in (content[half:], content[:half])]
    done = trial.client.uploads.complete(upload.id, part_ids=parts[::-1], md5=hashlib.md5(content).hexdigest())
    assert done.status == "completed"
    assert done.file is not None
    assert trial.client.files.content(done.file.id).content == content
    assert trial.client.files.delete(done.file.id).deleted


def test_parts_that_are_not_what_was_announced_are_refused(trial: Trial) -> None:
    upload = trial.client.uploads.create(
        bytes=1_000, filename="conformance.jsonl", mime_type="application/jsonl", purpose="batch"
    )
    part = trial.client.uploads.parts.create(upload.id, data=line("a"))
    with pytest.raises(openai.BadRequestError):
        trial.client.uploads.complete(upload.id, part_ids=[part.id])
    assert trial.client.uploads.cancel(upload.id).status == "cancelled"


def test_webhook_endpoints_are_managed_and_show_their_secret_twice(trial: Trial) -> None:
    webhooks = trial.client.webhooks
    try:
        endpoint = webhooks.create(
            name="conformance", url="https://example.com/conformance", event_types=["batch.completed"]
        )
    except (openai.PermissionDeniedError, openai.AuthenticationError, openai.NotFoundError) as refusal:
        pytest.skip(f"this key manages no webhooks: {refusal.status_code}")
    try:
        assert endpoint.signing_secret.startswith("whsec_")
        assert endpoint.id in [item.id for item in webhooks.list(limit=100)]
        changed = webhooks.update(endpoint.id, name="renamed", event_types=["batch.failed", "batch.expired"])
        assert webhooks.retrieve(endpoint.id) == changed
        assert (changed.name, sorted(changed.event_types)) == ("renamed", ["batch.expired", "batch.failed"])
        rotated = webhooks.rotate_secret(endpoint.id, keep_old_secret_active_for_24_hours=True)
        assert rotated.signing_secret.startswith("whsec_")
        assert rotated.signing_secret != endpoint.signing_secret
        assert "batch.completed" in webhooks.event_types.list().data
    finally:
        assert webhooks.delete(endpoint.id).deleted
    with pytest.raises(openai.NotFoundError):
        webhooks.retrieve(endpoint.id)


def test_every_reply_was_what_the_models_of_the_sdk_say(trial: Trial, watch: Watch) -> None:
    """Each was validated as it came; this looks at what was more than the models know."""
    trial.ended("mixed")
    assert watch.validated > 20
    assert watch.drift == set()

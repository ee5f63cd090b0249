from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from local.openai import Admin, serve
from local.openai.profiles import PROFILES
from local.openai.settings import settings_for
from tests.local_openai.driving import create, errors, line, lines, results, start, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Profile = Callable[..., tuple[openai.OpenAI, Admin]]


@pytest.fixture
def like(sdk: openai.OpenAI) -> Iterator[Profile]:
    """A client and the levers of a server that is like a provider."""
    open_servers = []

    def run(profile: str, **settings: Any) -> tuple[openai.OpenAI, Admin]:
        context = serve(profile=profile, speed="virtual", settings=settings)
        server = context.__enter__()
        open_servers.append(context)
        return sdk.with_options(base_url=server.base_url), server.admin

    yield run
    for context in open_servers:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_made_of_settings_that_exist(name: str) -> None:
    assert settings_for("instant", name).endpoints


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in ("openai", "azure")])
def test_a_compatible_provider_runs_a_chat_batch_through_the_same_sdk(like: Profile, name: str) -> None:
    client, admin = like(name)
    window: Any = next(iter(settings_for("instant", name).completion_windows))
    body = {"model": "any/model-7b", "messages": [{"role": "user", "content": "Hello"}]}
    file_id = upload(client, line("a", body=body))
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window=window)
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    assert done.status.lower() == "completed"
    assert [row["custom_id"] for row in results(client, done.output_file_id)] == ["a"]


def test_azure_is_reached_by_its_own_client_and_leaves_the_version_out(like: Profile) -> None:
    client, admin = like("azure")
    root = str(client.base_url).partition("/openai")[0]
    with openai.AzureOpenAI(azure_endpoint=root, api_key="k", api_version="2025-03-01", max_retries=0) as azure:
        body = {"model": "my-deployment", "messages": [{"role": "user", "content": "Hello"}]}
        content = line("a", url="/chat/completions", body=body)
        batch = start(azure, content, "/chat/completions")
        admin.advance(1_000)
        done = azure.batches.retrieve(batch.id)
        assert done.status == "completed"
        assert len(results(azure, done.output_file_id)) == 1
        # A batch without errors has an error file all the same, with nothing in it.
        assert azure.files.content(done.error_file_id or "").content == b""
        assert azure.files.retrieve(done.error_file_id or "").bytes == 0


def test_azure_refuses_too_many_tokens_at_create_and_holds_what_it_took(like: Profile) -> None:
    client, admin = like("azure", token_limits={"gpt-4o": 1_500})
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x" * 4_000}]}
    content = line("a", body=body)
    start(client, content)
    for _ in range(2):
        with pytest.raises(openai.BadRequestError, match="Limit: 1,500 enqueued tokens") as caught:
            start(client, content)
        assert caught.value.code == "token_limit_exceeded"
    assert len(admin.batches()) == 1
    assert 1_000 <= admin.state()["enqueued_tokens"]["gpt-4o"] < 1_100
    admin.advance(1_000)
    assert admin.state()["enqueued_tokens"] == {}
    assert start(client, content).status == "validating"


def test_azure_has_its_own_words_for_errors_and_for_what_is_missing(like: Profile) -> None:
    client, admin = like("azure", max_files=2)
    content = line("a", url="/v1/responses")
    batch = start(client, content)
    admin.advance(9)
    failed = client.batches.retrieve(batch.id)
    assert errors(failed) == [("url_mismatch", 1, "url")]
    assert (failed.output_file_id, failed.error_file_id) == ("", "")
    with pytest.raises(openai.BadRequestError, match="1209600"):
        client.files.create(
            file=("a.jsonl", content), purpose="batch", expires_after={"anchor": "created_at", "seconds": 7_200}
        )
    with pytest.raises(openai.NotFoundError):
        client.webhooks.list()
    upload(client, content)
    with pytest.raises(openai.BadRequestError, match="At most 2 files"):
        upload(client, content)


def test_azure_batches_outlive_their_day(like: Profile) -> None:
    client, admin = like("azure", pace={"in_progress": 200_000})
    batch = start(client, lines(1))
    admin.advance(150_000)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    admin.advance(51_000)
    assert client.batches.retrieve(batch.id).status == "completed"


def test_perplexity_honours_the_idempotency_key_and_judges_lines_at_upload(like: Profile) -> None:
    client, admin = like("perplexity")
    file_id = upload(client, lines(2))
    first, same, other = (
        create(client, file_id, extra_headers={"Idempotency-Key": key}).id for key in ("one", "one", "two")
    )
    assert first == same != other
    assert len(admin.batches()) == 2
    with pytest.raises(openai.BadRequestError, match="Line 2: This line is not parseable"):
        upload(client, lines(1) + b"broken\n")
    with pytest.raises(openai.BadRequestError, match="expires_after"):
        create(client, file_id, output_expires_after={"anchor": "created_at", "seconds": 7_200})


def test_doubleword_answers_201_and_has_windows_of_its_own(like: Profile) -> None:
    client, admin = like("doubleword")
    file_id = upload(client, lines(1))
    reply = client.batches.with_raw_response.create(
        input_file_id=file_id,
        endpoint="/v1/chat/completions",
        completion_window="1h",  # type: ignore[arg-type]
    )
    assert reply.status_code == 201
    batch = reply.parse()
    assert batch.expires_at == batch.created_at + 3_600
    long = start(client, line("x" * 65))
    admin.advance(9)
    assert errors(client.batches.retrieve(long.id)) == [("string_above_max_length", 1, "custom_id")]


def test_novita_shouts(like: Profile) -> None:
    client, admin = like("novita")
    file_id = upload(client, lines(1))
    window: Any = "48h"
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window=window)
    admin.advance(9)
    status: str = client.batches.retrieve(batch.id).status
    assert status == "PROGRESS"


def test_the_queue_of_embeddings_is_counted_in_requests_over_all_models(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(max_enqueued_embeddings=3)

    def embeddings(model: str, count: int) -> str:
        body = {"model": model, "input": "a"}
        rows = [line(f"e-{number}", url="/v1/embeddings", body=body) for number in range(count)]
        return start(client, b"".join(rows), "/v1/embeddings").id

    first = embeddings("text-embedding-3-small", 2)
    second = embeddings("text-embedding-3-large", 2)
    admin.advance(9)
    refused = client.batches.retrieve(second)
    assert errors(refused) == [("request_limit_exceeded", None, None)]
    assert refused.errors is not None
    assert refused.errors.data is not None
    assert refused.errors.data[0].message == (
        "Enqueued request limit reached for text-embedding-3-large in organization org-local."
        " Limit: 3 enqueued requests. Please try again once some in_progress batches have been completed."
    )
    start(client, lines(10))
    admin.advance(1_000)
    assert client.batches.retrieve(first).status == "completed"
    again = embeddings("text-embedding-3-large", 3)
    admin.advance(1_000)
    assert client.batches.retrieve(again).status == "completed"

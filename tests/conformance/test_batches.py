"""What the Batch API does, seen through the official SDK: on the local server, or on any other on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from tests.conformance.trial import CHAT, line

if TYPE_CHECKING:
    from openai.types import Batch

    from tests.conformance.trial import Trial


def counts(batch: Batch) -> tuple[int, int, int]:
    assert batch.request_counts is not None
    return batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed


def test_a_new_batch_is_validating_and_empty(trial: Trial) -> None:
    batch = trial.created["mixed"]
    assert (batch.status, counts(batch)) == ("validating", (0, 0, 0))
    assert (batch.errors, batch.output_file_id, batch.error_file_id) == (None, None, None)
    assert batch.expires_at == batch.created_at + 86_400
    assert batch.metadata == {"suite": "conformance", "name": "mixed"}


def test_a_mixed_batch_completes_with_both_files(trial: Trial) -> None:
    batch = trial.ended("mixed")
    assert (batch.status, counts(batch)) == ("completed", (2, 1, 1))
    assert batch.in_progress_at
    assert batch.finalizing_at
    assert batch.completed_at
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    good, bad = trial.rows(batch.output_file_id)[0], trial.rows(batch.error_file_id)[0]
    assert [set(row) for row in (good, bad)] == [{"id", "custom_id", "response", "error"}] * 2
    assert (good["custom_id"], good["error"], good["response"]["status_code"]) == ("good", None, 200)
    assert set(good["response"]) == {"status_code", "request_id", "body"}
    ChatCompletion.model_validate(good["response"]["body"], strict=True)
    assert (bad["custom_id"], bad["error"], bad["response"]["status_code"]) == ("bad", None, 400)
    assert set(bad["response"]["body"]["error"]) == {"message", "type", "param", "code"}
    assert bad["response"]["body"]["error"]["type"] == "invalid_request_error"


def test_its_usage_and_model_are_told(trial: Trial) -> None:
    batch = trial.ended("mixed")
    answer = ChatCompletion.construct(**trial.rows(batch.output_file_id)[0]["response"]["body"])
    assert batch.usage is not None
    assert batch.usage.total_tokens == batch.usage.input_tokens + batch.usage.output_tokens > 0
    assert batch.model == answer.model


def test_result_files_are_batch_outputs_that_expire(trial: Trial) -> None:
    batch = trial.ended("mixed")
    for file_id in (batch.output_file_id, batch.error_file_id):
        stored = trial.client.files.retrieve(file_id or "")
        assert (stored.purpose, stored.status) == ("batch_output", "processed")
        assert stored.filename.endswith(".jsonl")
        assert stored.bytes == len(trial.client.files.content(stored.id).content)


def test_when_no_request_succeeds_the_batch_completes_without_an_output_file(trial: Trial) -> None:
    batch = trial.ended("none good")
    assert (batch.status, counts(batch)) == ("completed", (1, 0, 1))
    assert not batch.output_file_id
    assert [row["custom_id"] for row in trial.rows(batch.error_file_id)] == ["bad"]


def test_embeddings_have_the_dimensions_that_were_asked_for(trial: Trial) -> None:
    batch = trial.ended("vectors")
    assert (batch.status, counts(batch), bool(batch.error_file_id)) == ("completed", (1, 1, 0), False)
    body = trial.rows(batch.output_file_id)[0]["response"]["body"]
    answer = CreateEmbeddingResponse.model_validate(body, strict=True)
    assert [(item.index, len(item.embedding)) for item in answer.data] == [(0, 8), (1, 8)]


def test_a_cancelled_batch_accounts_for_every_request(trial: Trial) -> None:
    assert [batch.status for batch in trial.early] == ["cancelling"] * 2
    batch = trial.ended("cancelled")
    assert batch.status == "cancelled"
    assert batch.cancelling_at
    assert batch.cancelled_at
    assert batch.cancelled_at >= batch.cancelling_at
    rows = trial.rows(batch.output_file_id) + trial.rows(batch.error_file_id)
    never_run = [row for row in rows if row["response"] is None]
    assert {row["error"]["code"] for row in never_run} <= {"batch_cancelled"}
    assert counts(batch)[1] == len(trial.rows(batch.output_file_id))
    assert trial.client.batches.cancel(batch.id).status == "cancelled"


@pytest.mark.parametrize(
    ("name", "code", "number", "param", "message"),
    [
        ("not json", "invalid_json_line", 2, None, "This line is not parseable as valid JSON."),
        ("no custom_id", "missing_required_parameter", 2, "custom_id", "Missing required parameter: 'custom_id'."),
        ("no method", "missing_required_parameter", 2, "method", "Missing required parameter: 'method'."),
        (
            "other url",
            "invalid_url",
            2,
            "url",
            "The URL provided for this request does not match the batch endpoint.",
        ),
        ("no model", "invalid_request", 2, "body.model", "Model parameter is required."),
        ("no messages", "invalid_request", 2, "body.messages", "Messages parameter is required."),
        ("unknown model", "model_not_found", 1, "body.model", "The provided model 'no-such-model-1' is not supported"),
        (
            "streaming",
            "streaming_unsupported",
            2,
            "body.stream",
            "Chat Completions: Streaming is not supported in the Batch API.",
        ),
        ("duplicate", "duplicate_custom_id", 2, ..., "duplicate"),  # param and text are assumed
        ("two models", "mismatched_model", 2, ..., "model"),
    ],
)
def test_one_bad_line_fails_the_whole_batch(
    trial: Trial, name: str, code: str, number: int, param: Any, message: str
) -> None:
    batch = trial.ended(name)
    assert (batch.status, batch.in_progress_at, bool(batch.failed_at)) == ("failed", None, True)
    assert (counts(batch), batch.output_file_id, batch.error_file_id) == ((0, 0, 0), None, None)
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(error.code, error.line) for error in batch.errors.data] == [(code, number)]
    assert param in (..., batch.errors.data[0].param)
    assert message in (batch.errors.data[0].message or "")


@pytest.mark.parametrize("name", ["mixed", "not json"])
def test_what_has_ended_cannot_be_cancelled(trial: Trial, name: str) -> None:
    batch = trial.ended(name)
    with pytest.raises(openai.ConflictError, match=f"Cannot cancel a batch with status '{batch.status}'"):
        trial.client.batches.cancel(batch.id)


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"endpoint": "/v1/x"}, "invalid_value", "endpoint"),
        ({"completion_window": "1h"}, ..., ...),
        ({"metadata": {"tags": ["a"]}}, "invalid_type", "metadata.tags"),
        ({"input_file_id": None}, ..., "input_file_id"),
    ],
)
def test_wrong_parameters_are_refused_at_create(trial: Trial, changes: dict[str, Any], code: Any, param: Any) -> None:
    body = {"input_file_id": "file-unknown", "endpoint": CHAT, "completion_window": "24h"} | changes
    with pytest.raises(openai.BadRequestError) as caught:
        trial.client.post("/batches", body=body, cast_to=object)
    assert code in (..., caught.value.code)
    assert param in (..., caught.value.param)


def test_an_unknown_batch_is_404(trial: Trial) -> None:
    unknown = "batch_" + "0" * 32
    for call in (trial.client.batches.retrieve, trial.client.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            call(unknown)


def test_the_list_is_newest_first_and_pages(trial: Trial) -> None:
    wanted = [batch.id for batch in trial.created.values()][::-1]
    found = []
    for batch in trial.client.batches.list(limit=5):
        found += [batch.id] if batch.id in wanted else []
        if len(found) == len(wanted):
            break
    assert found == wanted
    page = trial.client.batches.list(limit=2)
    assert (len(page.data), page.has_more) == (2, True)
    assert trial.client.batches.list(limit=2, after=page.data[0].id).data[0].id == page.data[1].id


def test_a_key_that_nobody_has_is_refused(trial: Trial) -> None:
    with pytest.raises(openai.AuthenticationError):
        trial.client.batches.with_raw_response.list(extra_headers={"Authorization": "Basic x"})


def test_a_batch_of_a_deleted_file_never_completes(trial: Trial) -> None:
    file_id = trial.upload(line("gone"))
    trial.client.files.delete(file_id)
    try:
        batch = trial.client.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
    except openai.BadRequestError as refusal:
        assert "Cannot find file" in str(refusal)  # noqa: PT017 - both ways were captured
        return
    trial.created["gone"] = batch
    assert trial.ended("gone").status == "failed"

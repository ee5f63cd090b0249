from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.local_openai.driving import CHAT, counts, create, errors, line, lines, start, upload

if TYPE_CHECKING:
    from local.openai import Admin

MESSAGES = [{"role": "user", "content": "Hello"}]
MODEL = "gpt-4o-mini"


def validated(client: openai.OpenAI, admin: Admin, content: bytes, endpoint: str = CHAT) -> Any:
    batch = start(client, content, endpoint)
    admin.advance(9)
    return client.batches.retrieve(batch.id)


@pytest.mark.parametrize(
    ("bad", "code", "param", "message"),
    [
        (b"{broken\n", "invalid_json_line", None, "This line is not parseable as valid JSON."),
        (b"\n", "invalid_json_line", None, "This line is not parseable as valid JSON."),
        (b"[]\n", "invalid_json_line", None, "This line is not parseable as valid JSON."),
        (b'"\xff"\n', "invalid_json_line", None, "This line is not parseable as valid JSON."),
        (line(None), "missing_required_parameter", "custom_id", "Missing required parameter: 'custom_id'."),
        (line("x", method=None), "missing_required_parameter", "method", "Missing required parameter: 'method'."),
        (
            line("x").replace(b'"url"', b'"uri"'),
            "missing_required_parameter",
            "url",
            "Missing required parameter: 'url'.",
        ),
        (
            line("x").replace(b'"body"', b'"bod"'),
            "missing_required_parameter",
            "body",
            "Missing required parameter: 'body'.",
        ),
        (
            line("x", url="/v1/embeddings"),
            "invalid_url",
            "url",
            "The URL provided for this request does not match the batch endpoint.",
        ),
        (
            line("x", body={"model": "nope-1", "messages": MESSAGES}),
            "model_not_found",
            "body.model",
            "The provided model 'nope-1' is not supported by the Batch API.",
        ),
        (line("x", body={"messages": MESSAGES}), "invalid_request", "body.model", "Model parameter is required."),
        (line("x", body={"model": MODEL}), "invalid_request", "body.messages", "Messages parameter is required."),
        (
            line("x", body={"model": MODEL, "messages": MESSAGES, "stream": True}),
            "streaming_unsupported",
            "body.stream",
            "Chat Completions: Streaming is not supported in the Batch API.",
        ),
        (
            line("q-0"),
            "duplicate_custom_id",
            "custom_id",
            (
                "The custom_id 'q-0' for this request is a duplicate of another request."
                " The custom_id parameter must be unique for each request in a batch."
            ),
        ),
        (
            line("x", body={"model": "gpt-4o", "messages": MESSAGES}),
            "mismatched_model",
            "body.model",
            (
                "The model 'gpt-4o' for this request does not match the rest of the batch."
                " Each batch must contain requests for a single model."
            ),
        ),
        (line(7), "invalid_type", "custom_id", "Invalid type for 'custom_id': expected a string."),
        (line("x", method="GET"), "invalid_value", "method", "Invalid value: 'GET'. Supported values are: 'POST'."),
    ],
)
def test_one_bad_line_fails_the_whole_batch(  # one row per line of the table of captured errors
    client: openai.OpenAI, admin: Admin, bad: bytes, code: str, param: str | None, message: str
) -> None:
    batch = validated(client, admin, line("q-0") + bad + line("q-2"))
    assert errors(batch) == [(code, 2, param)]
    assert batch.errors.data[0].message == message
    assert (batch.status, counts(batch), batch.in_progress_at) == ("failed", (0, 0, 0), None)
    assert batch.failed_at is not None
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert admin.executions() == {}


def test_every_bad_line_is_named_once_and_in_order(client: openai.OpenAI, admin: Admin) -> None:
    batch = validated(client, admin, line("a") + b"x\n" + line("b") + line("b", url="/v1/responses") + b"y")
    assert errors(batch) == [
        ("invalid_json_line", 2, None),
        ("duplicate_custom_id", 4, "custom_id"),
        ("invalid_json_line", 5, None),
    ]


def test_a_line_is_what_ends_in_a_line_feed_and_nothing_else(client: openai.OpenAI, admin: Admin) -> None:
    content = b"".join(
        line(f"q-{number}").replace(b"Question", "\u2028\u0085\x7f".encode()).replace(b"\n", b"\r\n")
        for number in range(3)
    )
    assert counts(validated(client, admin, content.rstrip(b"\n"))) == (3, 0, 0)


def test_too_many_requests_or_inputs_fail_the_batch_and_the_limit_itself_does_not(
    client: openai.OpenAI, admin: Admin
) -> None:
    admin.configure(max_requests=3, max_embedding_inputs=3)
    assert validated(client, admin, lines(3)).status == "in_progress"
    assert errors(validated(client, admin, lines(4))) == [("too_many_tasks", None, None)]

    def inputs(*counts: int) -> bytes:
        model = "text-embedding-3-small"
        return b"".join(
            line(f"e-{index}", url="/v1/embeddings", body={"model": model, "input": ["a"] * count})
            for index, count in enumerate(counts)
        )

    assert validated(client, admin, inputs(1, 2), "/v1/embeddings").status == "in_progress"
    assert validated(client, admin, inputs(2, 2), "/v1/embeddings").status == "failed"


def test_a_file_that_is_not_there_fails_the_batch_or_the_create_by_switch(client: openai.OpenAI, admin: Admin) -> None:
    gone = upload(client, lines(1))
    batch = create(client, gone)
    client.files.delete(gone)
    admin.advance(9)
    assert errors(client.batches.retrieve(batch.id)) == [("invalid_request", None, "file_id")]
    admin.configure(unknown_file_at_create=True)
    with pytest.raises(openai.BadRequestError, match="Cannot find file"):
        create(client, gone)


def test_a_batch_over_the_token_limit_fails_with_the_text_that_names_it(client: openai.OpenAI, admin: Admin) -> None:
    content = line("big", body={"model": MODEL, "messages": [{"role": "user", "content": "x" * 4_000}]})
    admin.configure(token_limits={MODEL: 1_500}, token_release_lag=30)
    first = validated(client, admin, content)
    second = validated(client, admin, content)
    assert errors(second) == [("token_limit_exceeded", None, None)]
    assert "Enqueued token limit reached for gpt-4o-mini in organization org-local. Limit: 1,500 enqueued tokens." in (
        second.errors.data[0].message
    )
    assert 1_000 <= admin.state()["enqueued_tokens"][MODEL] <= 1_010
    admin.advance(620)
    assert client.batches.retrieve(first.id).status == "completed"
    assert validated(client, admin, content).status == "failed"  # the lag has not passed
    admin.advance(30)
    assert validated(client, admin, content).status == "in_progress"


def test_a_phantom_queue_refuses_though_nothing_runs(client: openai.OpenAI, admin: Admin) -> None:
    admin.configure(phantom_tokens=True)
    assert errors(validated(client, admin, lines(1))) == [("token_limit_exceeded", None, None)]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"endpoint": "/v1/x"}, "invalid_value", "endpoint"),
        ({"completion_window": "1h"}, "invalid_value", "completion_window"),
        ({"input_file_id": None}, "missing_required_parameter", "input_file_id"),
        ({"input_file_id": 7}, "invalid_type", "input_file_id"),
        ({"metadata": {"tags": ["a"]}}, "invalid_type", "metadata.tags"),
        ({"metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "metadata"),
        ({"metadata": {"k" * 65: ""}}, "string_above_max_length", "metadata." + "k" * 65),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "metadata.k"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "integer_out_of_range", None),
        ({"surprise": 1}, "unknown_parameter", "surprise"),
    ],
)
def test_wrong_parameters_are_refused_at_create(
    client: openai.OpenAI, admin: Admin, changes: dict[str, object], code: str, param: str | None
) -> None:
    body = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h"} | changes
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/batches", body=body, cast_to=object)
    assert caught.value.code == code
    assert param in (None, caught.value.param)
    assert admin.batches() == []


def test_the_endpoints_that_are_supported_are_listed_in_the_refusal(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"Supported values are: '/v1/responses', .* and '/v1/videos'\."):
        create(client, "file-x", "/v1/x")

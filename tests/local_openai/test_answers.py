from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from openai.types import CreateEmbeddingResponse, ImagesResponse, ModerationCreateResponse, Video
from openai.types.chat import ChatCompletion
from openai.types.completion import Completion
from openai.types.responses import Response

from tests.local_openai.driving import line, results, start

if TYPE_CHECKING:
    from openai import OpenAI
    from pydantic import BaseModel

    from local.openai import Admin

MESSAGES = [{"role": "user", "content": "Hello \u2028 there"}]


def execute(client: OpenAI, admin: Admin, endpoint: str, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    """The responses to requests with these bodies, in their order."""
    content = b"".join(line(f"{index:03}", url=endpoint, body=body) for index, body in enumerate(bodies))
    batch = start(client, content, endpoint)
    admin.advance(1_000)
    done = client.batches.retrieve(batch.id)
    rows = results(client, done.output_file_id) + results(client, done.error_file_id)
    assert len(rows) == len(bodies), done
    return [row["response"] for row in sorted(rows, key=lambda row: row["custom_id"])]


@pytest.mark.parametrize(
    ("endpoint", "body", "model"),
    [
        ("/v1/chat/completions", {"model": "gpt-4o-mini", "messages": MESSAGES}, ChatCompletion),
        ("/v1/responses", {"model": "gpt-5-mini", "input": "Hello"}, Response),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}, CreateEmbeddingResponse),
        ("/v1/completions", {"model": "davinci-002", "prompt": "Hello"}, Completion),
        ("/v1/moderations", {"input": "Hello"}, None),
        ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "A cat"}, ImagesResponse),
        ("/v1/videos", {"model": "sora-2", "prompt": "A cat"}, Video),
    ],
)
def test_every_endpoint_answers_in_the_shape_of_the_sdk(
    client: OpenAI, admin: Admin, endpoint: str, body: dict[str, Any], model: type[BaseModel] | None
) -> None:
    response = execute(client, admin, endpoint, body)[0]
    assert response["status_code"] == 200
    if model is not None:
        model.model_validate(response["body"], strict=True)
    else:
        assert ModerationCreateResponse.construct(**response["body"]).results


def test_an_answer_echoes_its_question_so_that_answers_can_be_told_apart(client: OpenAI, admin: Admin) -> None:
    response = execute(client, admin, "/v1/chat/completions", {"model": "gpt-4o-mini", "messages": MESSAGES})[0]
    assert "Hello \u2028 there" in response["body"]["choices"][0]["message"]["content"]
    assert response["body"]["model"] == "gpt-4o-mini-2024-07-18"


def test_usage_has_cached_and_reasoning_tokens_where_they_are_plausible(client: OpenAI, admin: Admin) -> None:
    long = [{"role": "user", "content": "word " * 2_000}]
    usage = execute(client, admin, "/v1/chat/completions", {"model": "gpt-5", "messages": long})[0]["body"]["usage"]
    assert usage["prompt_tokens"] >= 2_500
    assert 0 < usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 64
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_vectors_have_the_length_that_was_asked_for(client: OpenAI, admin: Admin) -> None:
    model = "text-embedding-3-small"
    plain, small, encoded, tokens = execute(
        client,
        admin,
        "/v1/embeddings",
        {"model": model, "input": "a"},
        {"model": model, "input": ["a", "b", "c"], "dimensions": 8},
        {"model": model, "input": "a", "encoding_format": "base64"},
        {"model": model, "input": [1, 2, 3]},
    )
    vector = plain["body"]["data"][0]["embedding"]
    assert len(vector) == 1_536
    assert sum(value * value for value in vector) == pytest.approx(1, abs=0.1)
    assert [(item["index"], len(item["embedding"])) for item in small["body"]["data"]] == [(0, 8), (1, 8), (2, 8)]
    assert len(base64.b64decode(encoded["body"]["data"][0]["embedding"])) == 4 * 1_536
    assert len(tokens["body"]["data"]) == 1


@pytest.mark.parametrize(
    ("endpoint", "body", "param"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "poet", "content": "x"}]}, "messages[0].role"),
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/chat/completions", {"messages": "x"}, "messages"),
        ("/v1/chat/completions", {"messages": MESSAGES, "response_format": "json"}, "response_format"),
        ("/v1/chat/completions", {"messages": MESSAGES, "temperature": "hot"}, "temperature"),
        ("/v1/chat/completions", {"messages": MESSAGES, "top_p": 2}, "top_p"),
        ("/v1/embeddings", {"input": ""}, "input"),
        ("/v1/responses", {"input": 7}, "input"),
        ("/v1/responses", {"messages": MESSAGES}, "messages"),
        ("/v1/responses", {"input": "Hello", "max_tokens": 7}, "max_tokens"),
    ],
)
def test_a_body_that_the_endpoint_refuses_is_a_400_of_its_request_alone(
    client: OpenAI, admin: Admin, endpoint: str, body: dict[str, Any], param: str
) -> None:
    good = {"messages": MESSAGES} if "chat" in endpoint else {"input": "Hello"}
    refused, answered = execute(client, admin, endpoint, {"model": "gpt-4o"} | body, {"model": "gpt-4o"} | good)
    assert (refused["status_code"], answered["status_code"]) == (400, 200)
    error = refused["body"]["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_long_lines_and_strange_texts_pass_unharmed(client: OpenAI, admin: Admin) -> None:
    texts = ["x" * 10_000_000, "\U0001f600 \u0000 \\n \u2028", '"}\n{"']
    bodies = [{"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} for text in texts]
    responses = execute(client, admin, "/v1/chat/completions", *bodies)
    contents = [response["body"]["choices"][0]["message"]["content"] for response in responses]
    assert ["x" * 200 in contents[0], texts[1] in contents[1], texts[2] in contents[2]] == [True] * 3

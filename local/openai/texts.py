"""Answers in words: chat completions, responses, completions."""

from __future__ import annotations

from typing import Any

import msgspec

from local.openai.question import Answer, Question


def chat(question: Question) -> Answer:
    text = question.text()
    if (question.body.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        text = msgspec.json.encode({"answer": text}).decode()
    usage = question.usage(text)
    choices = question.body.get("n")
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    count = choices if isinstance(choices, int) and 0 < choices <= 128 else 1  # noqa: PLR2004 - the API's maximum
    body = {
        "id": "chatcmpl-" + question.key[:29],
        "object": "chat.completion",
        "created": question.created,
        "model": question.model,
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": "stop"} for index in range(count)
        ],
        "usage": {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": usage.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_" + question.key[:10],
    }
    return Answer(200, body, usage)


def responses(question: Question) -> Answer:
    text = question.text()
    usage = question.usage(text)
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message_id = "msg_" + question.key[:48]
    body = {
        "id": "resp_" + question.key[:48],
        "object": "response",
        "created_at": question.created,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": question.body.get("instructions"),
        "max_output_tokens": question.body.get("max_output_tokens"),
        "model": question.model,
        "output": [
            {"id": message_id, "type": "message", "status": "completed", "role": "assistant", "content": [content]}
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        },
        "metadata": question.body.get("metadata") or {},
    }
    return Answer(200, body, usage)


def completions(question: Question) -> Answer:
    text = question.text()
    usage = question.usage(text)
    body = {
        "id": "cmpl-" + question.key[:29],
        "object": "text_completion",
        "created": question.created,
        "model": question.model,
        "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
        },
    }
    return Answer(200, body, usage)

"""Deterministic answers: the same body and seed give the same answer, with plausible ``usage``."""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from local.openai import vectors
from local.openai.identity import digest
from local.openai.tokens import prompt_tokens, text_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = ("amber", "brisk", "cedar", "delta", "ember", "fjord", "grove", "harbor", "kelp", "lumen", "maple", "opal")
_ECHO_MAX = 200
_CACHE_STEP = 128  #: OpenAI caches prompts above 1,024 tokens, in steps of 128
_CACHE_FROM = 1_024
_SEPARATORS = "a\u2028b\u2029c\u0085d\x0be\x0cf"  #: every character that breaks readers which split on more than \n

#: 1 x 1 transparent PNG
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c636000000000050001a5f645400000000049454e44ae426082"
)


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; ``cached`` are among ``input``, ``reasoning`` among ``output``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Answer:
    """The HTTP status and body of one executed request."""

    status: int
    body: dict[str, Any]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Question:
    """One request on its way to an answer; ``model`` is the snapshot, ``separators`` asks for U+2028 in the text."""

    endpoint: str
    body: dict[str, Any]
    model: str
    created: int
    seed: int
    separators: bool = False

    @property
    def key(self) -> bytes:
        """What the answer depends on."""
        return digest(self.seed, msgspec.json.encode(self.body).decode())

    def text(self) -> str:
        """The answer's text: an echo of the prompt's end, and a few words by seed."""
        words = random.Random(self.key).choices(_WORDS, k=8)  # noqa: S311 - not a secret
        tail = _SEPARATORS if self.separators else ""
        return f"You said: {_last_text(self.body)} {' '.join(words)}{tail}"

    def usage(self, text: str) -> Usage:
        """Plausible tokens for an answer ``text``."""
        prompt = prompt_tokens(self.body)
        cached = prompt // 2 // _CACHE_STEP * _CACHE_STEP if prompt >= _CACHE_FROM else 0
        thinks = self.model.startswith(("gpt-5", "o1", "o3", "o4"))
        reasoning = 64 if thinks else 0
        return Usage(input=prompt, cached=cached, output=text_tokens(text) + reasoning, reasoning=reasoning)


def answer(question: Question) -> Answer:
    """Answer a request of any endpoint of the Batch API."""
    return _ANSWERS[question.endpoint](question)


def _last_text(body: dict[str, Any]) -> str:
    """The end of the prompt, wherever the endpoint keeps it."""
    value = body.get("messages") or body.get("input") or body.get("prompt") or ""
    while isinstance(value, list | dict):
        if not value:
            return ""
        value = value[-1] if isinstance(value, list) else value.get("content", value.get("text", ""))
    return str(value)[-_ECHO_MAX:]


def _chat(question: Question) -> Answer:
    text = question.text()
    if (question.body.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        text = msgspec.json.encode({"answer": text}).decode()
    usage = question.usage(text)
    choices = question.body.get("n")
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    count = choices if isinstance(choices, int) and 0 < choices <= 128 else 1  # noqa: PLR2004 - the API's maximum
    body = {
        "id": "chatcmpl-" + question.key.hex()[:29],
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
        "system_fingerprint": "fp_" + question.key.hex()[:10],
    }
    return Answer(200, body, usage)


def _responses(question: Question) -> Answer:
    text = question.text()
    usage = question.usage(text)
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message_id = "msg_" + question.key.hex()[:48]
    body = {
        "id": "resp_" + question.key.hex()[:48],
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


def _completions(question: Question) -> Answer:
    text = question.text()
    usage = question.usage(text)
    body = {
        "id": "cmpl-" + question.key.hex()[:29],
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


def _embeddings(question: Question) -> Answer:
    tokens = prompt_tokens(question.body)
    body = {
        "object": "list",
        "data": vectors.data(question.body, question.model, question.seed),
        "model": question.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Answer(200, body, Usage(input=tokens))


def _moderations(question: Question) -> Answer:
    names = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
    flags = dict.fromkeys(names, False)
    value = question.body["input"]
    scores = {name: question.key[index] / 2**16 for index, name in enumerate(names)}
    result = {"flagged": False, "categories": flags, "category_scores": scores}
    count = len(value) if isinstance(value, list) and value and isinstance(value[0], str) else 1
    model = question.model or "omni-moderation-2024-09-26"
    return Answer(200, {"id": "modr-" + question.key.hex()[:29], "model": model, "results": [result] * count})


def _images(question: Question) -> Answer:
    usage = Usage(input=prompt_tokens(question.body), output=272)
    details = {"text_tokens": usage.input, "image_tokens": 0}
    body = {
        "created": question.created,
        "data": [{"b64_json": b64encode(_PIXEL).decode()}],
        "usage": {
            "input_tokens": usage.input,
            "input_tokens_details": details,
            "output_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
        },
    }
    return Answer(200, body, usage)


def _videos(question: Question) -> Answer:
    body = {
        "id": "video_" + question.key.hex()[:48],
        "object": "video",
        "created_at": question.created,
        "completed_at": question.created,
        "expires_at": question.created + 86_400,
        "error": None,
        "model": question.model,
        "progress": 100,
        "prompt": question.body["prompt"],
        "remixed_from_video_id": None,
        "seconds": str(question.body.get("seconds") or "4"),
        "size": question.body.get("size") or "720x1280",
        "status": "completed",
    }
    return Answer(200, body)


_ANSWERS: dict[str, Callable[[Question], Answer]] = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _responses,
    "/v1/completions": _completions,
    "/v1/embeddings": _embeddings,
    "/v1/moderations": _moderations,
    "/v1/images/generations": _images,
    "/v1/images/edits": _images,
    "/v1/videos": _videos,
}

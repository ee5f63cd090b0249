"""Answers that are no words: moderations, images, videos."""

from __future__ import annotations

from base64 import b64encode

from local.openai.question import Answer, Question, Usage
from local.openai.tokens import prompt_tokens

#: 1 x 1 transparent PNG
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4"
    "890000000d49444154789c636000000000050001a5f645400000000049454e44ae426082"
)


def moderations(question: Question) -> Answer:
    names = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
    flags = dict.fromkeys(names, False)
    value = question.body["input"]
    scores = {name: int(question.key[2 * index : 2 * index + 2], 16) / 2**16 for index, name in enumerate(names)}
    result = {"flagged": False, "categories": flags, "category_scores": scores}
    count = len(value) if isinstance(value, list) and value and isinstance(value[0], str) else 1
    model = question.model or "omni-moderation-2024-09-26"
    return Answer(200, {"id": "modr-" + question.key[:29], "model": model, "results": [result] * count})


def images(question: Question) -> Answer:
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


def videos(question: Question) -> Answer:
    body = {
        "id": "video_" + question.key[:48],
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

"""Chat requests and their answers, the same in every run."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLAIN = re.findall(
    r"\w+",
    "review customer quality shipping arrived the product and was is a in because really great returned again "
    "delivery would not recommend it to anyone after two weeks of daily use",
)
_WORDS = (*_PLAIN, *_PLAIN, *_PLAIN, "well,", '"excellent"', "said:", "[sic]", "5", "twice.\n")
_OVERHEAD = 260  #: bytes of a request besides its text


def requests(number: int, size: int) -> Iterator[bytes]:
    """So many lines of about ``size`` bytes."""
    texts = _texts(size - _OVERHEAD)
    for index in range(number):
        messages = [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": texts[index % len(texts)]},
        ]
        body = {"model": "gpt-5-mini", "messages": messages, "max_completion_tokens": 500, "temperature": 0.2}
        line = {"custom_id": f"request-{index:07d}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        yield json.dumps(line).encode() + b"\n"


def answers(number: int) -> Iterator[bytes]:
    """Output lines of about 1.3 kB for the first so many requests, in their order."""
    texts = _texts(700)
    for index in range(number):
        body = {
            "id": f"chatcmpl-{index:024d}",
            "object": "chat.completion",
            "created": 1_795_305_600,
            "model": "gpt-5-mini-2025-08-07",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": texts[index % len(texts)], "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 120, "completion_tokens": 160, "total_tokens": 280},
        }
        response = {"status_code": 200, "request_id": f"req-{index:024d}", "body": body}
        row = {"id": f"batch_req_{index}", "custom_id": f"request-{index:07d}", "response": response, "error": None}
        yield json.dumps(row).encode() + b"\n"


def written(path: Path, number: int, size: int) -> Path:
    """A file of requests."""
    with path.open("wb") as file:
        file.writelines(requests(number, size))
    return path


def _texts(size: int) -> list[str]:
    seeded = random.Random(f"texts of {size}")  # noqa: S311 - for the same texts in every run
    return [_text(seeded, size) for _ in range(500)]


def _text(seeded: random.Random, size: int) -> str:
    words: list[str] = []
    while size > 0:
        words.append(seeded.choice(_WORDS))
        size -= len(words[-1]) + 1
    return " ".join(words)

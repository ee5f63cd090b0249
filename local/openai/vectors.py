"""Embeddings by seed: as long as the model's, of about unit length."""

from __future__ import annotations

import random
from array import array
from base64 import b64encode
from functools import lru_cache
from typing import Any

from local.openai.identity import digest
from local.openai.question import Answer, Question, Usage
from local.openai.tokens import prompt_tokens

_DIMENSIONS = {"text-embedding-3-large": 3_072}
_USUAL_DIMENSIONS = 1_536


def embeddings(question: Question) -> Answer:
    tokens = prompt_tokens(question.body)
    body = {
        "object": "list",
        "data": _data(question.body, question.model, question.seed),
        "model": question.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Answer(200, body, Usage(input=tokens))


def _data(body: dict[str, Any], model: str, seed: int) -> list[dict[str, Any]]:
    value = body["input"]
    many = isinstance(value, list) and not (value and isinstance(value[0], int))
    size = body.get("dimensions") or _DIMENSIONS.get(model, _USUAL_DIMENSIONS)
    encode = _base64 if body.get("encoding_format") == "base64" else list
    return [
        {"object": "embedding", "index": index, "embedding": encode(_vector(item, size, seed))}
        for index, item in enumerate(value if many else [value])
    ]


def _vector(item: object, size: int, seed: int) -> list[float]:
    """One of 256 levels for each dimension, by a table: 50,000 vectors are a matter of seconds."""
    levels = _levels(size)
    noise = random.Random(digest(seed, item)).randbytes(size)  # noqa: S311 - not a secret
    return [levels[byte] for byte in noise]


@lru_cache(maxsize=8)
def _levels(size: int) -> list[float]:
    # A uniform variable on [-a, a] has variance a²/3; a = sqrt(3 / size) gives vectors of length 1.
    most = (3 / size) ** 0.5
    return [round((byte - 127.5) / 127.5 * most, 8) for byte in range(256)]


def _base64(vector: list[float]) -> str:
    return b64encode(array("f", vector).tobytes()).decode()

"""Deterministic answers: the same body and seed give the same answer, with plausible ``usage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.openai import bodies, media, texts, vectors
from local.openai.errors import error_body
from local.openai.question import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSWERS: dict[str, Callable[[Question], Answer]] = {
    "/v1/chat/completions": texts.chat,
    "/v1/responses": texts.responses,
    "/v1/completions": texts.completions,
    "/v1/embeddings": vectors.embeddings,
    "/v1/moderations": media.moderations,
    "/v1/images/generations": media.images,
    "/v1/images/edits": media.images,
    "/v1/videos": media.videos,
}


def answer(question: Question) -> Answer:
    """Answer a request of any endpoint of the Batch API: 200, or 400 for a body that the endpoint would refuse."""
    fault = bodies.judge(question.endpoint, question.body)
    if fault is not None:
        error = error_body(fault.message, param=fault.param, code=fault.code, type="invalid_request_error")
        return Answer(400, error)
    return _ANSWERS[question.endpoint](question)

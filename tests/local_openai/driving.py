"""Short words for what every test of the server does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Batch

CHAT = "/v1/chat/completions"


def line(custom_id: object, *, url: str = CHAT, body: dict[str, Any] | None = None, **changes: object) -> bytes:
    """One input line; a keyword set to null leaves that field out."""
    usual = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"Question {custom_id}"}]}
    request = {"custom_id": custom_id, "method": "POST", "url": url, "body": usual if body is None else body} | changes
    return json.dumps({name: value for name, value in request.items() if value is not None}).encode() + b"\n"


def lines(count: int) -> bytes:
    """``count`` sound lines with the custom ids q-0, q-1, ..."""
    return b"".join(line(f"q-{number}") for number in range(count))


def upload(client: OpenAI, content: bytes, name: str = "input.jsonl") -> str:
    """The id of a new file."""
    return client.files.create(file=(name, content), purpose="batch").id


def create(client: OpenAI, file_id: str, endpoint: Any = CHAT, **options: Any) -> Batch:
    """A new batch of an uploaded file."""
    return client.batches.create(input_file_id=file_id, endpoint=endpoint, completion_window="24h", **options)


def start(client: OpenAI, content: bytes, endpoint: Any = CHAT, **options: Any) -> Batch:
    """A new batch of these lines."""
    return create(client, upload(client, content), endpoint, **options)


def results(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of a result file in its order; none if there is no file."""
    raw = client.files.content(file_id).content if file_id else b""
    return [json.loads(part) for part in raw.split(b"\n") if part]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    """The custom ids, sorted."""
    return sorted(row["custom_id"] for row in rows)


def counts(batch: Batch) -> tuple[int, int, int]:
    """Total, completed, failed."""
    assert batch.request_counts is not None
    return batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed


def errors(batch: Batch) -> list[tuple[str | None, int | None, str | None]]:
    """Code, line and param of each validation error."""
    found = batch.errors.data if batch.errors else None
    return [(error.code, error.line, error.param) for error in found or []]

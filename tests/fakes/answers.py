"""Lines of output and error files, as the provider writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def respond_to(request: Json) -> tuple[int, Json]:
    """Status and body that the fake gives to a request: always the same, and naming its custom id."""
    custom_id, body = request["custom_id"], request["body"]
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": f"answer to {custom_id}"},
        "finish_reason": "stop",
    }
    return 200, {
        "id": f"chatcmpl-{custom_id}",
        "object": "chat.completion",
        "model": body.get("model"),
        "choices": [choice],
        "usage": usage,
    }


def answer(custom_id: str, status: int = 200, body: Json | None = None) -> Json:
    """One line for a request that was executed. Above 399 its body is an error unless one is given."""
    if body is None:
        body = {"error": {"message": f"status {status}", "type": "error", "param": None, "code": None}}
        if status < 400:
            body = respond_to({"custom_id": custom_id, "body": {"model": "gpt-5-mini"}})[1]
    response = {"status_code": status, "request_id": f"req-{custom_id}", "body": body}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": None}


def unexecuted(custom_id: str, code: str = "batch_expired") -> Json:
    """One line for a request that was never run."""
    error = {"code": code, "message": "This request could not be executed before the completion window expired."}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": None, "error": error}


def as_line(line: Mapping[str, Any] | bytes | str) -> bytes:
    """The line with its newline; bytes are taken as they are."""
    if isinstance(line, Mapping):
        line = json.dumps(line)
    data = line.encode() if isinstance(line, str) else line
    return data if data.endswith(b"\n") else data + b"\n"

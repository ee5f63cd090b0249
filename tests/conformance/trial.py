"""The batches of the suite: small enough to cost less than a cent, and what cleans up after them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

import openai

if TYPE_CHECKING:
    from openai.types import Batch

CHAT: Final = "/v1/chat/completions"
EMBEDDINGS: Final = "/v1/embeddings"
CHAT_MODEL = os.environ.get("CONFORMANCE_CHAT_MODEL", "gpt-4.1-nano")
OTHER_CHAT_MODEL = os.environ.get("CONFORMANCE_OTHER_CHAT_MODEL", "gpt-4o-mini")
EMBEDDING_MODEL = os.environ.get("CONFORMANCE_EMBEDDING_MODEL", "text-embedding-3-small")
ENDED = {"completed", "failed", "expired", "cancelled"}
_POLL_MIN, _POLL_MAX = 0.05, 15.0


def line(custom_id: object, *, url: str = CHAT, body: dict[str, Any] | None = None, **changes: object) -> bytes:
    """One input line; a keyword set to null leaves that field out."""
    usual = {
        "model": CHAT_MODEL,
        "messages": [{"role": "user", "content": f"Say {custom_id}."}],
        "max_completion_tokens": 16,
    }
    request = {"custom_id": custom_id, "method": "POST", "url": url, "body": usual if body is None else body} | changes
    return json.dumps({name: value for name, value in request.items() if value is not None}).encode() + b"\n"


def _body(**changes: object) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(line("x"))["body"]
    return {name: value for name, value in (body | changes).items() if value is not None}


#: Inputs by name, with the endpoint of their batch. All but the first four fail validation, and cost nothing.
INPUTS: dict[str, tuple[bytes, str]] = {
    "mixed": (line("good") + line("bad", body=_body(messages=[{"role": "poet", "content": "x"}])), CHAT),
    "none good": (line("bad", body=_body(messages=[{"role": "poet", "content": "x"}])), CHAT),
    "vectors": (
        line("e", url=EMBEDDINGS, body={"model": EMBEDDING_MODEL, "input": ["a", "b"], "dimensions": 8}),
        EMBEDDINGS,
    ),
    "cancelled": (b"".join(line(f"c-{number}") for number in range(3)), CHAT),
    "not json": (line("a") + b"{broken\n", CHAT),
    "no custom_id": (line("a") + line(None), CHAT),
    "no method": (line("a") + line("b", method=None), CHAT),
    "other url": (line("a") + line("b", url=EMBEDDINGS), CHAT),
    "no model": (line("a") + line("b", body=_body(model=None)), CHAT),
    "no messages": (line("a") + line("b", body=_body(messages=None)), CHAT),
    "unknown model": (line("a", body=_body(model="no-such-model-1")), CHAT),
    "streaming": (line("a") + line("b", body=_body(stream=True)), CHAT),
    "duplicate": (line("a") + line("a"), CHAT),
    "two models": (line("a") + line("b", body=_body(model=OTHER_CHAT_MODEL)), CHAT),
}


class Trial:
    """The batches by name; ``seconds`` is how long all of them may take."""

    def __init__(self, client: openai.OpenAI, *, seconds: float) -> None:
        self.client = client
        self.created: dict[str, Batch] = {}
        self.early: list[Batch] = []
        self._deadline = time.monotonic() + seconds
        self._files: list[str] = []

    def begin(self) -> None:
        """Create every batch, and cancel the one that is to be cancelled."""
        for name, (content, endpoint) in INPUTS.items():
            file_id = self.upload(content)
            batch = self.client.batches.create(
                input_file_id=file_id,
                endpoint=endpoint,  # type: ignore[arg-type]
                completion_window="24h",
                metadata={"suite": "conformance", "name": name},
            )
            self.created[name] = batch
            if name == "cancelled":
                self.early = [self.client.batches.cancel(batch.id), self.client.batches.cancel(batch.id)]

    def upload(self, content: bytes, name: str = "conformance.jsonl") -> str:
        """The id of a new file, deleted in the end."""
        file_id = self.client.files.create(file=(name, content), purpose="batch").id
        self._files.append(file_id)
        return file_id

    def ended(self, name: str) -> Batch:
        """The batch once it has ended."""
        pause = _POLL_MIN
        while True:
            batch = self.client.batches.retrieve(self.created[name].id)
            if batch.status in ENDED:
                self._files += [file_id for file_id in (batch.output_file_id, batch.error_file_id) if file_id]
                return batch
            assert time.monotonic() < self._deadline, f"batch {name!r} is still {batch.status}"
            time.sleep(pause)
            pause = min(_POLL_MAX, pause * 1.5)

    def rows(self, file_id: str | None) -> list[dict[str, Any]]:
        """The lines of a result file; none if there is no file."""
        raw = self.client.files.content(file_id).content if file_id else b""
        return [json.loads(part) for part in raw.split(b"\n") if part]

    def clean(self) -> None:
        """Cancel what runs, delete every file."""
        for batch in self.created.values():
            with contextlib.suppress(openai.APIError):
                if self.client.batches.retrieve(batch.id).status not in ENDED:
                    self.client.batches.cancel(batch.id)
        for file_id in set(self._files):
            with contextlib.suppress(openai.APIError):
                self.client.files.delete(file_id)

"""Batches of one short request, and what cleans up after them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Final, Literal

import openai

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai.types import Batch

ENDPOINT: Final = "/v1/chat/completions"
MODEL = os.environ.get("LIVE_MODEL", "gpt-4.1-nano")
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_PAUSES = (0.05, 10.0)

Status = Literal["in_progress", "finalizing"]


class Bench:
    """``tell`` shows what was measured; ``seconds``: how long a batch may take.

    The client does not retry: a create that is sent twice would make two batches.
    """

    def __init__(self, client: openai.OpenAI, tell: Callable[[str], None], *, seconds: float) -> None:
        self.client = client
        self.tell = tell
        self.seconds = seconds
        self._files: set[str] = set()
        self._batches: set[str] = set()

    def upload(self) -> str:
        """The id of a new input file with one request, of at most 16 tokens."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Say yes."}], "max_completion_tokens": 16}
        line = json.dumps({"custom_id": "live-1", "method": "POST", "url": ENDPOINT, "body": body}).encode() + b"\n"
        file_id = self.client.files.create(file=("batchdrop-live.jsonl", line), purpose="batch").id
        self._files.add(file_id)
        return file_id

    def create(self, file_id: str, headers: dict[str, str] | None = None) -> Batch:
        """A new batch of that file."""
        batch = self.client.batches.create(
            input_file_id=file_id,
            endpoint=ENDPOINT,
            completion_window="24h",
            metadata={"suite": "batchdrop live"},
            extra_headers=headers,
        )
        self._batches.add(batch.id)
        return batch

    def reach(self, batch_id: str, *statuses: str) -> Batch:
        """The batch once it is in one of these, or has ended."""
        deadline = time.monotonic() + self.seconds
        pause, most = _PAUSES
        while True:
            batch = self.client.batches.retrieve(batch_id)
            if batch.status in ENDED | set(statuses):
                self._files |= {name for name in (batch.output_file_id, batch.error_file_id) if name}
                return batch
            assert time.monotonic() < deadline, f"{batch_id} is still {batch.status}"
            time.sleep(pause)
            pause = min(most, pause * 1.5)

    def listed(self, file_id: str) -> list[str]:
        """Batches of that input file among the newest hundred."""
        page = self.client.batches.list(limit=100)
        return [batch.id for batch in page.data if batch.input_file_id == file_id]

    def clean(self) -> None:
        """Cancel what runs, wait for its end, delete every file."""
        for batch_id in self._batches:
            with contextlib.suppress(openai.APIError):
                if self.client.batches.retrieve(batch_id).status not in ENDED:
                    self.client.batches.cancel(batch_id)
        for batch_id in self._batches:
            with contextlib.suppress(openai.APIError):
                self.reach(batch_id)
        for file_id in self._files:
            with contextlib.suppress(openai.APIError):
                self.client.files.delete(file_id)

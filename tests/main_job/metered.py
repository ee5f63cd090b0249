"""A provider that has only so much room: it checks a batch some time after its creation, and refuses it where full."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from batchdrop.ports import LineError
from tests.fakes.answers import Json, respond_to
from tests.fakes.batch_api import InMemoryBatchApi
from tests.main_job.service import Service


@dataclass
class Metered:
    """Call ``look`` once a minute. ``dense``: tokens for each four bytes of a file. ``lag``: minutes until the room of
    an ended batch is free again. ``checks``: minutes until a batch is checked. ``works``: minutes that it then takes.
    ``says``: whether a refusal names the limit.
    """

    limit: int
    what: str = "token"
    dense: float = 1.0
    lag: int = 0
    checks: int = 0
    works: int = 10
    says: bool = True
    phantom: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    freed: dict[str, int] = field(default_factory=dict)
    refusals: Counter[int] = field(default_factory=Counter)  #: by minute
    most: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    minute: int = 0

    def look(self, api: InMemoryBatchApi) -> None:
        self.minute += 1
        for batch_id in api.open_batches():
            if batch_id not in self.started:
                if self.minute >= self.seen.setdefault(batch_id, self.minute) + self.checks:
                    self._check(api, batch_id)
            elif self.minute >= self.started[batch_id] + self.works:
                api.finish(batch_id)
                self.freed[batch_id] = self.minute + self.lag

    def tokens(self, data: bytes) -> int:
        return int(self.dense * len(data) / 4)

    def _size(self, api: InMemoryBatchApi, batch_id: str) -> int:
        data = api.files[api.batches[batch_id].input_file_id].data
        return self.tokens(data) if self.what == "token" else data.count(b"\n")

    def _check(self, api: InMemoryBatchApi, batch_id: str) -> None:
        held = [one for one in self.sizes if self.freed.get(one, self.minute + 1) > self.minute]
        enqueued = sum(self.sizes[one] for one in held) + self._size(api, batch_id)
        if self.phantom or enqueued > self.limit:
            self.refusals[self.minute] += 1
            text = f"Enqueued {self.what} limit reached for m in organization org-X."
            text += f" Limit: {self.limit:,} enqueued {self.what}s." if self.says else ""
            api.fail(batch_id, LineError(f"{self.what if self.what == 'request' else 'token'}_limit_exceeded", text))
            return
        self.started[batch_id], self.sizes[batch_id] = self.minute, self._size(api, batch_id)
        self.most = max(self.most, enqueued)
        api.change(batch_id, status="in_progress")

    def respond(self, request: Json) -> tuple[int, Json]:
        """Says what a request took, as dense as the limit counts it."""
        status, body = respond_to(request)
        tokens = self.tokens(str(request).encode())
        return status, body | {"usage": {"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5}}


def run(service: Service, provider: Metered, *, minutes: int = 3_000) -> int:
    """A minute at a time, until nothing is open; how many it took."""
    service.api.respond = provider.respond
    service.deliver()
    for minute in range(minutes):
        service.tick()
        if next(service.ports.ledger.open_items(), None) is None:
            return minute
        provider.look(service.api)
        service.ports.clock.advance(minutes=1)
    raise AssertionError(f"still open: {[item.key for item in service.ports.ledger.open_items()]}")

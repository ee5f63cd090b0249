"""The whole service in memory: the real use cases as ``bootstrap`` wires them, driven by their own messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchdrop.adapters.ledger import TableLedger
from batchdrop.bootstrap import App
from batchdrop.core import naming
from batchdrop.core.events import Dropped
from batchdrop.core.model import Batch, Job
from batchdrop.core.status import is_final
from batchdrop.settings import Settings
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeClock, FakeDeadline
from tests.fakes.messages import InMemoryMessages, Message
from tests.fakes.objects import InMemoryObjects
from tests.fakes.prices import InMemoryPrices
from tests.fakes.table import InMemoryTable
from tests.unit.test_settings import ENV

IN, OUT, WORK = ENV["INPUT_BUCKET"], ENV["OUTPUT_BUCKET"], ENV["WORK_BUCKET"]
Provider = Callable[[InMemoryBatchApi, str], object]


def request(custom_id: object, *, model: str = "gpt-5-mini", url: str = "/v1/chat/completions", **body: Any) -> bytes:
    value = {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, "messages": [], **body}}
    return json.dumps(value, ensure_ascii=False).encode()


def requests(number: int, prefix: str = "r") -> list[bytes]:
    return [request(f"{prefix}-{index}") for index in range(1, number + 1)]


def finish(api: InMemoryBatchApi, batch_id: str) -> object:
    return api.finish(batch_id)


def once(first: object, then: object = finish) -> object:
    """A provider that does ``first`` to its first batch and ``then`` to every other."""
    seen: list[str] = []

    def provider(api: InMemoryBatchApi, batch_id: str) -> object:
        seen.append(batch_id)
        return (first if batch_id == seen[0] else then)(api, batch_id)  # type: ignore[operator]

    return provider


@dataclass
class InMemoryPorts:
    clock: FakeClock = field(default_factory=FakeClock)
    messages: InMemoryMessages = field(default_factory=InMemoryMessages)
    table: InMemoryTable = field(default_factory=InMemoryTable)
    prices: InMemoryPrices = field(default_factory=InMemoryPrices)

    def __post_init__(self) -> None:
        self.ledger = TableLedger(self.table)
        self.objects = InMemoryObjects(self.clock, versioned=[IN, OUT], plain=[WORK])
        self.api = InMemoryBatchApi(self.clock)


class Service:
    """Drop files, let it run, look at what lies in the output bucket. ``parameters`` are the template's."""

    def __init__(self, **parameters: str) -> None:
        self.ports = InMemoryPorts()
        self.app = App(Settings.from_env(ENV | {"INVALID_LINES": "report"} | parameters), self.ports)

    @property
    def api(self) -> InMemoryBatchApi:
        return self.ports.api

    def drop(
        self,
        key: str,
        content: bytes | Iterable[bytes],
        metadata: Mapping[str, str] | None = None,
        *,
        events: int = 1,
    ) -> str:
        """Put an object; S3 sends its event, so many times. The job's id."""
        data = content if isinstance(content, bytes) else b"".join(line + b"\n" for line in content)
        version_id = self.ports.objects.put(IN, key, data, metadata).version_id
        for _ in range(events):
            self.told(Dropped(IN, key, version_id))
        return naming.job_id(IN, key, version_id or "")

    def deliver(self) -> None:
        """Work off every message that waits, as the queues would."""
        while message := self.ports.messages.pop():
            self._handle(message)

    def tick(self) -> None:
        self.app.poll(FakeDeadline())
        self.deliver()

    def run(self, provider: Provider = finish, *, minutes: int = 600) -> None:
        """A minute at a time, until nothing is open. ``provider`` is called for every open batch once a minute."""
        self.deliver()
        for _ in range(minutes):
            self.tick()
            if next(self.ports.ledger.open_items(), None) is None:
                return
            for batch_id in self.api.open_batches():
                provider(self.api, batch_id)
            self.ports.clock.advance(minutes=1)
        raise AssertionError(f"still open: {[item.key for item in self.ports.ledger.open_items()]}")

    def job(self, job_id: str) -> Job:
        job = self.ports.ledger.job(job_id)
        assert job is not None
        return job

    def batches(self, job_id: str) -> list[Batch]:
        return list(self.ports.ledger.batches(job_id))

    def ended(self, job_id: str) -> bool:
        return is_final(self.job(job_id))

    def raw(self, key: str) -> bytes:
        return self.ports.objects.read(OUT, key)

    def lines(self, key: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw(key).split(b"\n") if line]

    def ids(self, key: str) -> list[Any]:
        return [line["custom_id"] for line in self.lines(key)]

    def status(self, stem: str) -> dict[str, Any]:
        return dict(json.loads(self.raw(f"{stem}.status.json")))

    def outputs(self) -> list[str]:
        return self.ports.objects.keys(OUT)

    def told(self, drop: Dropped) -> None:
        """What the submitter does about an event of S3's, or the sweep's."""
        if naming.to_cancel(drop.key):
            self.app.cancel.dropped(drop.bucket, drop.key, drop.version_id)
        else:
            self.app.plan(drop.bucket, drop.key, drop.version_id, FakeDeadline())

    def _handle(self, message: Message) -> None:
        key, deadline = message.key, FakeDeadline()
        if message.dropped:
            self.told(message.dropped)
        elif key is None:
            self.app.poll(deadline)
        elif message.to == "plan":
            self.app.plan.resume(key.job_id, deadline)
        elif message.to == "submit":
            self.app.submit(key, deadline)
        else:
            self.app.collect(key, deadline)

"""A deployment in memory: a job that runs, its input, and every port."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from batchdrop.adapters.ledger import TableLedger
from batchdrop.core.model import AnyItem, Batch, Key, attributes
from batchdrop.core.states import BatchState
from tests import samples
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeClock
from tests.fakes.messages import InMemoryMessages
from tests.fakes.objects import InMemoryObjects
from tests.fakes.table import InMemoryTable

BODY = b"".join(
    b'{"custom_id":"%s","method":"POST","url":"/v1/responses","body":{"model":"gpt-5-mini","input":"Hello"}}\n' % name
    for name in (b"a", b"b")
)


@dataclass
class World:
    clock: FakeClock = field(default_factory=FakeClock)
    table: InMemoryTable = field(default_factory=InMemoryTable)
    messages: InMemoryMessages = field(default_factory=InMemoryMessages)

    def __post_init__(self) -> None:
        self.ledger = TableLedger(self.table)
        self.api = InMemoryBatchApi(self.clock)
        self.objects = InMemoryObjects(self.clock, versioned=["input", "output"], plain=["work"])
        written = self.objects.write("input", "reviews.jsonl", [BODY])
        assert written
        self.source = samples.source(version_id=written.version_id, end_byte=len(BODY))
        self.put(samples.running(), samples.chunk())

    def put(self, *items: AnyItem) -> None:
        for item in items:
            self.table.items[item.key.job_id, item.key.item] = attributes(item)

    def batch(self, number: int = 1, state: BatchState = BatchState.QUEUED, **changes: Any) -> Batch:
        """Put a batch into the table."""
        batch = samples.batch(number, state=state, **{"source": self.source} | changes)
        self.put(batch)
        return batch

    def in_flight(self, number: int = 1, **changes: Any) -> Batch:
        """A batch that was created at the provider now."""
        remote = self.api.create(
            file_id=self.api.upload(f"{number}.jsonl", self.objects.replayable(self.source)),
            endpoint="/v1/responses",
            completion_window="24h",
            metadata={},
        )
        known = {
            "file_id": remote.input_file_id,
            "openai_batch_id": remote.id,
            "openai_created_at": remote.created_at,
            "in_flight_at": self.clock.now(),
            "remote_status": remote.status,
        }
        return self.batch(number, BatchState.IN_FLIGHT, **known | changes)

    def read(self, key: Key) -> Batch:
        found = self.ledger.get(key)
        assert isinstance(found, Batch)
        return found

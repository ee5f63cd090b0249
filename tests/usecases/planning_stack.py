"""A plan over the in-memory ports, and what it would send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from batchdrop.adapters.ledger import TableLedger
from batchdrop.core import manifest, naming
from batchdrop.core.cut import Limits
from batchdrop.core.model import Batch, Chunk, Job, Source
from batchdrop.core.options import Options
from batchdrop.usecases.announce import Announce
from batchdrop.usecases.opening import Open
from batchdrop.usecases.plan import Plan
from batchdrop.usecases.staging import Stage
from tests.fakes.clock import FakeClock, FakeDeadline
from tests.fakes.messages import InMemoryMessages
from tests.fakes.objects import InMemoryObjects
from tests.fakes.prices import InMemoryPrices
from tests.fakes.table import InMemoryTable


def request(custom_id: Any = "a", *, model: str = "m", url: str = "/v1/chat/completions", **body: Any) -> bytes:
    """A line without its newline."""
    line = {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, "messages": [], **body}}
    return msgspec.json.encode(line)


@dataclass
class PlanningStack:
    limit: Limits = field(default_factory=Limits)
    options: Options = field(default_factory=Options)
    clock: FakeClock = field(default_factory=FakeClock)
    messages: InMemoryMessages = field(default_factory=InMemoryMessages)
    table: InMemoryTable = field(default_factory=InMemoryTable)
    prices: InMemoryPrices = field(default_factory=InMemoryPrices)
    published: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.objects = InMemoryObjects(self.clock)
        self.ledger = TableLedger(self.table)

    def plan(self, **changes: Any) -> Plan:
        objects, ledger = changes.pop("objects", self.objects), changes.pop("ledger", self.ledger)
        plan = Plan(
            ledger=ledger,
            objects=objects,
            messages=self.messages,
            clock=self.clock,
            prices=self.prices,
            open=Open(ledger, objects, self.clock, self.options, "input"),
            stage=Stage(objects, "work", self.limit),
            announce=Announce(ledger, self.messages, self.clock, self.published.append),
        )
        return replace(plan, **changes)

    def put(self, data: bytes, key: str = "a.jsonl", metadata: Mapping[str, str] | None = None) -> str:
        """The version id of the new object."""
        return self.objects.put("input", key, data, metadata).version_id or "null"

    def drop(self, data: bytes, key: str = "a.jsonl", metadata: Mapping[str, str] | None = None) -> Job:
        """Put an object and plan it; its job as the table has it."""
        version_id = self.put(data, key, metadata)
        self.plan()("input", key, version_id, FakeDeadline())
        return self.job(key, version_id)

    def job(self, key: str, version_id: str) -> Job:
        job = self.ledger.job(naming.job_id("input", key, version_id))
        assert job is not None
        return job

    def chunks(self, job: Job) -> list[Chunk]:
        return list(self.ledger.chunks(job.job_id))

    def batches(self, job: Job) -> list[Batch]:
        return list(self.ledger.batches(job.job_id))

    def bytes_of(self, source: Source) -> bytes:
        return self.objects.read(source.bucket, source.key, source.version_id)[source.first_byte : source.end_byte]

    def lines_of(self, batch: Batch) -> list[bytes]:
        """The lines that would go to the provider."""
        return self.bytes_of(batch.source).removesuffix(b"\n").split(b"\n")

    def rows(self, job: Job, number: int = 1) -> list[manifest.Row]:
        data = self.objects.read("work", naming.manifest_key(job.job_id, number))
        return [manifest.decode(line) for line in data.split(b"\n")[:-1]]

    def fates(self, job: Job) -> Iterator[tuple[int, str]]:
        """(physical line, what goes out for it, or the code that it was refused with), in input order."""
        for chunk in self.chunks(job):
            if not chunk.staged:
                for number, line in enumerate(self.bytes_of(chunk.source).removesuffix(b"\n").split(b"\n")):
                    yield chunk.first_line + number, line.decode()
                continue
            staged = naming.staged_key(job.job_id, chunk.number)
            for row in self.rows(job, chunk.number):
                if isinstance(row, manifest.Refused):
                    yield row.line, row.code
                else:
                    data = self.objects.read("work", staged)
                    yield row.line, data[row.first_byte : row.first_byte + row.length].decode()

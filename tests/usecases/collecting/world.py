"""A world in memory for the collecting side: jobs that are running, a provider, and somebody who drives on."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from batchdrop.adapters.ledger import TableLedger
from batchdrop.core import manifest, naming
from batchdrop.core.model import AnyItem, Batch, Chunk, Counts, Job, Key, Source, Usage, attributes
from batchdrop.core.options import Options
from batchdrop.core.states import BatchState, ChunkState, JobState
from batchdrop.ports import RemoteBatch
from batchdrop.usecases.announce import Announce
from batchdrop.usecases.assemble import Assemble
from batchdrop.usecases.clean import Clean
from batchdrop.usecases.collect import Collect
from batchdrop.usecases.explain import Explain
from batchdrop.usecases.fetch import Fetch
from batchdrop.usecases.join import Join
from tests import samples
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeClock, FakeDeadline
from tests.fakes.messages import InMemoryMessages
from tests.fakes.objects import InMemoryObjects
from tests.fakes.table import InMemoryTable

MODEL = "gpt-5-mini"
Wrap = Callable[[Any], Any]


def request(custom_id: str, **body: Any) -> bytes:
    """One line of an input, without its newline."""
    body = {"model": MODEL, "messages": []} | body
    value = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(value).encode()


def rows(data: bytes) -> list[Any]:
    """The lines of an output, decoded."""
    return [json.loads(line) for line in data.split(b"\n") if line]


def ids(data: bytes) -> list[str]:
    return [row["custom_id"] for row in rows(data)]


class World:
    """Everything that a collector meets. ``wrap`` may stand between a use case and each of its ports."""

    def __init__(self, spool: Path, *, smallest_part: int = 5 * 2**20) -> None:
        self.spool = spool
        self.clock = FakeClock()
        self.table = InMemoryTable()
        self.ledger = TableLedger(self.table)
        self.objects = InMemoryObjects(self.clock, smallest_part=smallest_part)
        self.api = InMemoryBatchApi(self.clock)
        self.messages = InMemoryMessages()
        self.published: list[Job] = []

    def collector(self, wrap: Wrap = lambda port: port, *, keep: bool = False) -> Collect:
        ledger, objects, api = wrap(self.ledger), wrap(self.objects), wrap(self.api)
        messages = wrap(self.messages)
        return Collect(
            ledger,
            self.clock,
            Fetch(ledger, objects, api, messages, self.clock, "work", self.spool, keep),
            Join(ledger, objects, self.clock, "output", "work", self.spool),
            Assemble(
                ledger,
                objects,
                self.clock,
                "output",
                Announce(ledger, messages, self.clock, self.published.append),
            ),
            Explain(ledger, objects, "output", "work"),
            Clean(ledger, objects, api, self.clock, "output", "work", keep),
        )

    # set up
    def put(self, item: AnyItem) -> None:
        self.table.items[item.job_id, item.item] = attributes(item)

    def run(
        self, *batches: Sequence[str], key: str = "reviews.jsonl", max_attempts: int = 3, **job: Any
    ) -> tuple[Job, list[Batch]]:
        """A running job of one clean chunk, with a queued batch for each sequence of custom ids."""
        info = self.objects.put("input", key, b"\n".join(request(one) for batch in batches for one in batch))
        assert info.version_id is not None
        made = samples.running(
            job_id=naming.job_id("input", key, info.version_id),
            bucket="input",
            input_key=key,
            version_id=info.version_id,
            stem=naming.stem(key),
            last_modified=info.last_modified,
            options=Options(max_attempts=max_attempts),
            counts=Counts(requests=sum(map(len, batches))),
        )
        made = msgspec.structs.replace(made, **job)
        source = Source(bucket="input", key=key, version_id=info.version_id, first_byte=0, end_byte=info.bytes)
        self.put(made)
        self.put(
            samples.chunk(
                job_id=made.job_id, source=source, requests=sum(map(len, batches)), batches=len(batches), invalid=0
            )
        )
        return made, self._cut(made, source, batches)

    def _cut(self, job: Job, source: Source, batches: Iterable[Sequence[str]]) -> list[Batch]:
        made, at = [], 0
        for number, custom_ids in enumerate(batches, 1):
            end = at + sum(len(request(one)) + 1 for one in custom_ids)
            part = msgspec.structs.replace(source, first_byte=at, end_byte=min(end, source.end_byte))
            batch = samples.batch(
                number, job_id=job.job_id, source=part, requests=len(custom_ids), endpoint="/v1/chat/completions"
            )
            self.put(batch)
            made.append(batch)
            at = end
        return made

    def stage(self, job: Job, rows_: Sequence[manifest.Row], staged: bytes) -> None:
        """Make the job's first chunk a staged one."""
        chunk, batches = self.ledger.chunk(job.job_id, 1)
        assert chunk is not None
        refused = sum(isinstance(row, manifest.Refused) for row in rows_)
        self.put(msgspec.structs.replace(chunk, staged=True, requests=len(rows_), invalid=refused))
        self.objects.put("work", naming.manifest_key(job.job_id, 1), b"".join(map(manifest.encode, rows_)))
        self.objects.put("work", naming.staged_key(job.job_id, 1), staged)
        source = Source(bucket="work", key=naming.staged_key(job.job_id, 1), first_byte=0, end_byte=len(staged))
        self.put(msgspec.structs.replace(batches[0], source=source, requests=staged.count(b"\n")))

    # what the submitter and the poller would do
    def submit(self, batch: Batch) -> str:
        """Buy it; the provider's id."""
        with self.objects.open(batch.source) as source:
            file_id = self.api.upload("x.jsonl", io.BytesIO(source.read()))
        remote = self.api.create(file_id=file_id, endpoint=batch.endpoint, completion_window="24h", metadata={})
        self.put(
            msgspec.structs.replace(
                batch,
                state=BatchState.IN_FLIGHT,
                file_id=file_id,
                openai_batch_id=remote.id,
                remote_status="validating",
            )
        )
        return remote.id

    def end(self, batch: Batch, remote: RemoteBatch) -> None:
        """Record that the provider is done with it."""
        now = self.clock.now()
        fresh = self.batch(batch.job_id, batch.name)
        assert self.ledger.end(fresh, remote, now=now, check_at=now)

    def finish(self, batch: Batch, **how: Any) -> None:
        """Buy it, have the provider complete it and see that; ``how`` as for the provider's ``finish``."""
        self.end(batch, self.api.finish(self.submit(batch), **how))

    def settle(self, job: Job, collect: Collect | None = None) -> None:
        """Drive the job until it is cleaned; every queued batch is answered in full."""
        for _ in range(50):
            for item in [*self.ledger.open_items()]:
                self._drive(item, collect or self.collector())
            if self.job(job).cleaned_at is not None:
                return
            self.clock.advance(minutes=20)
        raise AssertionError("the job does not end")

    def _drive(self, item: AnyItem, collect: Collect) -> None:
        if isinstance(item, Batch) and item.state is BatchState.QUEUED:
            self.finish(item)
        fresh = self.ledger.get(item.key)
        if isinstance(fresh, Chunk | Job) or (isinstance(fresh, Batch) and fresh.state is BatchState.ENDED):
            collect(item.key, FakeDeadline())

    # look
    def collect(self, item: AnyItem | Key, deadline: float = 900) -> str | None:
        trouble = self.collector()(item if isinstance(item, Key) else item.key, FakeDeadline(deadline))
        return trouble.reason if trouble else None

    def fetch(self, batch: Batch) -> bool:
        """The first step alone."""
        return self.collector().fetch(self.batch(batch.job_id, batch.name), FakeDeadline())

    def job(self, job: Job) -> Job:
        fresh = self.ledger.job(job.job_id)
        assert fresh is not None
        return fresh

    def chunk(self, job: Job, number: int = 1) -> Chunk:
        fresh, _ = self.ledger.chunk(job.job_id, number)
        assert fresh is not None
        return fresh

    def batch(self, job_id: str, name: str) -> Batch:
        fresh = self.ledger.get(Key(job_id, naming.batch_item(1, name)))
        assert isinstance(fresh, Batch)
        return fresh

    def batches(self, job: Job) -> dict[str, Batch]:
        return {batch.name: batch for batch in self.ledger.batches(job.job_id)}

    def answers(self, batch: Batch) -> bytes:
        return self.objects.read("work", naming.answers_key(batch.job_id, batch.chunk, batch.name))

    def output(self, name: str) -> bytes:
        return self.objects.read("output", name)

    def part(self, job: Job, kind: str) -> bytes:
        return self.objects.read("output", naming.part_key(job.stem, job.job_id, 1, kind))


def usage_of(requests: int) -> Usage:
    """What the fake provider reports for so many answers."""
    return Usage(requests=requests, input_tokens=10 * requests, output_tokens=5 * requests)


OPEN, COLLECTED, RUNNING = ChunkState.OPEN, ChunkState.COLLECTED, JobState.RUNNING

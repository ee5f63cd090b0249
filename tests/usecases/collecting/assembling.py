"""Jobs that are ready to be delivered."""

from __future__ import annotations

from typing import Any

from batchdrop.core import naming
from batchdrop.core.model import Job
from batchdrop.core.states import ChunkState
from tests import samples
from tests.fakes.answers import answer
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.world import World

MIB = 2**20


def joined(world: World, *ids_: str, key: str = "reviews.jsonl", failing: tuple[str, ...] = (), **job: Any) -> Job:
    """A job whose only chunk is collected."""
    made, [batch] = world.run(ids_, key=key, **job)
    world.finish(batch, errors=[answer(one, 400) for one in failing])
    collect = world.collector()
    assert world.fetch(batch)
    assert collect.join(world.chunk(made), FakeDeadline())
    return world.job(made)


def assemble(world: World, job: Job, seconds: float = 900, wrap: Any = lambda port: port) -> Job | None:
    return world.collector(wrap).assemble(world.job(job), FakeDeadline(seconds))


def large(world: World, *sizes: int) -> tuple[Job, bytes]:
    """A job whose chunks have parts of these sizes; the bytes that its results must be."""
    job = samples.running(
        job_id="large-000000000000",
        bucket="input",
        input_key="large.jsonl",
        stem="large",
        chunks=len(sizes),
        open_chunks=0,
    )
    world.put(job)
    whole = bytearray()
    for number, size in enumerate(sizes, 1):
        data = bytes([65 + number % 26]) * (size - 1) + b"\n"
        world.objects.put("output", naming.part_key("large", job.job_id, number, "results"), data)
        world.put(samples.chunk(number, job_id=job.job_id, state=ChunkState.COLLECTED, results_bytes=size, due=None))
        whole += data
    return job, bytes(whole)

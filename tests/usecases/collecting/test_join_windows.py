"""A chunk whose answers have no room in the temporary directory at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from batchdrop.core import manifest, naming
from tests.fakes.answers import answer
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.world import World, ids, request


def joined(world: World, *, room: int | None, staged: bool) -> tuple[bytes, bytes]:
    """Results and errors of nine requests in two batches, one of them refused by the provider, joined in ``room``."""
    names = [f"r{number}" for number in range(9)]
    job, batches = world.run(names[:5], names[5:])
    if staged:
        lines = [request(name) for name in names]
        rows: list[manifest.Row] = []
        at = 0
        for number, line in enumerate(lines, 1):
            rows.append(manifest.Sent(number, names[number - 1], at, len(line)))
            at += len(line) + 1
        chunk = world.chunk(job)
        world.put(msgspec.structs.replace(chunk, staged=True))
        world.objects.put("work", naming.manifest_key(job.job_id, 1), b"".join(map(manifest.encode, rows)))
        world.objects.put("work", naming.staged_key(job.job_id, 1), b"\n".join(lines) + b"\n")
    for batch in batches:
        failing = [answer("r7", 400)] if batch.name == "0002" else []
        world.finish(batch, errors=failing)
        assert world.fetch(batch)
    join = replace(world.collector().join, room=room)
    assert join(world.chunk(job), FakeDeadline())
    return world.part(job, "results"), world.part(job, "errors")


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("room", [1, 400, 1_000, 1_000_000])
def test_the_parts_are_the_same_bytes_however_little_room_there_is(tmp_path: Path, room: int, staged: bool) -> None:

    whole = joined(World(tmp_path), room=None, staged=staged)
    assert joined(World(tmp_path), room=room, staged=staged) == whole
    assert ids(whole[0]) == [f"r{number}" for number in range(9)]
    assert whole[1].count(b"\n") == 1

"""A chunk's parts: the answers in the order of the input, and what is said about those that failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batchdrop.core import naming
from batchdrop.core.errors import Rejected
from batchdrop.core.manifest import Refused, Row, Sent
from batchdrop.core.model import Batch, Job
from batchdrop.core.states import BatchState, ChunkState
from batchdrop.usecases import dividing
from tests.fakes.answers import answer, as_line
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.world import World, ids, request, rows

JoinIt = Callable[[Job], bool]


@pytest.fixture
def join(world: World) -> JoinIt:
    return lambda job: world.collector().join(world.chunk(job), FakeDeadline())


def fetch_all(world: World, *batches: Batch, **how: Any) -> None:
    for batch in batches:
        world.finish(batch, **how)
        assert world.fetch(batch)


def test_answers_of_several_batches_stand_in_the_order_of_the_input(world: World, join: JoinIt) -> None:
    job, batches = world.run(["c", "a", "b"], ["z", "y"])
    fetch_all(world, *batches)

    assert join(job)

    assert ids(world.part(job, "results")) == ["c", "a", "b", "z", "y"]
    assert world.objects.keys("output") == [naming.part_key("reviews", job.job_id, 1, "results")]
    chunk = world.chunk(job)
    assert (chunk.state, chunk.results_bytes, chunk.errors_bytes) == (
        ChunkState.COLLECTED,
        len(world.part(job, "results")),
        0,
    )
    assert world.job(job).open_chunks == 0


def test_a_chunk_waits_until_every_batch_of_it_is_done(world: World, join: JoinIt) -> None:
    job, [first, second] = world.run(["a"], ["b"])
    fetch_all(world, first)

    assert not join(job)

    world.finish(second, output=[answer("b", 500)])
    world.fetch(second)
    assert not join(job), "what goes again is waited for too"
    wave = world.batch(job.job_id, "0002.r")
    fetch_all(world, wave)
    assert join(job)
    assert ids(world.part(job, "results")) == ["a", "b"]


def test_a_read_that_shows_half_of_a_transaction_joins_nothing(
    world: World, join: JoinIt, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, [batch] = world.run(["a", "b"])
    fetch_all(world, batch, output=[answer("a", 200), answer("b", 500)])
    chunk, batches = world.ledger.chunk(job.job_id, 1)
    assert [batch.name for batch in batches] == ["0001", "0001.r"]
    monkeypatch.setattr(world.ledger, "chunk", lambda *_: (chunk, batches[:1]))

    assert not join(job)


@pytest.mark.parametrize("shown", [0, 1])
def test_a_split_that_is_seen_in_part_is_waited_for(
    world: World, join: JoinIt, monkeypatch: pytest.MonkeyPatch, shown: int
) -> None:
    job, [batch] = world.run(["a", "b"])
    halves = dividing.divided(world.objects, batch, 2, now=world.clock.now())
    fetched = [msgspec.structs.replace(half, state=BatchState.FETCHED, completed=1) for half in halves]
    retired = msgspec.structs.replace(batch, state=BatchState.RETIRED)
    seen = world.chunk(job), [retired, *fetched[:shown]]
    monkeypatch.setattr(world.ledger, "chunk", lambda *_: seen)

    assert not join(job)


def test_a_result_line_is_the_providers_line_byte_for_byte(world: World, join: JoinIt) -> None:
    job, [batch] = world.run(["a"])
    line = b' {"x":1.0e2,  "custom_id" : "a", "response":{"body":"\xe2\x80\xa8","status_code":200}}\t'
    fetch_all(world, batch, output=[line])

    join(job)

    assert world.part(job, "results") == line + b"\n"


def test_a_failure_is_reported_with_its_line_reason_and_request(world: World, join: JoinIt) -> None:
    job, [batch] = world.run(["a", "b", "c"])
    world.put(msgspec.structs.replace(world.chunk(job), first_line=41))
    body = {"error": {"code": "context_length_exceeded", "message": "Too long."}}
    fetch_all(world, batch, errors=[answer("b", 400, body), answer("c", 404)])

    join(job)

    assert rows(world.part(job, "errors")) == [
        {"line": 42, "code": "context_length_exceeded", "reason": "Too long.", "request": json.loads(request("b"))},
        {"line": 43, "code": "http_404", "reason": "status 404", "request": json.loads(request("c"))},
    ]
    assert world.part(job, "errors").split(b"\n")[0].endswith(b'"request":' + request("b") + b"}")


def staged_world(world: World) -> tuple[Job, Batch]:
    """Lines 2, 3, 5, 6, 8 of an input: two models, an id that was too long, one that was missing, two refused lines."""
    job, _ = world.run(["x"])
    sent = [request("plain"), request("bd.000003"), request("bd.000006")]
    ends = [sum(len(line) + 1 for line in sent[:count]) for count in range(4)]
    # Staged in groups: not in the order of the input.
    manifest: list[Row] = [
        Sent(
            2, "bd.000003", ends[1], len(sent[1]), mapped=True, original=msgspec.Raw('"\u00fcber\\u0041long"'.encode())
        ),
        Refused(3, "invalid_json", "Not JSON: mend the quotes.", raw="{'a'"),
        Sent(5, "plain", ends[0], len(sent[0])),
        Sent(6, "bd.000006", ends[2], len(sent[2]), mapped=True),
        Refused(8, "invalid_url", "No such endpoint.", msgspec.Raw(b"[7 ]"), msgspec.Raw(b'{"custom_id":[7 ]}')),
    ]
    world.stage(job, manifest, b"\n".join(sent) + b"\n")
    return job, world.batch(job.job_id, "0001")


def test_a_staged_chunk_gets_its_order_and_its_ids_back(world: World, join: JoinIt) -> None:
    job, batch = staged_world(world)
    echo = answer("bd.000003", body={"metadata": {"custom_id": "bd.000003"}})
    fetch_all(world, batch, output=[answer("bd.000006"), answer("plain"), echo])

    assert join(job)

    lines = world.part(job, "results").split(b"\n")
    assert [json.loads(line)["custom_id"] for line in lines[:-1]] == ["\u00fcberAlong", None, "plain", None, [7]]
    restored = as_line(echo).rstrip(b"\n").replace(b'"bd.000003"', '"\u00fcber\\u0041long"'.encode(), 1)
    assert lines[0] == restored, "the id in place, every other byte kept"
    assert json.loads(lines[1]) == {
        "id": None,
        "custom_id": None,
        "response": None,
        "error": {"code": "invalid_json", "message": "Not JSON: mend the quotes."},
    }


def test_failures_of_a_staged_chunk_name_the_physical_line_and_the_users_request(world: World, join: JoinIt) -> None:
    job, batch = staged_world(world)
    fetch_all(world, batch, output=[answer("plain")], errors=[answer("bd.000003", 400), answer("bd.000006", 400)])

    assert join(job)

    errors = rows(world.part(job, "errors"))
    assert [error["line"] for error in errors] == [2, 3, 6, 8]
    assert errors[0]["request"] == {**json.loads(request("x")), "custom_id": "\u00fcberAlong"}
    assert errors[1] == {
        "line": 3,
        "code": "invalid_json",
        "reason": "Not JSON: mend the quotes.",
        "raw": "{'a'",
    }
    assert errors[2]["request"]["custom_id"] is None
    assert errors[3]["request"] == {"custom_id": [7]}


def test_requests_of_a_batch_that_was_given_up_are_reported_with_its_reason(world: World, join: JoinIt) -> None:
    job, [first, second] = world.run(["a"], ["b", "c"])
    fetch_all(world, first)
    world.put(msgspec.structs.replace(second, state=BatchState.QUARANTINED, reason="It crashed five times."))

    assert join(job)

    assert ids(world.part(job, "results")) == ["a", "b", "c"]
    errors = rows(world.part(job, "errors"))
    assert [(error["line"], error["code"], error["reason"]) for error in errors] == [
        (2, "quarantined", "It crashed five times."),
        (3, "quarantined", "It crashed five times."),
    ]
    counts = world.job(job).counts
    assert (counts.completed, counts.failed, counts.quarantined) == (1, 2, 2)


def test_joining_again_gives_the_same_bytes_and_counts_once(world: World, join: JoinIt) -> None:
    job, [batch] = world.run(["a", "b"])
    fetch_all(world, batch, errors=[answer("b", 400)])
    open_chunk = world.chunk(job)
    assert join(job)
    first = [world.part(job, kind) for kind in ("results", "errors")]
    world.put(msgspec.structs.replace(open_chunk, claim=1))
    world.put(msgspec.structs.replace(world.job(job), open_chunks=1))

    assert join(job)
    assert not join(job)

    assert [world.part(job, kind) for kind in ("results", "errors")] == first
    assert world.job(job).open_chunks == 0


def test_an_answers_object_that_was_deleted_is_not_taken_for_silence(world: World, join: JoinIt) -> None:
    job, [batch] = world.run(["a"])
    fetch_all(world, batch)
    world.objects.delete("work", naming.answers_key(job.job_id, 1, "0001"))

    with pytest.raises(Rejected, match="object_gone"):
        join(job)


def test_a_chunk_that_does_not_hold_as_many_requests_as_planned_is_not_delivered(world: World, join: JoinIt) -> None:
    job, [batch] = world.run(["a", "b"])
    fetch_all(world, batch)
    world.put(msgspec.structs.replace(world.chunk(job), requests=3))

    with pytest.raises(ValueError, match="3 requests, 2 were found"):
        join(job)

    assert world.chunk(job).state is ChunkState.OPEN

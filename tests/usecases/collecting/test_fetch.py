"""What becomes of a batch that has ended."""

from __future__ import annotations

import json

import msgspec
import pytest

from batchdrop.core.codes import said
from batchdrop.core.model import Usage
from batchdrop.core.states import BatchState, JobState
from tests.fakes.answers import answer, as_line, unexecuted
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.world import World, ids, request, rows, usage_of


def test_every_answer_of_a_completed_batch_is_kept_byte_for_byte(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    lines = [b'{ "custom_id":"b" ,"response":{"status_code":200,"body":{"z":1.50}},"error":null}', as_line(answer("a"))]
    world.finish(batch, output=lines)

    world.fetch(batch)

    assert world.answers(batch) == lines[0] + b"\n" + lines[1]
    fetched = world.batch(job.job_id, "0001")
    assert (fetched.state, fetched.completed, fetched.failed, fetched.repeated) == (BatchState.FETCHED, 2, 0, 0)


def test_usage_is_summed_into_the_job_once(world: World) -> None:
    job, [batch, _] = world.run(["a", "b", "c"], ["d"])
    world.finish(batch)

    world.fetch(batch)
    world.fetch(batch)

    assert world.job(job).usage == {batch.model: usage_of(3)}
    assert world.job(job).counts.completed == 3


def test_of_an_expired_batch_what_is_done_is_kept_and_only_the_rest_runs_again(world: World) -> None:
    names = [f"r{number}" for number in range(10)]
    job, [batch] = world.run(names)
    world.end(batch, world.api.expire(world.submit(batch), done=0.9))

    world.collect(batch)

    wave = world.batch(job.job_id, "0001.r")
    assert sorted(ids(world.answers(batch))) == names[:9]
    assert (wave.state, wave.attempt, wave.requests, wave.due) == (BatchState.QUEUED, 2, 1, "open")
    assert world.objects.read("work", wave.source.key) == request("r9") + b"\n"
    world.settle(job)
    assert ids(world.output("reviews.results.jsonl")) == names
    assert all(times == 1 for times in world.api.executed.values()), "nothing finished is bought twice"


def test_a_wave_makes_the_poller_look(world: World) -> None:
    _, [batch] = world.run(["a"])
    world.end(batch, world.api.expire(world.submit(batch), done=0))

    world.collect(batch)

    assert [message.to for message in world.messages.sent] == ["tick"]


def test_a_batch_whose_requests_all_failed_has_no_output_file_and_is_reported(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    world.finish(batch, output=[], errors=[answer("a", 400), answer("b", 404)])
    assert world.batch(job.job_id, "0001").output_file_id is None

    world.settle(job)

    assert world.job(job).state is JobState.COMPLETED
    assert [row["code"] for row in rows(world.output("reviews.errors.jsonl"))] == ["http_400", "http_404"]
    assert world.job(job).counts.failed == 2


def test_completed_without_any_file_runs_everything_again(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    world.finish(batch, output=[])

    world.fetch(batch)

    assert world.answers(batch) == b""
    assert world.batch(job.job_id, "0001.r").requests == 2


def test_a_failure_inside_the_output_file_is_a_failure(world: World) -> None:
    job, [batch, _] = world.run(["a", "b"], ["c"])
    world.finish(batch, output=[answer("a", 422), answer("b")])

    world.collect(batch)

    counts = world.job(job).counts
    assert (counts.completed, counts.failed) == (1, 1)


@pytest.mark.parametrize("status", [0, 408, 409, 429, 500, 503])
def test_a_passing_failure_goes_again_in_whichever_file_it_stands(world: World, status: int) -> None:
    job, [batch] = world.run(["a", "b", "c"])
    world.finish(batch, output=[answer("a", status), answer("b")], errors=[answer("c", status)])

    world.collect(batch)

    assert ids(world.answers(batch)) == ["b"]
    assert ids(world.objects.read("work", world.batch(job.job_id, "0001.r").source.key)) == ["a", "c"]


def test_rows_in_any_order_missing_twice_and_of_foreign_ids(world: World) -> None:
    job, [batch] = world.run(["a", "b", "c", "d"])
    second = answer("c", body={"second": True})
    world.finish(
        batch,
        output=[answer("c"), answer("foreign"), second, b"no json at all", b'{"custom_id": 7}', answer("a"), b""],
        errors=[answer("a", 400), answer("d", 400)],
    )

    world.collect(batch)

    assert ids(world.answers(batch)) == ["c", "a", "d"], "the first final record of each counts"
    fetched = world.batch(job.job_id, "0001")
    assert (fetched.completed, fetched.failed, fetched.repeated) == (2, 1, 1)
    world.settle(job)
    assert ids(world.output("reviews.results.jsonl")) == ["a", "b", "c", "d"]


def test_a_passing_row_gives_way_to_a_final_one_that_comes_later(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch, output=[answer("a", 500)], errors=[answer("a", 400)])

    world.fetch(batch)

    assert rows(world.answers(batch))[0]["response"]["status_code"] == 400
    assert list(world.batches(job)) == ["0001"]


def test_line_separators_of_unicode_stand_raw_in_an_answer(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    body = {"text": "one\u2028two\u0085three\u2029four\x1cfive"}
    line = json.dumps(answer("a", body=body), ensure_ascii=False).replace("\\u001c", "\x1c").encode()
    world.finish(batch, output=[json.dumps(answer("a", body=body), ensure_ascii=False).encode(), answer("b")])

    world.settle(job)

    first = world.output("reviews.results.jsonl").split(b"\n")[0]
    assert first == line.replace(b"\x1c", b"\\u001c")
    assert "one\u2028two\u0085three".encode() in first


def test_the_last_attempt_keeps_the_last_row_as_it_came_and_makes_one_where_there_is_none(world: World) -> None:
    job, [batch] = world.run(["a", "b", "c"], max_attempts=1)
    world.finish(batch, output=[answer("c")], errors=[answer("b", 500), unexecuted("b")])

    world.fetch(batch)

    assert list(world.batches(job)) == ["0001"]
    kept = {row["custom_id"]: row for row in rows(world.answers(batch))}
    assert kept["b"] == unexecuted("b")
    assert kept["a"] == {
        "id": None,
        "custom_id": "a",
        "response": None,
        "error": dict(zip(("code", "message"), said("no_answer"), strict=True)),
    }
    fetched = world.batch(job.job_id, "0001")
    assert (fetched.completed, fetched.failed, fetched.repeated) == (1, 2, 0)


def test_attempts_end_at_the_jobs_limit(world: World) -> None:
    job, [batch] = world.run(["a"], max_attempts=2)
    world.finish(batch, output=[answer("a", 500)])
    world.collect(batch)
    wave = world.batch(job.job_id, "0001.r")
    world.finish(wave, output=[answer("a", 503)])

    world.collect(wave)

    assert list(world.batches(job)) == ["0001", "0001.r"]
    assert rows(world.output("reviews.results.jsonl"))[0]["response"]["status_code"] == 503


def test_a_job_that_is_to_stop_buys_nothing_again(world: World) -> None:
    job, [batch] = world.run(["a"], cancel_requested_at=None)
    world.put(msgspec.structs.replace(job, cancel_requested_at=world.clock.now()))
    world.end(batch, world.api.expire(world.submit(batch), done=0, status="cancelled"))

    world.collect(batch)

    assert list(world.batches(job)) == ["0001"]
    assert world.job(job).state is JobState.CANCELLED


def test_two_calls_at_once_fetch_once(world: World) -> None:
    job, [batch, _] = world.run(["a"], ["b"])
    world.finish(batch)
    stale = world.batch(job.job_id, "0001")
    world.collect(batch)

    assert not world.collector().fetch(stale, FakeDeadline())
    assert world.job(job).usage == {batch.model: usage_of(1)}


# ── batches that the provider refused ───────────────────────────────────────────────────────────────────────────────


def test_nothing_is_recorded_for_a_job_that_no_longer_runs(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    world.put(msgspec.structs.replace(job, state=JobState.FAILED))

    assert not world.collector().fetch(world.batch(job.job_id, "0001"), FakeDeadline())
    assert world.job(job).usage == {batch.model: Usage()}

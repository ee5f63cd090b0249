"""What becomes of a batch that has ended."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from batchdrop.core.errors import RetryLater
from batchdrop.core.model import BatchState, JobState, Usage
from batchdrop.ports import LineError
from tests.fakes.answers import answer, as_line, unexecuted
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting import World, ids, request, rows, usage_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


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
        "error": {"code": "no_answer", "message": "The provider returned no line for this request."},
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


def test_a_download_cut_in_the_middle_starts_anew_within_the_call(world: World) -> None:
    _, [batch] = world.run([f"r{number}" for number in range(500)])
    world.finish(batch)
    world.api.script("download", RetryLater("cut"), call=1, after=True)

    world.fetch(batch)

    assert len(set(ids(world.answers(batch)))) == 500
    assert world.answers(batch).count(b"\n") == 500


def test_a_download_that_is_always_cut_is_left_to_a_later_call(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    world.finish(batch)
    for call in (1, 2, 3):
        world.api.script("download", RetryLater("cut"), call=call, after=True)

    assert world.collect(batch) == "cut"

    assert world.objects.keys("work") == [], "no half of an answer is kept"
    world.settle(job)
    assert ids(world.output("reviews.results.jsonl")) == ["a", "b"]


def test_a_cut_near_the_end_of_an_invocation_is_not_tried_again_in_it(world: World) -> None:
    _, [batch] = world.run(["a"])
    world.finish(batch)
    world.api.script("download", RetryLater("cut"), after=True)

    assert world.collect(batch, deadline=100) == "cut"

    assert world.api.calls["download"] == 1


def test_a_file_that_cannot_be_read_yet_is_waited_for(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    file_id = world.batch(job.job_id, "0001").output_file_id
    assert file_id
    data = world.api.files.pop(file_id)
    assert "cannot be read yet" in (world.collect(batch) or "")

    world.api.files[file_id] = data
    world.clock.advance(minutes=20)
    world.collect(batch)

    assert ids(world.output("reviews.results.jsonl")) == ["a"]


def test_a_file_that_stays_gone_counts_as_one_without_lines(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    world.api.files.clear()
    world.clock.advance(hours=2)

    world.collect(batch)

    assert world.batch(job.job_id, "0001.r").attempt == 2


def test_two_calls_at_once_fetch_once(world: World) -> None:
    job, [batch, _] = world.run(["a"], ["b"])
    world.finish(batch)
    stale = world.batch(job.job_id, "0001")
    world.collect(batch)

    assert not world.collector().fetch(stale, FakeDeadline())
    assert world.job(job).usage == {batch.model: usage_of(1)}


# ── batches that the provider refused ───────────────────────────────────────────────────────────────────────────────


def test_lines_that_the_provider_names_are_reported_and_the_rest_goes_again_uncounted(world: World) -> None:
    job, [batch] = world.run(["a", "b", "c"])
    wrong = LineError("invalid_request", "Messages parameter is required.", 2)
    world.end(batch, world.api.fail(world.submit(batch), wrong))

    world.collect(batch)

    assert rows(world.answers(batch))[0]["error"] == {"code": wrong.code, "message": wrong.message}
    wave = world.batch(job.job_id, "0001.r")
    assert (wave.attempt, wave.requests) == (1, 2)
    assert world.job(job).counts.retried == 0, "it was never run"
    world.settle(job)
    assert ids(world.output("reviews.results.jsonl")) == ["a", "b", "c"]
    assert [row["line"] for row in rows(world.output("reviews.errors.jsonl"))] == [2]


def test_an_error_of_all_requests_is_the_record_of_each(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    world.end(batch, world.api.fail(world.submit(batch), LineError("model_not_found", "No such model.", 1)))

    world.collect(batch)

    errors = rows(world.output("reviews.errors.jsonl"))
    assert [(error["line"], error["code"]) for error in errors] == [(1, "model_not_found"), (2, "model_not_found")]
    assert errors[0]["request"] == json.loads(request("a"))
    assert world.job(job).counts.failed == 2


def test_a_batch_refused_at_its_creation_gives_its_error_to_every_request(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    creating = msgspec.structs.replace(batch, state=BatchState.CREATING)
    world.put(creating)
    world.ledger.end_refused(creating, code="invalid_value", reason="Invalid value: '/v1/x'.", now=world.clock.now())

    world.collect(batch)

    assert {row["error"]["message"] for row in rows(world.output("reviews.results.jsonl"))} == {
        "Invalid value: '/v1/x'."
    }
    assert world.job(job).state is JobState.COMPLETED


@pytest.mark.parametrize(
    "error",
    [
        LineError("token_limit_exceeded", "Enqueued token limit reached for gpt-5-mini."),
        LineError("invalid_request", "Cannot find file file-1, or organization x does not have access to it."),
    ],
)
def test_a_passing_refusal_puts_the_batch_back_uncounted_and_waits_longer_each_time(
    world: World, error: LineError
) -> None:
    job, [batch] = world.run(["a"])
    waits = []
    for _ in range(8):
        queued = world.batch(job.job_id, "0001")
        world.end(queued, world.api.fail(world.submit(queued), error))
        world.collect(batch)
        queued = world.batch(job.job_id, "0001")
        assert (queued.state, queued.attempt, queued.file_id) == (BatchState.QUEUED, 1, None)
        assert queued.not_before is not None
        waits.append(queued.not_before - world.clock.now())

    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert max(waits) == timedelta(hours=1)
    assert world.api.files == {}, "an input file that is not used again is not left at the provider"


def test_an_unknown_refusal_is_halved_until_it_is_given_up(world: World) -> None:
    names = [f"r{number:02}" for number in range(19)]
    job, [whole] = world.run(names)
    poison = LineError("brand_new_code", "Something about one of them.")
    for _ in range(20):
        for batch in world.batches(job).values():
            if batch.state is BatchState.QUEUED:
                remote = world.submit(batch)
                sick = "r07" in {one["custom_id"] for one in world.api.requests(remote)}
                world.end(batch, world.api.fail(remote, poison) if sick else world.api.finish(remote))
                world.collect(batch)

    assert {batch.attempt for batch in world.batches(job).values()} == {1}
    assert max(batch.halvings for batch in world.batches(job).values()) == 3
    assert ids(world.output("reviews.results.jsonl")) == names
    reported = {row["request"]["custom_id"] for row in rows(world.output("reviews.errors.jsonl"))}
    assert "r07" in reported
    assert len(reported) <= 3
    assert world.job(job).usage[whole.model] == usage_of(19 - len(reported))


def test_nothing_is_recorded_for_a_job_that_no_longer_runs(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    world.put(msgspec.structs.replace(job, state=JobState.FAILED))

    assert not world.collector().fetch(world.batch(job.job_id, "0001"), FakeDeadline())
    assert world.job(job).usage == {batch.model: Usage()}

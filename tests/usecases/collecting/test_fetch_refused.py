"""What becomes of a batch that the provider refused as a whole."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest

from batchdrop.core.errors import RetryLater
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import LineError
from tests.usecases.collecting.world import World, ids, request, rows, usage_of


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


def test_a_trouble_on_the_way_does_not_take_the_place_of_what_the_provider_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, [batch] = world.run(["a"])
    creating = msgspec.structs.replace(batch, state=BatchState.CREATING)
    world.put(creating)
    world.ledger.end_refused(creating, code="invalid_value", reason="Invalid value: '/v1/x'.", now=world.clock.now())

    def busy(*_: object, **__: object) -> None:
        raise RetryLater("S3 is busy")

    with monkeypatch.context() as trouble:
        trouble.setattr(world.objects, "open", busy)
        assert world.collect(batch) == "S3 is busy"
    world.clock.advance(minutes=20)
    world.collect(batch)

    assert rows(world.output("reviews.errors.jsonl"))[0]["reason"] == "Invalid value: '/v1/x'."


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

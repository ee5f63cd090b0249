"""A job that its user no longer wants."""

from __future__ import annotations

import pytest

from batchdrop.core.errors import Misconfigured, OutcomeUnknown, RetryLater
from batchdrop.core.states import BatchState, JobState
from tests.fakes.answers import answer
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeDeadline
from tests.main_job.service import IN, OUT, Service, finish, request, requests


def cancel(service: Service, key: str = "x.jsonl") -> int:
    """Drop ``<key>.cancel`` a second later; how many jobs were stopped."""
    service.ports.clock.advance(1)
    version_id = service.ports.objects.put(IN, f"{key}.cancel", b"").version_id
    return service.app.cancel.dropped(IN, f"{key}.cancel", version_id)


def half_done(api: InMemoryBatchApi, batch_id: str) -> object:
    """What OpenAI does when it is asked to stop: what was finished by then is in the files."""
    return api.expire(batch_id, done=0.5, status="cancelled") if api.batches[batch_id].status == "cancelling" else None


def never(_api: InMemoryBatchApi, _batch_id: str) -> None:
    return None


def started(service: Service, number: int = 4) -> str:
    """A job whose batch OpenAI works on."""
    job_id = service.drop("x.jsonl", requests(number))
    service.deliver()
    service.tick()
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.IN_FLIGHT]
    return job_id


def test_what_was_finished_is_delivered_and_the_rest_reported_as_cancelled(service: Service) -> None:
    job_id = started(service)
    assert cancel(service) == 1
    service.run(half_done)
    assert service.job(job_id).state is JobState.CANCELLED
    assert service.ids("x.results.jsonl") == ["r-1", "r-2", "r-3", "r-4"]
    codes = [line["error"] and line["error"]["code"] for line in service.lines("x.results.jsonl")]
    assert codes == [None, None, "cancelled", "cancelled"]
    assert [(line["line"], line["code"]) for line in service.lines("x.errors.jsonl")] == [
        (3, "cancelled"),
        (4, "cancelled"),
    ]
    status = service.status("x")
    assert (status["state"], status["counts"]["completed"], status["counts"]["failed"]) == ("cancelled", 2, 2)
    assert [job.state for job in service.ports.messages.ended] == ["cancelled"]
    assert service.api.files == {}


def test_the_provider_is_asked_once_and_again_if_it_did_not_take(service: Service) -> None:
    started(service)
    cancel(service)
    (batch_id,) = service.api.open_batches()
    service.tick()
    service.api.change(batch_id, status="in_progress")
    for _ in range(14):
        service.ports.clock.advance(minutes=1)
        service.tick()
    assert service.api.calls["cancel"] == 1
    service.ports.clock.advance(minutes=1)
    service.tick()
    assert service.api.calls["cancel"] == 2


def test_a_batch_that_ends_before_the_cancel_reaches_it_is_delivered_whole(service: Service) -> None:
    job_id = started(service)
    cancel(service)
    service.api.finish_all()
    service.run()
    assert service.job(job_id).state is JobState.CANCELLED
    assert service.status("x")["counts"]["completed"] == 4


@pytest.mark.parametrize("minutes", [0, 55])
def test_an_error_file_that_never_shows_costs_no_answer_that_is_paid_for(service: Service, minutes: int) -> None:
    """A failure may stand in the output file. ``minutes``: when the batch ends, before or long after the cancel."""
    started(service)
    (batch_id,) = service.api.open_batches()
    if minutes:
        cancel(service)
    for _ in range(minutes):
        service.tick()
        service.ports.clock.advance(minutes=1)
    service.api.finish(batch_id, [answer("r-1"), answer("r-2", 400), answer("r-3"), answer("r-4")])
    service.tick()
    if not minutes:
        cancel(service)
    service.run(never)
    counts = service.status("x")["counts"]
    assert (counts["completed"], counts["failed"]) == (3, 1)
    assert service.api.files == {}
    assert bool(service.api.calls["cancel"]) == bool(minutes), "what has ended is not to be stopped"


@pytest.mark.no_cover
def test_nor_where_the_cancel_got_through_late_and_it_ended_just_before_it_would_be_given_up(service: Service) -> None:
    started(service)
    (batch_id,) = service.api.open_batches()
    cancel(service)
    for call in range(1, 4_000):
        service.api.script("cancel", RetryLater("busy"), call=call)
    for minute in range(359):
        service.ports.clock.advance(minutes=1)
        if minute == 330:
            service.api._faults.clear()
        service.tick()
    assert service.api.batches[batch_id].status == "cancelling"
    service.api.finish(batch_id, [answer(f"r-{number}") for number in range(1, 4)])
    service.api.change(batch_id, failed=1, error_file_id=None)
    service.run(never)
    counts = service.status("x")["counts"]
    assert (counts["completed"], counts["failed"]) == (3, 1)


def test_batches_that_were_not_bought_are_dropped(service: Service) -> None:
    job_id = service.drop("x.jsonl", [request("a", model="one"), request("b", model="two")])
    assert cancel(service) == 1
    service.run(never)
    assert service.api.calls["create"] == 0
    assert {batch.state for batch in service.batches(job_id)} == {BatchState.RETIRED}
    assert service.job(job_id).state is JobState.CANCELLED
    assert [line["error"]["code"] for line in service.lines("x.results.jsonl")] == ["cancelled", "cancelled"]


def test_a_batch_that_was_admitted_and_not_yet_submitted_is_dropped(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(2))
    service.app.poll(FakeDeadline())
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.ADMITTED]
    cancel(service)
    service.app.poll(FakeDeadline())
    service.run(never)
    assert service.api.calls["upload"] == 0
    assert service.job(job_id).state is JobState.CANCELLED


def test_a_create_whose_answer_was_lost_is_found_before_it_is_cancelled(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(4))
    service.api.script("create", OutcomeUnknown("reset"), after=True)
    service.tick()
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.CREATING]
    cancel(service)
    service.run(half_done)
    assert (service.api.calls["create"], service.api.calls["cancel"]) == (1, 1)
    assert service.status("x")["counts"]["completed"] == 2


def test_a_create_that_was_never_made_is_fenced_and_not_made_again(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(2))
    service.api.script("create", OutcomeUnknown("reset"))
    service.tick()
    cancel(service)
    service.run(never)
    assert service.job(job_id).state is JobState.CANCELLED
    assert (service.api.calls["create"], service.api.batches, service.api.files) == (1, {}, {})


def test_blocked_work_is_dropped(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(2))
    service.api.script("create", Misconfigured("invalid_api_key", "no"))
    service.tick()
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.BLOCKED]
    cancel(service)
    service.run(never)
    assert service.job(job_id).state is JobState.CANCELLED


def test_requests_that_failed_for_a_passing_reason_do_not_go_again(service: Service) -> None:
    started(service)
    cancel(service)
    (batch_id,) = service.api.open_batches()
    service.api.expire(batch_id, done=0.5)
    service.run(finish)
    assert service.api.calls["create"] == 1
    assert service.status("x")["counts"]["failed"] == 2


def test_a_plan_under_way_ends_without_anything_bought(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(2), events=0)
    version_id = service.ports.objects.head(IN, "x.jsonl")
    assert version_id
    opened = service.app.plan.open(IN, "x.jsonl", version_id.version_id)
    assert opened
    assert cancel(service) == 1
    service.run(never)
    job = service.job(job_id)
    assert (job.state, job.code) == (JobState.FAILED, "cancelled")
    assert service.status("x")["code"] == "cancelled"
    assert service.api.calls["upload"] == 0
    assert len(service.ports.messages.ended) == 1


def test_a_cancel_that_comes_before_its_file_s_event_still_holds(service: Service) -> None:
    version_id = service.ports.objects.put(IN, "x.jsonl", b"".join(line + b"\n" for line in requests(2))).version_id
    assert cancel(service) == 0
    job = service.app.plan(IN, "x.jsonl", version_id, FakeDeadline())
    assert job
    assert (job.state, job.code) == (JobState.FAILED, "cancelled")


def test_it_applies_once_a_later_drop_on_the_key_runs(service: Service) -> None:
    started(service)
    cancel(service)
    service.run(half_done)
    service.ports.clock.advance(1)
    job_id = service.drop("x.jsonl", requests(3))
    service.run()
    assert service.job(job_id).state is JobState.COMPLETED


def test_it_stops_every_older_job_of_its_key_and_no_other(service: Service) -> None:
    first = service.drop("x.jsonl", requests(1))
    second = service.drop("x.jsonl", requests(2))
    other = service.drop("y.jsonl", requests(3))
    assert cancel(service) == 2
    assert cancel(service) == 0, "and once"
    service.run()
    assert [service.job(job_id).state for job_id in (first, second, other)] == ["cancelled", "cancelled", "completed"]


def test_a_job_that_has_ended_stays_as_it_is(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(1))
    service.run()
    assert cancel(service) == 0
    assert not service.app.cancel(job_id)
    assert not service.app.cancel("no-such-job")
    assert service.job(job_id).state is JobState.COMPLETED


def test_only_cancel_objects_of_our_bucket_count(service: Service) -> None:
    started(service)
    assert service.app.cancel.dropped(OUT, "x.jsonl.cancel", None) == 0
    assert service.app.cancel.dropped(IN, "x.jsonl.cancel", None) == 0, "the object is gone"
    assert service.app.cancel.dropped(IN, "x.txt.cancel", None) == 0


def test_a_provider_that_does_not_answer_is_asked_again(service: Service) -> None:
    job_id = started(service)
    cancel(service)
    service.api.script("cancel", RetryLater("down"))
    service.run(half_done)
    assert service.job(job_id).state is JobState.CANCELLED
    assert service.api.calls["cancel"] == 2

"""A job that takes too long ends: what is there is delivered, what is missing is reported."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.core.errors import Misconfigured, OutcomeUnknown, RetryLater
from batchdrop.core.states import BatchState, JobState
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeDeadline
from tests.main_job.service import IN, Service, finish, request, requests


@pytest.fixture
def service() -> Service:
    return Service(MAX_JOB_HOURS="2")


def never(_api: InMemoryBatchApi, _batch_id: str) -> None:
    return None


def obedient(api: InMemoryBatchApi, batch_id: str) -> object:
    """A provider that is slow, and stops when it is asked to: half of it is done by then."""
    return api.expire(batch_id, done=0.5, status="cancelled") if api.batches[batch_id].status == "cancelling" else None


def hours(service: Service, start: Any) -> float:
    return float((service.ports.clock.now() - start).total_seconds() / 3600)


def codes(service: Service, name: str = "x.results.jsonl") -> list[str | None]:
    return [line["error"] and line["error"]["code"] for line in service.lines(name)]


def cancel(service: Service) -> None:
    service.ports.clock.advance(1)
    version_id = service.ports.objects.put(IN, "x.jsonl.cancel", b"").version_id
    assert service.app.cancel.dropped(IN, "x.jsonl.cancel", version_id) == 1


def always(service: Service, method: str, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    setattr(service.api, method, fail)


def test_what_is_there_is_delivered_and_what_is_missing_reported_as_deadline(service: Service) -> None:
    start = service.ports.clock.now()
    job_id = service.drop("x.jsonl", requests(4))
    service.run(obedient)
    assert codes(service) == [None, None, "deadline", "deadline"]
    assert 2 <= hours(service, start) < 2.2
    status = service.status("x")
    assert (status["state"], status["code"]) == ("completed", "deadline")
    assert "MaxJobHours (2)" in status["reason"]
    assert (status["counts"]["completed"], status["counts"]["failed"]) == (2, 2)
    assert service.job(job_id).state is JobState.COMPLETED
    assert service.api.files == {}
    assert service.lines("x.errors.jsonl")[0]["code"] == "deadline"


def test_a_job_in_time_is_left_alone(service: Service) -> None:
    service.drop("x.jsonl", requests(2))
    service.deliver()
    service.tick()
    service.ports.clock.advance(hours=1.9)
    service.run(finish)
    assert codes(service) == [None, None]
    assert service.api.calls["cancel"] == 0
    assert "code" not in service.status("x")


def test_work_that_is_blocked_ends_with_its_job(service: Service) -> None:
    service.drop("x.jsonl", requests(2))
    always(service, "upload", Misconfigured("invalid_api_key", "no"))
    service.run()
    assert codes(service) == ["deadline", "deadline"]


def test_a_batch_that_the_provider_never_ends_is_given_up_an_hour_after_the_cancel(service: Service) -> None:
    start = service.ports.clock.now()
    job_id = service.drop("x.jsonl", [request("a"), request("b", model="slow")])
    service.run(lambda api, batch_id: finish(api, batch_id) if api.requests(batch_id)[0]["custom_id"] == "a" else None)
    assert codes(service) == [None, "deadline"]
    assert 3 <= hours(service, start) < 3.2
    given_up = [batch for batch in service.batches(job_id) if batch.state is BatchState.RETIRED]
    assert len(given_up) == 1
    assert str(given_up[0].openai_batch_id) in service.lines("x.errors.jsonl")[0]["reason"]


@pytest.mark.parametrize("asked", ["cancel", "deadline"])
def test_a_batch_that_the_provider_does_not_know_keeps_no_stopped_job_open(service: Service, asked: str) -> None:
    start = service.ports.clock.now()
    job_id = service.drop("x.jsonl", requests(2))
    service.deliver()
    service.tick()
    service.api.batches.clear()
    if asked == "cancel":
        cancel(service)
    service.run(never)
    assert codes(service) == ["cancelled" if asked == "cancel" else "deadline"] * 2
    assert service.job(job_id).state is (JobState.CANCELLED if asked == "cancel" else JobState.COMPLETED)
    assert hours(service, start) < 3.5


@pytest.mark.parametrize("asked", ["cancel", "deadline"])
def test_a_create_that_cannot_be_fenced_keeps_no_stopped_job_open(service: Service, asked: str) -> None:
    job_id = service.drop("x.jsonl", requests(2))
    service.api.script("create", OutcomeUnknown("reset"))
    service.tick()
    service.api.files.clear()
    if asked == "cancel":
        cancel(service)
    service.run(never)
    assert service.api.calls["create"] == 1
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.RETIRED]


def test_a_create_that_is_never_made_out_keeps_no_stopped_job_open(service: Service) -> None:
    start = service.ports.clock.now()
    job_id = service.drop("x.jsonl", requests(2))
    service.api.script("create", OutcomeUnknown("reset"))
    service.tick()
    always(service, "page", RetryLater("down"))
    cancel(service)
    service.run(never)
    assert 1 <= hours(service, start) < 1.2
    assert service.job(job_id).state is JobState.CANCELLED
    assert "could not be found out" in service.lines("x.errors.jsonl")[0]["reason"]


def test_where_no_file_can_be_deleted_a_lost_create_waits_for_the_deadline_and_is_not_made_anew(
    service: Service,
) -> None:
    start = service.ports.clock.now()
    job_id = service.drop("x.jsonl", requests(2))
    service.api.script("create", OutcomeUnknown("reset"))
    service.tick()
    always(service, "delete_file", RetryLater("not allowed here"))
    while not service.ended(job_id):
        service.tick()
        service.ports.clock.advance(minutes=1)
    assert codes(service) == ["deadline", "deadline"]
    assert 2 <= hours(service, start) < 3.5
    assert service.api.calls["create"] == 1


def test_a_provider_that_cannot_even_be_asked_keeps_no_stopped_job_open(service: Service) -> None:
    start = service.ports.clock.now()
    job_id = service.drop("x.jsonl", [request("a"), request("b", model="two")])
    service.deliver()
    service.tick()
    for method in ("page", "retrieve", "cancel"):
        always(service, method, RetryLater("down"))
    cancel(service)
    service.run(never)
    assert 6 <= hours(service, start) < 6.2
    assert service.job(job_id).state is JobState.CANCELLED


@pytest.mark.no_cover
def test_answers_that_are_never_handed_over_keep_no_stopped_job_open(service: Service) -> None:
    start = service.ports.clock.now()
    service.drop("x.jsonl", requests(2))
    always(service, "download", RetryLater("down"))
    service.run(minutes=2_000)
    assert codes(service) == ["deadline", "deadline"]
    assert 24 <= hours(service, start) < 25
    assert "did not hand over" in service.lines("x.errors.jsonl")[0]["reason"]


def test_a_silent_provider_delays_no_batch_that_was_not_bought(service: Service) -> None:
    job_id = service.drop("x.jsonl", [request("a"), request("b", model="two")])
    service.api.script("upload", Misconfigured("permission_denied", "no"), call=2)
    service.tick()
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.IN_FLIGHT, BatchState.BLOCKED]
    always(service, "cancel", RetryLater("down"))
    cancel(service)
    service.tick()
    assert [batch.state for batch in service.batches(job_id)] == [BatchState.IN_FLIGHT, BatchState.RETIRED]


def test_planning_that_takes_too_long_fails_and_nothing_was_bought(service: Service) -> None:
    info = service.ports.objects.put(IN, "x.jsonl", b"".join(line + b"\n" for line in requests(2)))
    opened = service.app.plan.open(IN, "x.jsonl", info.version_id)
    assert opened
    service.ports.clock.advance(hours=2)
    service.app.poll(FakeDeadline())
    service.run()
    status = service.status("x")
    assert (status["state"], status["code"]) == ("failed", "deadline")
    assert service.api.calls["upload"] == 0
    assert len(service.ports.messages.ended) == 1


def test_a_user_may_not_undo_a_deadline(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(2))
    service.deliver()
    service.tick()
    service.ports.clock.advance(hours=2)
    service.tick()
    assert service.job(job_id).code == "deadline"
    assert not service.app.cancel(job_id)
    service.run(obedient)
    assert service.job(job_id).state is JobState.COMPLETED


def test_a_create_that_shows_up_after_it_was_given_up_is_stopped_by_the_audit(service: Service) -> None:
    service.drop("x.jsonl", requests(2))
    service.api.script("create", OutcomeUnknown("reset"), after=True)
    service.tick()
    real = service.api.page
    always(service, "page", RetryLater("down"))
    cancel(service)
    service.run(never)
    service.api.page = real  # type: ignore[method-assign]
    for _ in range(70):
        service.ports.clock.advance(minutes=1)
        service.tick()
    assert [remote.status for remote in service.api.batches.values()] == ["cancelling"]

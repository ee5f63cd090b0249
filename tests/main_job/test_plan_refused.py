"""A file that cannot be planned because of what the operator must mend: it waits, is seen, and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from batchdrop.core.errors import Misconfigured
from batchdrop.core.states import JobState
from batchdrop.telemetry import Metric, of_plan
from tests.fakes.clock import FakeDeadline
from tests.main_job.service import OUT, WORK, Service, requests

STAGED = [*requests(2), b"no request"]  # its chunk is copied to the work bucket
WHY = "access_denied: the role may not write there"
HOURS = 3
EVERY = 5  #: minutes


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def refused(service: Service) -> Iterator[list[str]]:
    """Nothing may be written to the work bucket until the list is cleared; what was tried is appended to it."""
    real, tried = service.ports.objects.write, ["refuse"]

    def write(bucket: str, key: str, *args: Any, **how: Any) -> Any:
        if bucket == WORK and tried:
            tried.append(key)
            raise Misconfigured("access_denied", "the role may not write there")
        return real(bucket, key, *args, **how)

    service.ports.objects.write = write  # type: ignore[method-assign]
    yield tried
    service.ports.objects.write = real  # type: ignore[method-assign]


def wait(service: Service, minutes: int) -> None:
    for _ in range(minutes):
        service.tick()
        service.ports.clock.advance(minutes=1)


def test_it_is_tried_every_five_minutes_for_as_long_as_it_takes_and_goes_on_by_itself(
    service: Service, refused: list[str]
) -> None:
    job_id = service.drop("a.jsonl", STAGED)
    wait(service, 60 * HOURS)
    job = service.job(job_id)
    assert (job.state, job.crashes, job.reason) == (JobState.PLANNING, 0, WHY)
    assert 60 * HOURS // (EVERY + 2) <= len(refused) <= 60 * HOURS // EVERY + 2
    refused.clear()
    service.run()
    assert [line["custom_id"] for line in service.lines("a.results.jsonl")] == ["r-1", "r-2", None]
    assert service.job(job_id).reason is None


@pytest.mark.usefixtures("refused")
def test_the_status_says_what_it_waits_for_and_until_when(service: Service) -> None:
    service.drop("a.jsonl", STAGED)
    wait(service, 12)
    status = service.status("a")
    (waiting,) = status["waiting"]
    assert (status["state"], waiting["reason"]) == ("planning", WHY)
    assert waiting["next_try_at"]


@pytest.mark.usefixtures("refused")
def test_it_is_counted_for_the_alarm_at_every_try(service: Service) -> None:
    job_id = service.drop("a.jsonl", STAGED)
    tried = service.app.plan.resume(job_id, FakeDeadline())
    assert of_plan(tried)[Metric.MISCONFIGURED] == 1


def test_a_file_that_was_judged_before_stays_judged(service: Service) -> None:
    objects = service.ports.objects
    real = objects.write

    def write(bucket: str, key: str, *args: Any, **how: Any) -> Any:
        if bucket == OUT:
            raise Misconfigured("access_denied", "the role may not write there")
        return real(bucket, key, *args, **how)

    objects.write = write  # type: ignore[method-assign]
    with pytest.raises(Misconfigured):
        service.drop("a.jsonl", b"not one request")  # its status cannot be written
    objects.write = real  # type: ignore[method-assign]
    service.run()
    assert service.status("a")["state"] == "failed"

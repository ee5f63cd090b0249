"""What waits for the operator: visible, tried with one batch at a time, and going on by itself when it is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from batchdrop.core.errors import Misconfigured
from batchdrop.core.states import BatchState
from batchdrop.ports import LineError
from tests.fakes.batch_api import InMemoryBatchApi
from tests.main_job.service import Service, finish, request, requests

NO_KEY = Misconfigured("invalid_api_key", "the key was refused")
FORBIDDEN = Misconfigured("permission_denied", "not this model")


def refusing(service: Service, error: Exception, when: Callable[..., bool] = lambda *_: True) -> dict[str, Any]:
    """Uploads fail while ``mended`` is not set; how many were tried."""
    real = service.api.upload
    state: dict[str, Any] = {"mended": False, "tried": 0}

    def upload(name: str, body: Any) -> str:
        content = body.read()
        body.seek(0)
        if not state["mended"] and when(content):
            state["tried"] += 1
            raise error
        return real(name, body)

    service.api.upload = upload  # type: ignore[method-assign]
    return state


def slow(api: InMemoryBatchApi, batch_id: str) -> object:
    """A provider that says that it works on it, and ends a batch some minutes after."""
    remote = api.batches[batch_id]
    if remote.status == "validating":
        return api.change(batch_id, status="in_progress")
    age = api.clock.now().timestamp() - remote.created_at
    return api.finish(batch_id) if age > 600 else None


def minutes(service: Service, number: int) -> None:
    for _ in range(number):
        service.tick()
        service.ports.clock.advance(minutes=1)


def states(service: Service, job_id: str) -> set[BatchState]:
    return {batch.state for batch in service.batches(job_id)}


def test_one_batch_in_five_minutes_tells_whether_it_is_mended(service: Service) -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    state = refusing(service, NO_KEY)
    job_id = service.drop("a.jsonl", requests(20))
    minutes(service, 3)
    assert states(service, job_id) == {BatchState.BLOCKED}
    state["tried"] = 0
    minutes(service, 60)
    assert 10 <= state["tried"] <= 12
    assert states(service, job_id) == {BatchState.BLOCKED}


def test_all_go_on_once_one_went_through() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    state = refusing(service, NO_KEY)
    job_id = service.drop("a.jsonl", requests(20))
    minutes(service, 10)
    state["mended"] = True
    started = service.ports.clock.now()
    service.run(slow)
    assert service.status("a")["counts"]["completed"] == 20
    assert (service.ports.clock.now() - started).total_seconds() < 35 * 60
    assert set(service.api.executed.values()) == {1}
    assert states(service, job_id) == {BatchState.FETCHED}


def test_they_go_on_even_if_nobody_saw_the_first_one_run() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    state = refusing(service, NO_KEY)
    service.drop("a.jsonl", requests(5))
    minutes(service, 10)
    state["mended"] = True
    service.run(finish, minutes=30)
    assert service.status("a")["counts"]["completed"] == 5


def test_a_job_that_comes_while_the_key_is_refused_uploads_nothing() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    state = refusing(service, NO_KEY)
    service.drop("a.jsonl", requests(2))
    minutes(service, 3)
    state["tried"] = 0
    later = service.drop("b.jsonl", requests(50, "b"))
    minutes(service, 20)
    assert state["tried"] <= 4, "the probe of the first job, and nobody else"
    assert states(service, later) == {BatchState.QUEUED}
    state["mended"] = True
    service.run(slow)
    assert service.status("b")["counts"]["completed"] == 50


def test_a_key_that_is_refused_again_closes_the_way_again() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    state = refusing(service, NO_KEY)
    job_id = service.drop("a.jsonl", requests(20))
    minutes(service, 10)
    state["mended"] = True
    while not any(batch.state is BatchState.IN_FLIGHT for batch in service.batches(job_id)):
        minutes(service, 1)
    state["mended"] = False
    for batch_id in service.api.open_batches():
        service.api.change(batch_id, status="in_progress")
    minutes(service, 4)
    state["tried"] = 0
    minutes(service, 30)
    assert state["tried"] <= 7


def test_a_model_that_the_key_may_not_use_stops_no_other_model(service: Service) -> None:
    state = refusing(service, FORBIDDEN, lambda content: b"forbidden" in content)
    first = service.drop("a.jsonl", [request("a", model="forbidden")])
    minutes(service, 3)
    service.drop("b.jsonl", [request("b", model="allowed")])
    for _ in range(5):
        minutes(service, 1)
        service.api.finish_all()
    assert service.status("b")["state"] == "completed"
    assert states(service, first) == {BatchState.BLOCKED}
    state["mended"] = True
    service.run()
    assert service.status("a")["counts"]["completed"] == 1


@pytest.mark.parametrize("batches", [1, 100])
def test_a_blocked_job_delays_no_other_however_large_it_is(batches: int) -> None:
    """The other one takes as many ticks as it would alone."""
    took = []
    for blocked in (0, batches):
        service = Service(MAX_REQUESTS_PER_BATCH="1")
        refusing(service, FORBIDDEN, lambda content: b"forbidden" in content)
        bad = service.drop("a.jsonl", [request(f"a-{n}", model="forbidden") for n in range(blocked)]) if blocked else ""
        minutes(service, 3)
        good = service.drop("b.jsonl", [request(f"b-{n}", model="allowed") for n in range(3)])
        ticks = 0
        while not service.ended(good):
            assert ticks < 20
            minutes(service, 1)
            service.api.finish_all()
            ticks += 1
        took.append(ticks)
        assert not bad or BatchState.BLOCKED in states(service, bad)
    assert took[0] == took[1]


def test_a_billing_limit_that_shows_only_when_a_batch_is_checked_blocks_too() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    error = LineError("billing_hard_limit_reached", "Billing hard limit has been reached.")
    mended: list[bool] = []

    def provider(api: InMemoryBatchApi, batch_id: str) -> object:
        return slow(api, batch_id) if mended else api.fail(batch_id, error)

    job_id = service.drop("a.jsonl", requests(10))
    for _ in range(4):
        minutes(service, 1)
        for batch_id in service.api.open_batches():
            provider(service.api, batch_id)
    minutes(service, 2)
    assert states(service, job_id) == {BatchState.BLOCKED}
    assert service.status("a")["counts"]["blocked"] == 10
    before = service.api.calls["create"]
    for _ in range(30):
        minutes(service, 1)
        for batch_id in service.api.open_batches():
            provider(service.api, batch_id)
    assert service.api.calls["create"] - before <= 6
    mended.append(True)
    service.run(provider)
    assert service.status("a")["counts"]["completed"] == 10
    assert set(service.api.executed.values()) == {1}


def test_an_operator_who_has_mended_it_need_not_wait(service: Service) -> None:
    state = refusing(service, NO_KEY)
    job_id = service.drop("a.jsonl", requests(1))
    minutes(service, 2)
    state["mended"] = True
    assert service.app.release(job_id) == 1
    minutes(service, 1)
    assert states(service, job_id) == {BatchState.IN_FLIGHT}

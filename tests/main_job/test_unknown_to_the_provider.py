"""A batch of ours that the provider does not know: another key, another project, a restored table."""

from __future__ import annotations

import pytest

from batchdrop.core.errors import OutcomeUnknown
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import RemoteBatch
from batchdrop.usecases.recover import CANNOT_FENCE
from tests.main_job.service import IN, Service, requests

pytestmark = pytest.mark.no_cover


def hidden(service: Service) -> tuple[str, dict[str, RemoteBatch]]:
    """A job whose batch is in flight, and hidden; its id, and what was hidden."""
    job_id = service.drop("x.jsonl", requests(2))
    service.deliver()
    service.tick()
    remote = dict(service.api.batches)
    service.api.batches.clear()
    return job_id, remote


def batch(service: Service, job_id: str) -> Batch:
    (found,) = service.batches(job_id)
    return found


def wait(service: Service, minutes: int) -> None:
    for _ in range(minutes):
        service.ports.clock.advance(minutes=1)
        service.tick()


def test_it_is_blocked_and_never_bought_again_by_itself(service: Service) -> None:
    job_id, _ = hidden(service)
    service.tick()
    lost = batch(service, job_id)
    assert (lost.state, (lost.reason or "").split(":")[0]) == (BatchState.BLOCKED, "batch_unknown_to_api")
    wait(service, 40 * 60)
    assert batch(service, job_id).state is BatchState.BLOCKED
    assert service.api.calls["create"] == 1
    assert service.status("x")["counts"]["blocked"] == 2


def test_not_even_a_requeue_that_is_asked_for_puts_it_back(service: Service) -> None:
    job_id, _ = hidden(service)
    service.tick()
    now = service.ports.clock.now()
    assert not service.ports.ledger.requeue(batch(service, job_id), not_before=now, now=now)


def test_it_goes_on_when_it_shows_up(service: Service) -> None:
    job_id, remote = hidden(service)
    wait(service, 30)
    service.api.batches.update(remote)
    wait(service, 6)
    assert (batch(service, job_id).state, batch(service, job_id).reason) == (BatchState.IN_FLIGHT, None)
    service.run()
    assert service.job(job_id).state is JobState.COMPLETED
    assert service.api.calls["create"] == 1


def test_a_create_without_an_answer_waits_for_its_key_too_and_is_adopted_when_that_is_back(service: Service) -> None:
    job_id = service.drop("x.jsonl", requests(2))
    service.api.script("create", OutcomeUnknown("reset"), after=True)
    service.deliver()
    batches, files = dict(service.api.batches), dict(service.api.files)
    assert batch(service, job_id).state is BatchState.CREATING
    service.api.batches.clear()
    service.api.files.clear()
    wait(service, 60)
    lost = batch(service, job_id)
    assert (lost.state, lost.reason) == (BatchState.BLOCKED, CANNOT_FENCE)
    service.api.batches.update(batches)
    service.api.files.update(files)
    wait(service, 6)
    service.run()
    assert service.job(job_id).state is JobState.COMPLETED
    assert service.api.calls["create"] == 1


def cancelled(service: Service) -> tuple[str, dict[str, RemoteBatch]]:
    """The same, cancelled; a tick has carried it out as far as may be."""
    job_id, remote = hidden(service)
    service.tick()
    service.ports.clock.advance(1)
    version_id = service.ports.objects.put(IN, "x.jsonl.cancel", b"").version_id
    service.app.cancel.dropped(IN, "x.jsonl.cancel", version_id)
    service.tick()
    return job_id, remote


def test_a_cancel_gives_it_up_after_an_hour(service: Service) -> None:
    job_id, _ = cancelled(service)
    wait(service, 58)
    assert batch(service, job_id).state is BatchState.BLOCKED
    wait(service, 2)
    given_up = batch(service, job_id)
    assert (given_up.state, (given_up.reason or "").split()[-1]) == (BatchState.RETIRED, f"{given_up.openai_batch_id}.")
    service.run()
    assert service.job(job_id).state is JobState.CANCELLED


def test_where_it_shows_up_by_then_it_is_stopped_and_what_was_finished_is_delivered(service: Service) -> None:
    job_id, remote = cancelled(service)
    wait(service, 30)
    service.api.batches.update(remote)
    wait(service, 6)
    (batch_id,) = service.api.open_batches()
    assert service.api.batches[batch_id].status == "cancelling"
    service.api.expire(batch_id, done=0.5, status="cancelled")
    service.run()
    assert service.job(job_id).state is JobState.CANCELLED
    assert service.status("x")["counts"]["completed"] == 1
    assert service.job(job_id).usage["gpt-5-mini"].requests == 1

"""Refusals, lost answers, a key that is refused: nothing is bought twice, nothing is lost."""

from __future__ import annotations

import datetime as dt
import random

from batchdrop.core.errors import Misconfigured, OutcomeUnknown, RetryLater
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import LineError
from tests.fakes.batch_api import InMemoryBatchApi
from tests.main_job.service import Service, once, requests

TOKENS = "Enqueued token limit reached for gpt-5-mini in organization org-X. Limit: 90,000 enqueued tokens."


def test_a_provider_that_hands_nothing_over_is_asked_again_later_and_buys_nothing_new(service: Service) -> None:
    service.drop("a.jsonl", requests(2))
    service.deliver()
    service.tick()
    for call in range(1, 8):
        service.api.script("download", RetryLater("cut"), call=call)
    service.run()
    assert service.ids("a.results.jsonl") == ["r-1", "r-2"]
    assert service.api.calls["create"] == 1


def test_the_token_limit_fails_a_batch_and_no_request(service: Service) -> None:
    error = LineError("token_limit_exceeded", TOKENS)
    job_id = service.drop("a.jsonl", requests(4))
    service.run(once(lambda api, batch: api.fail(batch, error)))  # type: ignore[arg-type]
    assert service.status("a")["counts"]["completed"] == 4
    assert service.ports.ledger.limits()["default", "gpt-5-mini"].enqueued_tokens == 90_000
    assert len(service.batches(job_id)) == 1
    assert service.job(job_id).counts.retried == 0


def test_a_line_that_the_provider_refuses_fails_alone(service: Service) -> None:
    error = LineError("invalid_request", "Messages parameter is required.", 2)

    def provider(api: InMemoryBatchApi, batch_id: str) -> object:
        return api.fail(batch_id, error) if len(api.requests(batch_id)) == 3 else api.finish(batch_id)

    service.drop("a.jsonl", requests(3))
    service.run(provider)
    assert [line["response"] is not None for line in service.lines("a.results.jsonl")] == [True, False, True]
    assert service.lines("a.errors.jsonl")[0]["request"]["custom_id"] == "r-2"


def test_a_lost_answer_to_the_create_buys_nothing_twice(service: Service) -> None:
    service.api.script("create", OutcomeUnknown("reset"), after=True)
    job_id = service.drop("a.jsonl", requests(3))
    service.run()
    assert service.api.calls["create"] == 1
    assert set(service.api.executed.values()) == {1}
    assert service.job(job_id).state is JobState.COMPLETED


def test_a_create_that_never_arrived_is_made_anew_behind_the_fence(service: Service) -> None:
    service.api.script("create", OutcomeUnknown("reset"))
    service.drop("a.jsonl", requests(3))
    started = service.ports.clock.now()
    service.run()
    assert service.api.calls["create"] == 2
    assert set(service.api.executed.values()) == {1}
    assert service.ports.clock.now() - started > dt.timedelta(minutes=30)


def test_a_refused_key_blocks_visibly_and_goes_on_when_it_is_mended(service: Service) -> None:
    for call in (1, 2):
        service.api.script("upload", Misconfigured("invalid_api_key", "the key was refused"), call=call)
    job_id = service.drop("a.jsonl", requests(2))
    service.deliver()
    service.tick()
    (batch,) = service.batches(job_id)
    assert batch.state is BatchState.BLOCKED
    service.ports.clock.advance(minutes=2)
    service.tick()
    assert service.status("a")["counts"]["blocked"] == 2
    service.run()
    assert service.status("a")["counts"] == {
        "total": 2,
        "completed": 2,
        "failed": 0,
        "invalid": 0,
        "retried": 0,
        "quarantined": 0,
        "blocked": 0,
    }


def test_with_most_messages_lost_the_job_still_ends(service: Service) -> None:
    service.drop("a.jsonl", requests(3))
    deliver, chance = service.deliver, random.Random(7)

    def lossy() -> None:
        if chance.random() < 0.7:
            service.ports.messages.pending.clear()
        deliver()

    service.deliver = lossy  # type: ignore[method-assign]
    service.run()
    assert service.ids("a.results.jsonl") == ["r-1", "r-2", "r-3"]
    assert set(service.api.executed.values()) == {1}

"""Files far larger than what may be enqueued: no request fails, and the limit is met once for each lesson."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from batchdrop.core.errors import RetryLater
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import RemoteBatch
from tests.main_job.metered import Metered, run
from tests.main_job.service import IN, Service, request

pytestmark = pytest.mark.no_cover

POOL = ("default", "gpt-5-mini")
LIMIT = 90_000


def prompts(number: int, tokens: int, prefix: str = "r") -> list[bytes]:
    """Requests of so many tokens each, by their bytes."""
    return [request(f"{prefix}-{index}", input="x" * (4 * tokens - 130)) for index in range(number)]


def completed(service: Service, stem: str = "a") -> int:
    counts = service.status(stem)["counts"]
    assert counts["failed"] == counts["retried"] == 0
    return int(counts["completed"])


def test_a_file_of_fifty_times_the_limit_meets_it_once_and_no_request_fails() -> None:
    service, provider = Service(), Metered(LIMIT)
    service.drop("a.jsonl", prompts(450, 10_000))
    took = run(service, provider)
    assert completed(service) == 450
    assert sum(provider.refusals.values()) == 1
    assert provider.most <= LIMIT
    assert set(service.api.executed.values()) == {1}
    assert took < 2.2 * 50 * provider.works, "the room is used"


def test_of_many_batches_those_of_one_round_are_refused_and_they_are_less_than_the_limit() -> None:
    service, provider = Service(MAX_REQUESTS_PER_BATCH="1"), Metered(LIMIT)
    service.drop("a.jsonl", prompts(450, 10_000))
    took = run(service, provider)
    assert completed(service) == 450
    assert len(provider.refusals) == 1, "one lesson"
    assert sum(provider.refusals.values()) <= 2
    assert took < 2.2 * 50 * provider.works


@pytest.mark.parametrize(("parameters", "lessons"), [({}, 1), ({"ENQUEUED_LIMITS": '{"gpt-5-mini": 90000}'}, 0)])
def test_requests_of_unlike_length_are_split_by_what_each_part_holds(parameters: dict[str, str], lessons: int) -> None:
    service, provider = Service(**parameters), Metered(LIMIT)
    service.drop("a.jsonl", prompts(100, 20_000) + prompts(900, 200, "short"))
    took = run(service, provider)
    assert completed(service) == 1_000
    assert sum(provider.refusals.values()) == lessons
    assert provider.most <= LIMIT
    assert took < 2.2 * 25 * provider.works


@pytest.mark.parametrize("size", [10, 1_000])
def test_a_small_job_behind_a_huge_one_is_under_way_within_two_ticks_even_while_the_first_batch_is_checked(
    size: int,
) -> None:
    """Nothing is known of the model's limit; the huge job has small batches in the one case, one large in the other."""
    service, provider = Service(MAX_REQUESTS_PER_BATCH=str(size)), Metered(10**12, checks=10, works=600)
    service.drop("huge.jsonl", prompts(300, 10_000))
    minute(service, provider)
    small = service.drop("small.jsonl", prompts(10, 750, "small"))
    minute(service, provider)
    minute(service, provider)
    assert [batch.state for batch in service.batches(small)] == [BatchState.IN_FLIGHT]


def minute(service: Service, provider: Metered) -> None:
    service.tick()
    provider.look(service.api)
    service.ports.clock.advance(minutes=1)


@pytest.mark.parametrize("parameters", [{}, {"MAX_REQUESTS_PER_BATCH": "3"}])
def test_a_limit_that_the_stack_is_told_is_never_met(parameters: dict[str, str]) -> None:
    service = Service(ENQUEUED_LIMITS='{"gpt-5-mini": 90000}', **parameters)
    provider = Metered(LIMIT)
    service.drop("a.jsonl", prompts(100, 10_000))
    run(service, provider)
    assert completed(service) == 100
    assert not provider.refusals


def test_texts_that_hold_more_tokens_than_their_bytes_tell_are_learned_from_their_answers() -> None:
    service, provider = Service(ENQUEUED_LIMITS='{"*": 90000}'), Metered(LIMIT, dense=1.7)
    service.drop("a.jsonl", prompts(200, 5_000))
    run(service, provider)
    assert completed(service) == 200
    assert sum(provider.refusals.values()) <= 2
    known = service.ports.ledger.limits()[POOL]
    assert known.input_tokens / known.estimated_tokens == pytest.approx(1.7, rel=0.1)


def test_texts_that_hold_fewer_tokens_use_the_room_that_there_is() -> None:
    service, provider = Service(ENQUEUED_LIMITS='{"*": 90000}'), Metered(LIMIT, dense=0.25)
    service.drop("a.jsonl", prompts(200, 5_000))
    took = run(service, provider)
    assert not provider.refusals
    assert completed(service) == 200
    assert took < 8 * provider.works, "uncorrected, it would take eleven rounds and more"


def test_a_provider_that_refuses_though_it_is_empty_is_not_stormed() -> None:
    service, provider = Service(MAX_REQUESTS_PER_BATCH="1"), Metered(LIMIT, phantom=True)
    service.drop("a.jsonl", prompts(100, 10_000))
    minutes = iter(range(10**6))

    def look(real=provider.look) -> None:  # type: ignore[no-untyped-def]
        provider.phantom = next(minutes) < 6 * 60
        real(service.api)

    provider.look = lambda api: look()  # type: ignore[method-assign]
    took = run(service, provider)
    assert completed(service) == 100
    assert sum(provider.refusals.values()) <= 5 + 12, "the first ones, then one at a time, an hour apart at last"
    assert took < 6 * 60 + 60 + 100 / 9 * 2.2 * provider.works


def test_room_that_is_given_back_late_is_waited_for() -> None:
    service, provider = Service(MAX_REQUESTS_PER_BATCH="5"), Metered(LIMIT, lag=8)
    service.drop("a.jsonl", prompts(90, 10_000))
    run(service, provider)
    assert completed(service) == 90
    assert provider.most <= LIMIT
    assert sum(provider.refusals.values()) <= 10


def test_a_limit_in_requests_is_learned_and_kept_to() -> None:
    service, provider = Service(MAX_REQUESTS_PER_BATCH="40"), Metered(100, "request")
    lines = [request(f"r-{index}", url="/v1/embeddings", input="x" * 5_000, dimensions=8) for index in range(1_000)]
    service.drop("a.jsonl", lines)
    run(service, provider)
    assert completed(service) == 1_000
    assert len(provider.refusals) == 1
    assert provider.most <= 100
    known = service.ports.ledger.limits()[POOL]
    assert (known.enqueued_requests, known.refused_tokens) == (100, 0), "it says nothing of tokens"


def test_a_refusal_that_names_no_limit_is_a_lesson_too() -> None:
    service, provider = Service(), Metered(LIMIT, says=False)
    service.drop("a.jsonl", prompts(100, 5_000))
    run(service, provider)
    assert completed(service) == 100
    assert sum(provider.refusals.values()) <= 4, "500,000 tokens, halved until it fits"


def test_an_account_that_rose_to_a_higher_tier_has_its_new_room_after_a_day() -> None:
    service, provider = Service(MAX_REQUESTS_PER_BATCH="1"), Metered(LIMIT)
    service.drop("a.jsonl", prompts(40, 10_000))
    run(service, provider)
    provider.limit = 2_000_000
    service.ports.clock.advance(hours=24)
    service.drop("b.jsonl", prompts(200, 10_000, "b"))
    took = run(service, provider)
    assert completed(service, "b") == 200
    assert provider.most > 10 * LIMIT
    assert took < 60


def test_a_request_that_alone_is_too_large_keeps_no_other_waiting() -> None:
    service, provider = Service(MAX_REQUESTS_PER_BATCH="1"), Metered(LIMIT)
    service.drop("a.jsonl", prompts(1, 120_000, "huge"))
    for _ in range(5):
        minute(service, provider)
    service.drop("b.jsonl", prompts(90, 10_000, "b"))
    run(service, provider)
    assert completed(service, "b") == 90
    assert service.status("a")["counts"]["failed"] == 1
    times = {stem: service.status(stem)["times"] for stem in "ab"}
    took = dt.datetime.fromisoformat(times["b"]["ended_at"]) - dt.datetime.fromisoformat(times["b"]["created_at"])
    assert took < dt.timedelta(minutes=2.5 * 10 * provider.works + 30)


def test_too_many_calls_are_answered_by_patience_not_by_uploads() -> None:
    """Another stack of the organization uses up the creates of an hour."""
    service, provider = Service(MAX_REQUESTS_PER_BATCH="1"), Metered(10**9)
    service.drop("a.jsonl", prompts(100, 100))
    create, until = service.api.create, service.ports.clock.now() + dt.timedelta(hours=1)

    def refusing(**how: Any) -> RemoteBatch:
        if service.ports.clock.now() < until:
            raise RetryLater("the provider answered (HTTP 429)", code="rate_limit_exceeded", after=60)
        return create(**how)

    service.api.create = refusing  # type: ignore[method-assign]
    run(service, provider)
    assert completed(service) == 100
    assert service.api.calls["upload"] - 100 <= 60 + 15, "those of the first round, then one at a time"


def test_what_a_failed_job_still_has_at_the_provider_takes_room_until_it_has_stopped() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1", ENQUEUED_LIMITS='{"gpt-5-mini": 90000}')
    failed = service.drop("a.jsonl", prompts(2, 40_000))
    service.deliver()
    service.tick()
    first, second = service.api.open_batches()
    service.ports.objects._buckets[IN].clear()
    service.api.finish(first)
    service.tick()
    assert service.job(failed).state is JobState.FAILED
    waiting = service.drop("b.jsonl", prompts(1, 60_000))
    service.tick()
    service.tick()
    assert service.api.batches[second].status == "cancelling"
    assert [batch.state for batch in service.batches(waiting)] == [BatchState.QUEUED]
    service.api.expire(second, done=0, status="cancelled")
    service.tick()
    service.tick()
    assert [batch.state for batch in service.batches(waiting)] == [BatchState.IN_FLIGHT]

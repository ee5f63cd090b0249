"""Many jobs at once: a small one is under way soon, however much is in front of it."""

from __future__ import annotations

from typing import Any

from batchdrop.core.states import BatchState
from tests.main_job.metered import Metered
from tests.main_job.service import Service, request, requests


class Slow(Service):
    """Submitters that take so many batches a minute, in the order in which they were told."""

    def __init__(self, per_minute: int, **parameters: str) -> None:
        super().__init__(**parameters)
        self.per_minute = self.left = per_minute

    def tick(self) -> None:
        self.left = self.per_minute
        super().tick()

    def deliver(self) -> None:
        kept: list[Any] = []
        while message := self.ports.messages.pop():
            if message.to == "submit" and not self.left:
                kept.append(message)
                continue
            self.left -= message.to == "submit"
            self._handle(message)
        self.ports.messages.pending[:0] = kept


def minutes(service: Service, provider: Metered, number: int) -> None:
    for _ in range(number):
        service.tick()
        provider.look(service.api)
        service.ports.clock.advance(minutes=1)


def under_way(service: Service, job_id: str) -> int:
    states = [batch.state for batch in service.batches(job_id)]
    return states.count(BatchState.IN_FLIGHT) + states.count(BatchState.ENDED) + states.count(BatchState.FETCHED)


def test_ten_requests_behind_ten_million_are_under_way_within_two_ticks() -> None:
    """The huge one: 300 batches, and two submitters who take 40 of them a minute."""
    service, provider = Slow(40, MAX_REQUESTS_PER_BATCH="10", SUBMIT_CONCURRENCY="2"), Metered(10**9, works=600)
    huge = service.drop("huge.jsonl", requests(3_000))
    minutes(service, provider, 3)
    assert 0 < under_way(service, huge) < 300
    assert any(message.to == "submit" for message in service.ports.messages.pending) or under_way(service, huge) > 60
    small = service.drop("small.jsonl", requests(10, "small"))
    minutes(service, provider, 2)
    assert under_way(service, small) == 1
    assert under_way(service, huge) < 300, "there was still something in front of it"


def test_a_small_job_is_under_way_though_a_huge_one_fills_the_token_limit() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1", ENQUEUED_LIMITS='{"*": 90000}')
    provider = Metered(90_000, works=600)
    huge = service.drop("huge.jsonl", [request(f"r-{index}", input="x" * 39_800) for index in range(100)])
    minutes(service, provider, 5)
    assert under_way(service, huge) == 8
    small = service.drop("small.jsonl", requests(1, "small"))
    minutes(service, provider, 2)
    assert under_way(service, small) == 1
    assert not provider.refusals


def test_jobs_of_one_size_go_on_side_by_side() -> None:
    service, provider = Slow(10, MAX_REQUESTS_PER_BATCH="1", SUBMIT_CONCURRENCY="1"), Metered(10**9, works=600)
    jobs = [service.drop(f"{name}.jsonl", requests(60, name)) for name in "abcd"]
    minutes(service, provider, 10)
    assert max(under_way(service, job) for job in jobs) - min(under_way(service, job) for job in jobs) <= 3


def test_a_job_of_high_priority_goes_before_others_and_the_lowest_is_not_forgotten() -> None:
    service, provider = Slow(10, MAX_REQUESTS_PER_BATCH="1", SUBMIT_CONCURRENCY="1"), Metered(10**9, works=600)
    low, normal, high = (
        service.drop(f"{name}.jsonl", requests(100, name), {"priority": name}) for name in ("low", "normal", "high")
    )
    minutes(service, provider, 12)
    done = {name: under_way(service, job) for name, job in {"low": low, "normal": normal, "high": high}.items()}
    assert done["high"] > 2 * done["normal"] > 4 * done["low"] > 0, done

"""Every event of S3's is lost, and every message the first times that it is sent: all of it is but a delay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from batchdrop.core import naming
from batchdrop.core.states import JobState
from batchdrop.usecases import sweep
from tests.fakes.clock import FakeDeadline
from tests.fakes.messages import InMemoryMessages, Message
from tests.main_job.service import IN, Provider, Service, finish, once, requests


@dataclass
class Lossy(InMemoryMessages):
    """Loses every message so many times before it arrives once; the word to look now is never heard."""

    losses: int = 1
    tries: Counter[Message] = field(default_factory=Counter)

    def _send(self, message: Message) -> None:
        self.sent.append(message)
        self.tries[message] += 1
        if message.to != "tick" and self.tries[message] > self.losses:
            self.tries[message] = 0
            self.pending.append(message)


def lossy(losses: int = 1, **parameters: str) -> Service:
    service = Service(**parameters)
    service.ports.messages = Lossy(losses=losses)
    service.tick()  # from now on, what is dropped is ours to run
    return service


def run(service: Service, job_ids: Iterable[str], provider: Provider = finish, *, hours: int = 12) -> float:
    """A minute at a time until these jobs have ended and nothing is open; how many minutes it took."""
    ledger, wanted = service.ports.ledger, set(job_ids)
    for minutes in range(hours * 60):
        service.tick()
        if all(map(ledger.job, wanted)) and not list(ledger.open_items()):
            return minutes
        for batch_id in service.api.open_batches():
            provider(service.api, batch_id)
        service.ports.clock.advance(minutes=1)
    raise AssertionError([(job_id, ledger.job(job_id)) for job_id in wanted])


@pytest.mark.parametrize("losses", [1, 3])
def test_every_job_ends_all_the_same(losses: int) -> None:
    service = lossy(losses, MAX_REQUESTS_PER_BATCH="2")
    one = service.drop("a.jsonl", requests(5, "a"), events=0)
    two = service.drop("b.jsonl", requests(3, "b"), events=0)
    run(service, [one, two])
    assert [service.job(job_id).state for job_id in (one, two)] == [JobState.COMPLETED] * 2
    assert service.ids("a.results.jsonl") == [f"a-{number}" for number in range(1, 6)]
    assert service.ids("b.results.jsonl") == [f"b-{number}" for number in range(1, 4)]
    assert set(service.api.executed.values()) == {1}
    assert [job.job_id for job in service.ports.messages.ended].count(one) == 1


def test_so_does_one_with_a_wave_and_one_that_nothing_can_be_bought_for() -> None:
    service = lossy()
    wave = service.drop("wave.jsonl", requests(4, "w"), events=0)
    empty = service.drop("empty.jsonl", b"\n", events=0)
    run(service, [wave, empty], once(lambda api, batch_id: api.expire(batch_id)))  # type: ignore[arg-type]
    assert service.job(wave).state is JobState.COMPLETED
    assert service.ids("wave.results.jsonl") == [f"w-{number}" for number in range(1, 5)]
    assert set(service.api.executed.values()) == {1}
    assert service.job(empty).state is JobState.FAILED
    assert service.status("empty")["state"] == "failed"


def test_a_lost_event_alone_costs_two_rounds_of_the_sweep_at_the_most(service: Service) -> None:
    service.tick()
    service.ports.clock.advance(minutes=1)
    job_id = service.drop("a.jsonl", requests(2), events=0)
    assert run(service, [job_id]) <= 2 * sweep.EVERY.total_seconds() / 60 + 3


def test_a_job_whose_event_came_is_not_told_of(service: Service) -> None:
    service.tick()
    job_id = service.drop("a.jsonl", requests(2))
    run(service, [job_id])
    for _ in range(90):
        service.tick()
        service.ports.clock.advance(minutes=1)
    assert [message for message in service.ports.messages.sent if message.dropped] == []
    assert service.api.calls["create"] == 1


def test_an_event_that_comes_after_all_meets_the_job_that_the_sweep_began(service: Service) -> None:
    service.tick()
    job_id = service.drop("a.jsonl", requests(2), events=0)
    run(service, [job_id])
    service.app.plan(IN, "a.jsonl", service.job(job_id).version_id, FakeDeadline())
    run(service, [job_id])
    assert service.api.calls["create"] == 1


def test_a_cancel_that_nobody_heard_of_stops_its_job() -> None:
    service = lossy()
    job_id = service.drop("a.jsonl", requests(2), events=0)
    service.ports.clock.advance(minutes=60)
    service.tick()
    service.ports.objects.put(IN, "a.jsonl.cancel", b"")
    run(service, [job_id], lambda api, batch_id: None)
    assert (service.job(job_id).state, service.job(job_id).code) == (JobState.FAILED, "cancelled")
    assert service.api.executed == Counter()


def test_a_cancel_reaches_a_job_that_runs_though_its_event_was_lost(service: Service) -> None:
    service.tick()
    job_id = service.drop("a.jsonl", requests(2))
    service.deliver()
    service.tick()
    service.ports.clock.advance(minutes=5)
    service.ports.objects.put(IN, "a.jsonl.cancel", b"")

    def stop(api: object, batch_id: str) -> None:
        if service.api.batches[batch_id].status == "cancelling":
            service.api.expire(batch_id, 0, "cancelled")

    run(service, [job_id], stop)
    assert service.job(job_id).state is JobState.CANCELLED
    assert service.api.executed == Counter()


def test_an_input_in_a_bucket_without_versions_is_refused_by_the_sweep_as_by_the_event() -> None:
    service = Service()
    service.ports.objects.versioned = frozenset()
    service.tick()
    service.ports.objects.put(IN, "a.jsonl", b"x")
    job_id = naming.job_id(IN, "a.jsonl", "null")
    run(service, [job_id])
    assert service.job(job_id).code == "unversioned_bucket"

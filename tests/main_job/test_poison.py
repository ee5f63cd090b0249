"""Work that kills whoever takes it up: given up after five deaths, seen by everybody, in nobody's way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from batchdrop.core.errors import OutcomeUnknown
from batchdrop.core.model import Key
from batchdrop.core.poison import CRASHES
from batchdrop.core.states import BatchState, ChunkState, JobState
from batchdrop.usecases.collect import Trouble
from batchdrop.usecases.poll import Tick
from batchdrop.usecases.submit import Submitted
from tests.fakes.clock import FakeDeadline
from tests.fakes.messages import Message
from tests.main_job.service import OUT, WORK, Service, requests

pytestmark = pytest.mark.no_cover


class Crash(Exception):  # noqa: N818
    """What no code of ours catches: the invocation is gone."""


class Dying(Service):
    """A service whose invocations may die; the queue then drops the message, and only the table remembers."""

    def __init__(self, **parameters: str) -> None:
        super().__init__(**parameters)
        self.deaths = 0
        self.ticks: list[Tick] = []

    def _handle(self, message: Message) -> None:
        try:
            super()._handle(message)
        except Crash:
            self.deaths += 1

    def tick(self) -> None:
        self.ticks.append(self.app.poll(FakeDeadline()))
        self.deliver()

    def poison(self, port: Any, method: str, when: Callable[..., bool]) -> None:
        """Calls of the method for which ``when`` holds kill their caller."""
        real = getattr(port, method)

        def call(*args: Any, **how: Any) -> Any:
            if when(*args, **how):
                raise Crash
            return real(*args, **how)

        setattr(port, method, call)


@pytest.fixture
def service() -> Dying:
    return Dying()


def with_healthy_neighbour(service: Dying) -> tuple[str, str]:
    return service.drop("bad.jsonl", requests(2, "bad")), service.drop("good.jsonl", requests(2, "good"))


def ticks_alone() -> int:
    service = Dying()
    service.drop("good.jsonl", requests(2, "good"))
    service.run()
    return len(service.ticks)


def ticks_until_ended(service: Dying, job_id: str) -> int:
    """Ticks that the job took, with everything going on as it would."""
    for number in range(1, 60):
        service.tick()
        if service.ended(job_id):
            return number
        service.api.finish_all()
        service.ports.clock.advance(minutes=1)
    raise AssertionError("it does not end")


def codes(service: Service, name: str) -> list[str | None]:
    return [line["error"] and line["error"]["code"] for line in service.lines(name)]


def bad_upload(name: str, _body: object) -> bool:
    return name.startswith("bad")


def writes(fragment: str) -> Callable[..., bool]:
    return lambda _bucket, key, *_, **__: fragment in key


def test_a_batch_whose_answers_kill_the_collector_is_given_up_and_its_job_ends(service: Dying) -> None:
    bad, good = with_healthy_neighbour(service)
    service.poison(service.ports.objects, "write", lambda _b, key, *_, **__: "bad" in key and "answers" in key)
    service.run()
    assert service.deaths == CRASHES == 5
    assert [batch.state for batch in service.batches(bad)] == [BatchState.QUARANTINED]
    assert codes(service, "bad.results.jsonl") == ["quarantined", "quarantined"]
    assert [line["request"]["custom_id"] for line in service.lines("bad.errors.jsonl")] == ["bad-1", "bad-2"]
    assert codes(service, "good.results.jsonl") == [None, None]
    counts = service.status("bad")["counts"]
    assert (counts["total"], counts["completed"], counts["failed"], counts["quarantined"]) == (2, 0, 2, 2)
    assert service.job(good).state is service.job(bad).state is JobState.COMPLETED


def test_the_answers_that_could_not_be_fetched_stay_at_the_provider_and_the_status_names_their_file(
    service: Dying,
) -> None:
    bad, _ = with_healthy_neighbour(service)
    service.poison(service.ports.objects, "write", lambda _b, key, *_, **__: "bad" in key and "answers" in key)
    service.run()
    (batch,) = service.batches(bad)
    assert batch.output_file_id in service.api.files
    (told,) = service.status("bad")["quarantined"]
    assert batch.output_file_id
    assert batch.output_file_id in told["reason"]
    assert told["item"] == batch.item
    assert service.api.files.keys() == {batch.file_id, batch.output_file_id}, "and those of no other batch"


@pytest.mark.parametrize("method", ["upload", "create"])
def test_a_batch_that_kills_the_submitter_is_given_up_and_nothing_is_bought(service: Dying, method: str) -> None:
    def is_bad(*args: Any, **how: Any) -> bool:
        return bad_upload(*args) if method == "upload" else how["metadata"]["batchdrop_job"].startswith("bad")

    bad, good = with_healthy_neighbour(service)
    service.poison(service.api, method, is_bad)
    service.run()
    assert service.deaths == CRASHES
    assert [batch.state for batch in service.batches(bad)] == [BatchState.QUARANTINED]
    assert codes(service, "bad.results.jsonl") == ["quarantined", "quarantined"]
    assert service.job(good).state is service.job(bad).state is JobState.COMPLETED
    assert len(service.api.batches) == 1


def test_creates_whose_answers_are_lost_are_no_crashes(service: Dying) -> None:
    for call in range(1, 9):
        service.api.script("create", OutcomeUnknown("reset"), call=call)
    job_id = service.drop("a.jsonl", requests(2))
    service.run()
    assert service.status("a")["counts"]["completed"] == 2
    assert service.batches(job_id)[0].crashes == 0


def test_a_chunk_that_kills_whoever_joins_it_is_written_without_its_answers(service: Dying) -> None:
    bad, good = with_healthy_neighbour(service)
    service.poison(service.ports.objects, "open", lambda source: source.bucket == WORK and source.key.startswith("bad"))
    service.run()
    assert service.deaths == CRASHES
    counts = service.status("bad")["counts"]
    assert (counts["completed"], counts["failed"], counts["quarantined"]) == (0, 2, 2)
    assert codes(service, "bad.results.jsonl") == ["quarantined", "quarantined"]
    kept = service.ports.objects.keys(WORK)
    assert kept == [f"{bad}/chunk-000001/0001.answers.jsonl"], "paid for, so left where it is"
    (told,) = service.status("bad")["quarantined"]
    assert f"{WORK}/{bad}/chunk-000001/" in told["reason"]
    assert service.job(good).state is service.job(bad).state is JobState.COMPLETED


def test_a_chunk_that_cannot_be_given_up_either_is_tried_hourly_and_seen_until_it_is_mended(service: Dying) -> None:
    bad, good = with_healthy_neighbour(service)
    real = service.ports.objects.write
    service.poison(service.ports.objects, "write", writes("bad.parts/"))
    with contextlib.suppress(AssertionError):
        service.run(minutes=300)
    before = service.deaths
    with contextlib.suppress(AssertionError):
        service.run(minutes=300)
    assert 4 <= service.deaths - before <= 6, "about once an hour"
    assert service.job(good).state is JobState.COMPLETED
    assert service.ticks[-1].parked == 1
    assert "parked" in service.status("bad")["waiting"][0]["reason"]
    service.ports.objects.write = real  # type: ignore[method-assign]
    assert service.app.release(bad) == 1
    service.run(minutes=3)
    assert codes(service, "bad.results.jsonl") == [None, None], "its answers were never lost"
    assert service.job(bad).counts.quarantined == 0


def test_a_plan_that_kills_the_submitter_fails_and_nothing_was_bought(service: Dying) -> None:
    service.poison(service.ports.objects, "open", lambda source: source.key == "bad.jsonl")
    with contextlib.suppress(Crash):
        service.drop("bad.jsonl", requests(2, "bad"))
    good = service.drop("good.jsonl", requests(2, "good"))
    service.run()
    status = service.status("bad")
    assert (status["state"], status["code"]) == ("failed", "quarantined")
    assert "crashed 5 times" in status["reason"]
    assert service.job(good).state is JobState.COMPLETED
    assert len(service.api.batches) == 1


def test_an_assembly_that_dies_each_time_is_tried_hourly_with_its_parts_readable(service: Dying) -> None:
    bad, good = with_healthy_neighbour(service)
    real = service.ports.objects.write
    service.poison(service.ports.objects, "write", writes("bad.results"))
    with contextlib.suppress(AssertionError):
        service.run(minutes=240)
    before = service.deaths
    with contextlib.suppress(AssertionError):
        service.run(minutes=300)
    assert 4 <= service.deaths - before <= 6, "about once an hour"
    assert service.ids(f"bad.parts/{bad}/000001.results.jsonl") == ["bad-1", "bad-2"]
    assert "parked" in service.status("bad")["waiting"][0]["reason"]
    assert service.ticks[-1].parked == 1
    assert service.job(good).state is JobState.COMPLETED
    service.ports.objects.write = real  # type: ignore[method-assign]
    assert service.app.release(bad) == 1
    service.run(minutes=3)
    assert codes(service, "bad.results.jsonl") == [None, None]


@pytest.mark.parametrize("where", ["upload", "answers", "results"])
def test_poison_delays_nobody_else(service: Dying, where: str) -> None:
    alone = ticks_alone()
    _, good = with_healthy_neighbour(service)
    if where == "upload":
        service.poison(service.api, "upload", bad_upload)
    else:
        service.poison(service.ports.objects, "write", lambda _b, key, *_, **__: "bad" in key and where in key)
    assert ticks_until_ended(service, good) <= alone
    assert service.deaths


def test_a_tick_tells_of_what_was_given_up_at_least_once(service: Dying) -> None:
    service.drop("bad.jsonl", requests(2, "bad"))
    service.poison(service.ports.objects, "write", writes("answers"))
    service.run()
    assert max(tick.quarantined for tick in service.ticks) == 2
    service.tick()
    assert service.ticks[-1].quarantined == 0


def test_the_requests_that_were_given_up_can_be_dropped_again(service: Dying) -> None:
    real = service.ports.objects.write
    service.drop("bad.jsonl", requests(2, "bad"))
    service.poison(service.ports.objects, "write", writes("answers"))
    service.run()
    service.ports.objects.write = real  # type: ignore[method-assign]
    service.drop("again.jsonl", service.ports.objects.read(OUT, "bad.errors.jsonl"))
    service.run()
    assert service.ids("again.results.jsonl") == ["bad-1", "bad-2"]
    assert codes(service, "again.results.jsonl") == [None, None]


def test_what_has_ended_is_not_released(service: Dying) -> None:
    job_id = service.drop("good.jsonl", requests(2, "good"))
    service.run()
    assert service.app.release(job_id) == 0
    assert service.app.release("nobody") == 0
    chunk = service.ports.ledger.get(Key(job_id, "chunk#000001"))
    assert chunk
    assert chunk.state is ChunkState.COLLECTED


@pytest.mark.parametrize(("method", "task"), [("upload", "submit"), ("write", "collect")])
def test_a_message_about_what_was_given_up_is_never_taken_for_done(service: Dying, method: str, task: str) -> None:
    bad, _ = with_healthy_neighbour(service)
    if method == "upload":
        service.poison(service.api, method, bad_upload)
    else:
        service.poison(service.ports.objects, method, lambda _b, key, *_, **__: "bad" in key and "answers" in key)
    service.run()
    key = service.batches(bad)[0].key
    for _ in range(2):
        if task == "submit":
            assert service.app.submit(key, FakeDeadline()) is Submitted.QUARANTINED
        else:
            trouble = service.app.collect(key, FakeDeadline())
            assert isinstance(trouble, Trouble)
            assert trouble.reason.startswith("quarantined: ")


def test_a_plan_that_was_given_up_is_told_each_time_it_is_asked_for(service: Dying) -> None:
    service.poison(service.ports.objects, "open", lambda source: source.key == "bad.jsonl")
    with contextlib.suppress(Crash):
        service.drop("bad.jsonl", requests(2, "bad"))
    service.run()
    (job_id,) = {job_id for job_id, item in service.ports.table.items if item == "job"}
    job = service.app.plan.resume(job_id, FakeDeadline())
    assert job
    assert job.code == "quarantined"

"""The status object says the last word, under a name that can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core import limits
from batchdrop.core.errors import RetryLater
from batchdrop.core.states import JobState
from batchdrop.ports import LineError
from tests.fakes.batch_api import InMemoryBatchApi
from tests.main_job.service import IN, Service, requests

if TYPE_CHECKING:
    import pytest


def test_the_end_is_never_overwritten_by_a_poller_that_looked_before(service: Service) -> None:
    job_id = service.drop("a.jsonl", requests(2))
    service.deliver()
    service.tick()
    stale = service.job(job_id)
    service.run()
    assert stale.state is JobState.RUNNING
    service.app.status(stale)
    assert service.status("a")["state"] == "completed"


def test_a_job_keeps_its_plain_name_when_its_content_is_dropped_again(service: Service) -> None:
    first = service.drop("a.jsonl", requests(2))
    second = service.drop("a.jsonl", requests(2))
    service.run()
    assert (service.status("a")["job_id"], service.status("a")["state"]) == (first, "completed")
    assert service.status(f"a.{second}")["code"] == "duplicate_of"


def test_an_older_version_that_ends_while_a_newer_one_runs_says_so(service: Service) -> None:
    old = service.drop("a.jsonl", requests(1, "old"))
    service.deliver()
    service.tick()
    service.ports.clock.advance(minutes=1)
    new = service.drop("a.jsonl", requests(1, "new"))
    service.deliver()
    service.tick()
    (old_batch, *_) = service.api.open_batches()
    service.api.finish(old_batch)
    for _ in range(8):
        service.ports.clock.advance(minutes=1)
        service.tick()
    assert service.status(f"a.{old}")["state"] == "completed"
    assert service.status("a")["job_id"] == new
    service.run()
    assert service.ids("a.results.jsonl") == ["new-1"]


def test_a_status_that_was_begun_under_the_plain_name_does_not_say_running_for_ever(service: Service) -> None:
    first = service.drop("a.jsonl", requests(1, "plain"))
    packed = service.drop("a.jsonl.gz", requests(1, "gz"))

    def packed_first(api: InMemoryBatchApi, batch_id: str) -> None:
        if service.ended(packed) or api.requests(batch_id)[0]["custom_id"] == "gz-1":
            api.finish(batch_id)

    service.run(packed_first)
    assert service.job(packed).outputs["results"]["key"] == "a.results.jsonl"
    for name in ("a", f"a.{first}"):
        status = service.status(name)
        assert (status["job_id"], status["state"]) == (first, "completed")
        assert status["outputs"]["results"]["key"] == f"a.{first}.results.jsonl"


def test_an_input_that_is_removed_while_its_job_runs_ends_it_with_that_reason(service: Service) -> None:
    job_id = service.drop("a.jsonl", requests(2))
    service.deliver()
    service.tick()
    service.ports.objects._buckets[IN].clear()
    service.run()
    job = service.job(job_id)
    assert (job.state, job.code) == (JobState.FAILED, "input_gone")
    assert service.status("a")["code"] == "input_gone"
    assert [told.job_id for told in service.ports.messages.ended] == [job_id]


def test_the_longest_key_that_is_taken_can_be_delivered(service: Service) -> None:
    stem = "k" * 928
    service.drop(f"{stem}.ndjson.gz", requests(2))
    too_long = service.drop(f"{stem}k.jsonl", requests(2))
    service.run()
    assert service.ids(f"{stem}.results.jsonl") == ["r-1", "r-2"]
    assert service.job(too_long).code == "key_too_long"


def test_a_file_larger_than_the_token_limit_is_run_in_parts() -> None:
    service = Service()

    def strict(api: InMemoryBatchApi, batch_id: str) -> object:
        if len(api.requests(batch_id)) > 7:
            text = "Enqueued token limit reached for gpt-5-mini. Limit: 200 enqueued tokens."
            return api.fail(batch_id, LineError("token_limit_exceeded", text))
        return api.finish(batch_id)

    service.drop("a.jsonl", requests(100))
    service.run(strict, minutes=900)
    assert service.ids("a.results.jsonl") == [f"r-{number}" for number in range(1, 101)]
    assert set(service.api.executed.values()) == {1}


def test_why_a_batch_waits_and_when_it_is_tried_again_stands_in_the_status(service: Service) -> None:
    service.api.script("upload", RetryLater("the provider cannot be reached", code="unreachable"))
    service.drop("a.jsonl", requests(2))
    service.deliver()
    service.tick()
    service.ports.clock.advance(seconds=59)
    service.api.script("upload", RetryLater("the provider cannot be reached", code="unreachable"))
    service.tick()
    service.ports.clock.advance(seconds=2)
    service.tick()
    (waiting,) = service.status("a")["waiting"]
    assert waiting["reason"] == "unreachable: the provider cannot be reached"
    assert waiting["next_try_at"] > "2026-11-22T12:00:00Z"
    service.run()
    assert "waiting" not in service.status("a")


def test_the_status_says_when_it_was_written(service: Service) -> None:
    service.drop("a.jsonl", requests(2))
    service.deliver()
    first = service.status("a")["times"]["updated_at"]
    service.run()
    times = service.status("a")["times"]
    assert times["created_at"] <= first < times["ended_at"] <= times["updated_at"]


def test_no_item_no_message_and_no_status_grows_with_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUESTS_PER_CHUNK", 2)
    largest = []
    for number in (4, 100):
        service = Service(MAX_REQUESTS_PER_BATCH="1")
        service.drop("a.jsonl", requests(number))
        service.run()
        items = [len(str(item)) for item in service.ports.table.items.values()]
        messages = [len(str(message)) for message in service.ports.messages.sent]
        largest.append((max(items), max(messages), len(service.raw("a.status.json"))))
    small, large = largest
    assert all(many < few + 60 for few, many in zip(small, large, strict=True)), (
        "some digits, and not a byte for each request"
    )

"""A file goes in, every answer comes out in order."""

from __future__ import annotations

import gzip
import json

import pytest

from batchdrop.core.states import JobState
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeDeadline
from tests.main_job.service import IN, WORK, Service, request, requests


def test_every_request_has_its_answer_in_the_order_of_the_input(service: Service) -> None:
    job_id = service.drop("reviews/a.jsonl", requests(5))
    service.run()
    assert service.ids("reviews/a.results.jsonl") == [f"r-{number}" for number in range(1, 6)]
    assert service.outputs() == ["reviews/a.results.jsonl", "reviews/a.status.json"]
    status = service.status("reviews/a")
    assert (status["state"], status["counts"]["completed"], status["counts"]["failed"]) == ("completed", 5, 0)
    assert status["usage"]["gpt-5-mini"]["input_tokens"] == 50
    assert [job.job_id for job in service.ports.messages.ended] == [job_id]


def test_nothing_is_left_behind(service: Service) -> None:
    service.drop("a.jsonl", [request("a"), b"not json", request("b", model="other")])
    service.run()
    assert service.api.files == {}
    assert service.ports.objects.keys(WORK) == []
    assert service.ports.objects.uploads == {}
    assert not [key for key in service.outputs() if ".parts/" in key]
    assert all("lease_until" not in item for item in service.ports.table.items.values() if item["item"] != "admission")


def test_a_clean_file_goes_out_as_the_users_own_bytes(service: Service) -> None:
    lines = [request("a", note="Grüße 1E5 0.10"), request("b")]
    seen: list[bytes] = []

    def look(api: InMemoryBatchApi, batch: str) -> None:
        seen.extend(file.data for file in api.files.values())
        api.finish(batch)

    service.drop("a.jsonl", lines)
    service.run(look)
    assert seen == [b"".join(line + b"\n" for line in lines)]


def test_models_endpoints_broken_lines_and_odd_ids_in_one_file(service: Service) -> None:
    lines = [
        request("chat-1"),
        request("embed-1", model="text-embedding-3-small", url="/v1/embeddings", input="x"),
        b'{"custom_id": "cut", "method": "POST"',
        b"",
        request("chat-1"),
        request(17),
        request("x" * 200),
        request("other", model="gpt-5", url="/v1/responses"),
        request("azure", url="/chat/completions"),
        request("stream", stream=True),
    ]
    job_id = service.drop("mix.jsonl", b"\xef\xbb\xbf" + b"\r\n".join(lines))
    service.run()
    expected = ["chat-1", "embed-1", None, "chat-1", 17, "x" * 200, "other", "azure", "stream"]
    assert service.ids("mix.results.jsonl") == expected
    errors = service.lines("mix.errors.jsonl")
    assert [(error["line"], error["code"]) for error in errors] == [
        (3, "invalid_json_line"),
        (10, "streaming_unsupported"),
    ]
    assert errors[0]["raw"] == '{"custom_id": "cut", "method": "POST"'
    assert {(batch.model, batch.endpoint) for batch in service.batches(job_id)} == {
        ("gpt-5-mini", "/v1/chat/completions"),
        ("text-embedding-3-small", "/v1/embeddings"),
        ("gpt-5", "/v1/responses"),
        ("gpt-5-mini", "/chat/completions"),
    }
    assert service.job(job_id).mapped_ids == 3
    assert all(
        line["response"]["status_code"] == 200 for line in service.lines("mix.results.jsonl") if line["response"]
    )


@pytest.mark.no_cover
def test_sixty_thousand_and_one_rows_become_two_batches_and_one_result(service: Service) -> None:
    job_id = service.drop("big.jsonl", requests(60_001))
    service.run()
    assert [batch.requests for batch in service.batches(job_id)] == [50_000, 10_001]
    assert service.ids("big.results.jsonl") == [f"r-{number}" for number in range(1, 60_002)]


def test_gzip_is_known_by_its_bytes_not_by_its_name(service: Service) -> None:
    service.drop("named.jsonl", gzip.compress(b"\n".join(requests(3))))
    service.drop("plain.jsonl.gz", requests(2))
    service.run()
    assert service.ids("named.results.jsonl") == ["r-1", "r-2", "r-3"]
    assert service.ids("plain.results.jsonl") == ["r-1", "r-2"]


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_small_batches_change_nothing_in_the_result(limit: int) -> None:
    service = Service(MAX_REQUESTS_PER_BATCH=str(limit))
    service.drop("a.jsonl", requests(123))
    service.run()
    assert service.ids("a.results.jsonl") == [f"r-{number}" for number in range(1, 124)]


def test_the_same_event_three_times_is_one_job(service: Service) -> None:
    job_id = service.drop("a.jsonl", requests(2), events=3)
    service.run()
    assert len(service.batches(job_id)) == 1
    assert service.api.executed == {"r-1": 1, "r-2": 1}


@pytest.mark.parametrize(
    "key", ["a b.jsonl", "a+b.jsonl", "a%2Fb.jsonl", "ü/日本 語.jsonl", "x=y&z.jsonl", "a//b.jsonl"]
)
def test_odd_keys_are_taken_as_they_are(service: Service, key: str) -> None:
    service.drop(key, requests(1))
    service.run()
    assert service.ids(key.removesuffix(".jsonl") + ".results.jsonl") == ["r-1"]


def test_the_errors_file_mended_and_dropped_runs_what_is_in_it(service: Service) -> None:
    service.drop("a.jsonl", [request("good"), request("bad", stream=True)])
    service.run()
    mended = service.raw("a.errors.jsonl").replace(b'"stream": true', b'"stream": false')
    service.drop("a.errors.jsonl", mended)
    service.run()
    assert service.ids("a.errors.results.jsonl") == ["bad"]
    assert service.lines("a.errors.results.jsonl")[0]["response"]["status_code"] == 200
    assert service.api.executed == {"good": 1, "bad": 1}


def test_the_same_content_dropped_twice_is_bought_once(service: Service) -> None:
    first = service.drop("a.jsonl", requests(1))
    second = service.drop("a.jsonl", requests(1))
    service.run()
    assert service.job(first).state is JobState.COMPLETED
    assert service.job(second).code == "duplicate_of"
    assert first in str(service.job(second).reason)
    assert service.api.executed == {"r-1": 1}
    third = service.drop("a.jsonl", requests(1))
    service.run()
    assert service.job(third).state is JobState.COMPLETED, "the first one is no longer open"


def test_the_parts_can_be_read_while_the_job_runs() -> None:
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    job_id = service.drop("a.jsonl", requests(60))
    service.deliver()
    service.tick()
    first = next(batch for batch in service.batches(job_id) if batch.chunk == 1).openai_batch_id
    assert first
    for batch in service.batches(job_id):
        if batch.chunk == 1 and batch.openai_batch_id:
            service.api.finish(batch.openai_batch_id)
    service.ports.clock.advance(minutes=5)
    service.tick()
    part = f"a.parts/{job_id}/000001.results.jsonl"
    assert service.ids(part) == [f"r-{number}" for number in range(1, 51)]
    service.run()
    assert part not in service.outputs()


def test_the_event_of_another_bucket_is_refused(service: Service) -> None:
    assert service.app.plan("somebody-elses", "a.jsonl", "v1", FakeDeadline()) is None
    assert service.ports.table.items == {}


def test_an_event_that_names_no_version_is_for_the_current_one(service: Service) -> None:
    version = service.ports.objects.put(IN, "a.jsonl", requests(1)[0]).version_id
    job = service.app.plan(IN, "a.jsonl", None, FakeDeadline())
    assert job is not None
    assert job.version_id == version


def test_content_is_nowhere_but_in_the_buckets_and_at_the_provider(service: Service) -> None:
    service.drop("a.jsonl", [request("a", secret="canary-7f3a"), request("b", stream=True, secret="canary-7f3a")])
    service.run()
    assert "canary-7f3a" not in json.dumps(list(service.ports.table.items.values()), default=str)

"""A file that is not run: it costs nothing, says why, and tells what is wrong with its lines."""

from __future__ import annotations

import gzip

import pytest

from batchdrop.core import limits
from batchdrop.core.states import JobState
from batchdrop.usecases import refusals
from tests.main_job.service import WORK, Service, request, requests

BAD = {1: b"broken", 2: request("b", stream=True), 5: b"[]", 6: b"{}", 7: b"1", 8: request("h", url="/x"), 120: b"{"}


def all_or_nothing() -> tuple[Service, str, str]:
    """A file of three chunks, the second of which is clean. Its job, and where its errors are to be."""
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    lines = [BAD.get(number) or request(f"r-{number}") for number in range(1, 131)]
    job_id = service.drop("a.jsonl", lines, {"invalid-lines": "reject"})
    assert [chunk.invalid for chunk in service.ports.ledger.chunks(job_id)] == [6, 0, 1]
    return service, job_id, f"a.{job_id}.errors.jsonl"


def test_metadata_asks_for_all_or_nothing_and_every_line_is_told() -> None:
    service, job_id, errors = all_or_nothing()
    service.run()
    status = service.status("a")
    assert (status["state"], status["code"]) == ("failed", "invalid_lines")
    assert (status["counts"]["total"], status["counts"]["invalid"]) == (130, 7)
    assert "line 1 (invalid_json_line), line 2 (streaming_unsupported), line 5 (not_an_object)" in status["reason"]
    assert "line 7 (not_an_object) and 2 more. Mend them" in status["reason"]
    assert f"stands in {errors}." in status["reason"]
    assert service.outputs() == [errors, "a.status.json"]
    assert [error["line"] for error in service.lines(errors)] == list(BAD)
    assert service.api.calls["upload"] == service.api.calls["create"] == 0
    assert [job.job_id for job in service.ports.messages.ended] == [job_id]
    assert service.ports.objects.keys(WORK) == []


def test_what_the_event_names_is_there_when_it_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[list[str]] = []
    monkeypatch.setattr(service.ports.messages, "job_ended", lambda _: there.append(service.outputs()))
    job_id = service.drop("a.jsonl", [b"broken"])
    service.run()
    assert there == [[f"a.{job_id}.errors.jsonl", "a.status.json"]]


@pytest.mark.parametrize(
    ("limit", "most", "told"), [("REQUESTS_PER_CHUNK", 3, 3), ("BYTES_PER_CHUNK", 500, 2), ("BYTES_PER_CHUNK", 1, 1)]
)
def test_so_many_lines_are_told_as_a_chunk_may_have(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int, told: int
) -> None:
    service, _, errors = all_or_nothing()
    monkeypatch.setattr(limits, limit, most)
    service.run()
    assert [error["line"] for error in service.lines(errors)] == list(BAD)[:told]


def test_a_file_is_read_no_further_than_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUESTS_PER_CHUNK", 6)
    service = Service(MAX_REQUESTS_PER_BATCH="1")
    lines = [BAD.get(number) or request(f"r-{number}") for number in range(1, 131)]
    for option, read in (("reject", 12), ("report", 130)):
        job_id = service.drop(f"{option}.jsonl", lines, {"invalid-lines": option})
        assert sum(chunk.requests for chunk in service.ports.ledger.chunks(job_id)) == read
    assert "line 7 (not_an_object) and 1 more. Mend them" in service.status("reject")["reason"]


def test_of_no_more_chunks_than_can_be_looked_through_are_lines_told(monkeypatch: pytest.MonkeyPatch) -> None:
    service, _, errors = all_or_nothing()
    monkeypatch.setattr(refusals, "CHUNKS", 1)
    service.run()
    assert [error["line"] for error in service.lines(errors)] == list(BAD)[:6]


@pytest.mark.parametrize(
    ("key", "content", "code"),
    [
        ("a.jsonl", b"", "empty_file"),
        ("a.jsonl", b"\n\n\r\n", "empty_file"),
        ("a.jsonl", b"[1]\n{}", "no_valid_requests"),
        ("a.csv", b"a,b\n", "unsupported_type"),
        ("a.jsonl", b"[\n" + b",\n".join(requests(3)) + b"\n]\n", "unsupported_type"),
        ("a.jsonl.gz", gzip.compress(b"\n [ \r\n" + b",\r\n".join(requests(3)) + b"\r\n]"), "unsupported_type"),
        ("a.jsonl.gz", gzip.compress(b"\n".join(requests(50)))[:-9], "corrupt_gzip"),
    ],
)
def test_a_file_that_cannot_be_run_costs_nothing_and_says_why(
    service: Service, key: str, content: bytes, code: str
) -> None:
    job_id = service.drop(key, content)
    service.run()
    job = service.job(job_id)
    assert (job.state, job.code) == (JobState.FAILED, code)
    assert job.reason
    assert service.api.calls["upload"] == 0
    assert service.status(job.stem)["code"] == code


def test_what_is_wrong_with_each_line_of_a_file_without_a_request_is_told_and_can_be_mended(service: Service) -> None:
    content = gzip.compress(b"\n".join([b"hello", b"", request("a", stream=True), b'{"custom_id": "b"}']))
    job_id = service.drop("a.jsonl.gz", content)
    service.run()
    errors = f"a.{job_id}.errors.jsonl"
    assert service.outputs() == [errors, "a.status.json"]
    assert errors in service.status("a")["reason"]
    told = [
        (line["line"], line["code"], line.get("raw") or line["request"]["custom_id"]) for line in service.lines(errors)
    ]
    assert told == [
        (1, "invalid_json_line", "hello"),
        (3, "streaming_unsupported", "a"),
        (4, "missing_required_parameter", "b"),
    ]
    service.drop(errors, service.raw(errors).replace(b'"stream": true', b'"stream": false'))
    service.run()
    assert service.api.executed == {"a": 1}


def test_where_it_is_known_what_a_file_is_its_lines_are_not_told_one_by_one(service: Service) -> None:
    service.drop("a.jsonl", b"id,prompt\n1,hello\n")
    service.run()
    assert service.outputs() == ["a.status.json"]


def test_a_file_that_fails_takes_nothing_from_an_earlier_one(service: Service) -> None:
    service.drop("a.jsonl", [request("good"), b"broken"])
    service.run()
    before = service.raw("a.results.jsonl"), service.raw("a.errors.jsonl")
    service.drop("a.jsonl", b"broken\n")
    service.run()
    assert (service.raw("a.results.jsonl"), service.raw("a.errors.jsonl")) == before

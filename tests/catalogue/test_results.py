"""What providers deliver besides clean results: every line of the input has exactly one record in the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from batchdrop.core.errors import Rejected
from batchdrop.core.states import JobState
from tests.fakes.answers import answer
from tests.fakes.batch_api import InMemoryBatchApi
from tests.main_job.service import Service, once, requests
from tests.simulation.campaign import knob

#: 300 is the largest that is told of; with all copies of the fakes it takes 2 GB, so that the gate asks for less.
ROW_MB = knob("ROW_MB", 30)
IDS = ["r-1", "r-2", "r-3"]
#: What the provider makes of the first batch.
Rows = Callable[[], list[Any]]
CUT = json.dumps(answer("r-2")).encode()[:60]

CASES: dict[str, Rows] = {
    "a row is missing": lambda: [answer("r-1"), answer("r-3")],
    "a row is there twice": lambda: [answer("r-1"), answer("r-2"), answer("r-2", 400), answer("r-3")],
    "a row of an id that nobody sent": lambda: [*map(answer, IDS), answer("stranger")],
    "a row is cut": lambda: [answer("r-1"), answer("r-3"), CUT],
    "a row is no JSON": lambda: [answer("r-1"), b"<html>", answer("r-3")],
    "a row has no custom id": lambda: [answer("r-1"), {"response": None}, answer("r-3")],
    "a row has nothing": lambda: [
        answer("r-1"),
        {"custom_id": "r-2", "response": None, "error": None},
        answer("r-3"),
    ],
    "a row of the output file is a failure": lambda: [answer("r-1"), answer("r-2", 404), answer("r-3")],
    "a failure's text has half a character": lambda: [
        answer("r-1"),
        answer("r-2", 400, {"error": {"code": "bad\ud83d", "message": "\udc00 \ud83c\udf89 \\ud83d"}}),
        answer("r-3"),
    ],
    "a row counts more tokens than there are": lambda: [
        answer("r-1"),
        answer("r-2", 200, {"usage": {"prompt_tokens": 10**40}}),
        answer("r-3"),
    ],
    "the rows are in another order": lambda: [answer("r-3"), answer("r-1"), answer("r-2")],
}


@pytest.mark.parametrize("name", CASES)
def test_every_line_has_one_record_though(service: Service, name: str) -> None:
    job_id = service.drop("a.jsonl", requests(3))
    service.run(once(lambda api, batch: api.finish(batch, CASES[name]())))  # type: ignore[arg-type]
    check(service, job_id, failed=int("a failure" in name))


@pytest.mark.parametrize("file_id", [None, ""])
def test_every_line_has_one_record_though_both_files_are_null_for_ever(file_id: str | None) -> None:
    """A provider may be late with them, so they are waited for; the job's deadline ends it."""

    def nothing(api: InMemoryBatchApi, batch_id: str) -> object:
        api.finish(batch_id)
        return api.change(batch_id, output_file_id=file_id, error_file_id=file_id)

    service = Service(MAX_JOB_HOURS="1")
    job_id = service.drop("a.jsonl", requests(3))
    service.run(nothing, minutes=3_000)
    check(service, job_id, failed=3)
    assert {error["code"] for error in service.lines("a.errors.jsonl")} == {"deadline"}


def test_every_line_has_one_record_though_a_row_is_huge(service: Service) -> None:
    row = answer("r-2")
    row["response"]["body"]["choices"][0]["message"]["content"] = "x" * ROW_MB * 1_000_000
    job_id = service.drop("a.jsonl", requests(3))
    service.run(once(lambda api, batch: api.finish(batch, [answer("r-1"), row, answer("r-3")])))  # type: ignore[arg-type]
    check(service, job_id)
    assert len(service.raw("a.results.jsonl")) > ROW_MB * 1_000_000


def test_every_line_has_one_record_though_its_file_cannot_be_found_for_minutes(service: Service) -> None:
    job_id = service.drop("a.jsonl", requests(3))
    for call in range(1, 5):
        service.api.script("download", Rejected("file_gone", "not there yet"), call=call)
    service.run()
    check(service, job_id)


def check(service: Service, job_id: str, *, failed: int = 0) -> None:
    assert service.job(job_id).state is JobState.COMPLETED
    assert service.ids("a.results.jsonl") == IDS
    counts = service.status("a")["counts"]
    assert (counts["completed"], counts["failed"]) == (3 - failed, failed)
    assert all(number <= 2 for number in service.api.executed.values())

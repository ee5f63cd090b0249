"""Every invocation runs out of time after a few looks at the clock: the job takes more of them, and ends the same."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from batchdrop.core import assembly, limits
from batchdrop.core.states import JobState
from batchdrop.usecases import clean, concatenate
from tests.fakes.answers import respond_to
from tests.fakes.clock import FakeDeadline
from tests.main_job import service as service_module
from tests.main_job.service import WORK, Service, request

pytestmark = pytest.mark.no_cover

SMALL = 700  #: bytes of the smallest part of an upload, here
PLAIN = [request(f"r-{number}") for number in range(24)]
MIXED = [*PLAIN[:7], b"no json", b"", *(request(f"o-{number}", model="gpt-5") for number in range(9)), *PLAIN[7:]]
FILES = {
    "plain.jsonl": b"\n".join(PLAIN),
    "mixed.jsonl": b"\n".join(MIXED),
    "packed.jsonl.gz": gzip.compress(b"\n".join(MIXED)),
}


class Short(FakeDeadline):
    """All of the time is left for so many looks, and five seconds from then on."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    def remaining(self) -> float:
        self._left -= 1
        return 900.0 if self._left >= 0 else 5.0


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks, parts and windows of little."""
    monkeypatch.setattr(limits, "REQUESTS_PER_CHUNK", 4)
    monkeypatch.setattr(assembly, "PLAIN_BYTES", SMALL)
    monkeypatch.setattr(assembly, "SMALLEST_PART", SMALL)
    monkeypatch.setattr(assembly, "MOST_PARTS", 4)
    monkeypatch.setattr(assembly, "MERGED", 2)
    monkeypatch.setattr(concatenate, "WINDOW", 1)
    monkeypatch.setattr(clean, "WINDOW", 1)


def answered(request_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Two of the requests are refused."""
    if request_["custom_id"] in ("r-3", "r-20"):
        return 400, {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}
    return respond_to(request_)


def delivered(key: str) -> tuple[Service, str]:
    """A service after the job's end, and the job's id."""
    made = Service(MAX_REQUESTS_PER_BATCH="3")
    made.api.respond = answered
    made.ports.objects.smallest_part = SMALL
    job_id = made.drop(key, FILES[key])
    made.run()
    return made, job_id


def outputs(made: Service) -> dict[str, bytes]:
    return {key: made.raw(key) for key in made.outputs() if not key.endswith(".status.json")}


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("looks", range(3, 25))
def test_the_outputs_are_the_same_bytes_however_short_invocations_are(
    key: str, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = delivered(key)
    monkeypatch.setattr(service_module, "FakeDeadline", lambda: Short(looks))

    made, job_id = delivered(key)

    assert outputs(made) == outputs(expected)
    assert set(made.api.executed.values()) == {1}, "none is bought twice"
    assert (made.job(job_id).state, made.job(job_id).crashes) == (JobState.COMPLETED, 0)
    assert made.job(job_id).counts == expected.job(job_id).counts
    left = made.api.files, made.ports.objects.keys(WORK), made.ports.objects.uploads
    assert left == ({}, [], {})


@pytest.mark.parametrize("key", FILES)
def test_a_plan_is_continued_by_the_pollers_message_at_each_chunk(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = delivered(key)
    monkeypatch.setattr(service_module, "FakeDeadline", lambda: Short(1))
    made = Service(MAX_REQUESTS_PER_BATCH="3")
    job_id = made.drop(key, FILES[key])
    chunks = [made.job(job_id).cursor.chunks]
    while made.job(job_id).state is JobState.PLANNING:
        assert made.app.poll(FakeDeadline()).redriven == 1
        made.deliver()
        chunks.append(made.job(job_id).cursor.chunks)

    assert chunks[:-1] == list(range(1, chunks[-1] + 1)), "a chunk each, and one more look at the end"
    assert chunks[-1] > 5
    assert made.job(job_id).counts.requests == expected.job(job_id).counts.requests


def test_an_assembly_takes_as_many_invocations_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "FakeDeadline", lambda: Short(3))

    made, job_id = delivered("mixed.jsonl")

    assert made.job(job_id).claim > 9, "each has claimed the job"

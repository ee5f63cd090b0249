"""The status object of a job, however large the job is."""

from __future__ import annotations

import msgspec

from batchdrop.core import status
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState, JobState
from tests import samples


def waiting(number: int, reason: str) -> Batch:
    return samples.batch(number, state=BatchState.QUEUED, reason=reason)


def test_ten_thousand_batches_with_a_reason_each_make_no_long_report() -> None:
    batches = [waiting(number, f"refused: try again in {number} ms; " + "x" * 300) for number in range(1, 9_001)]
    batches += [waiting(number, "the same") for number in range(9_001, 10_001)]

    report = status.report(samples.running(), batches)

    assert report["batches"] == {"queued": 10_000}
    assert report["waiting"][0]["batches"] == 1_000, "what most of them wait for comes first"
    assert len(msgspec.json.encode(report)) < 50_000


def test_batches_that_nobody_has_refused_say_by_model_what_they_wait_for() -> None:
    queued = [samples.batch(number, state=BatchState.QUEUED, model="m", next_check_at=None) for number in (1, 2)]
    queued.append(samples.batch(3, state=BatchState.QUEUED, model="n", next_check_at=None))
    assert status.report(samples.running(), queued)["waiting"] == [
        {"reason": "queued: room for more of m under OpenAI's limits, or its turn", "batches": 2},
        {"reason": "queued: room for more of n under OpenAI's limits, or its turn", "batches": 1},
    ]


def test_a_job_that_failed_has_no_batches_that_seem_to_wait() -> None:
    job = samples.job(state=JobState.FAILED, code="over_cost_cap", reason="The job may cost $5.")
    report = status.report(job, [samples.batch(1, state=BatchState.QUEUED)])
    assert (report["batches"], report.get("waiting")) == ({}, None)
    ended = samples.batch(2, state=BatchState.ENDED, reason="input_gone: it is not there (any more)")
    assert "waiting" not in status.report(job, [ended])

"""The status object of a job, however large the job is."""

from __future__ import annotations

import msgspec

from batchdrop.core import status
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
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

"""Who holds an output's name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from batchdrop.core.publishing import Claimant, Holder, holder
from tests.fakes.clock import NOON

US = Claimant("us", "in", "a.jsonl", "v2", NOON, is_newest=True)


def test_a_name_that_nobody_holds_is_free() -> None:
    assert holder(None, US) is Holder.NOBODY


def test_our_own_job_is_recognised() -> None:
    assert holder(US.metadata, US) is Holder.US


@pytest.mark.parametrize(
    ("minutes", "newest", "expected"),
    [(-1, False, Holder.OLDER), (1, True, Holder.OTHER), (0, True, Holder.OLDER), (0, False, Holder.OTHER)],
)
def test_of_two_runs_of_a_key_the_newer_input_wins(minutes: int, newest: bool, expected: Holder) -> None:
    other = replace(US, job_id="other", last_modified=NOON + timedelta(minutes=minutes))

    assert holder(other.metadata, replace(US, is_newest=newest)) is expected


def test_the_same_key_of_another_stacks_input_bucket_is_another_input() -> None:
    older = replace(US, job_id="other", last_modified=NOON - timedelta(minutes=1))

    assert holder(replace(older, input_bucket="in-2").metadata, US) is Holder.OTHER
    assert holder({k: v for k, v in older.metadata.items() if k != "input-bucket"}, US) is Holder.OLDER


@pytest.mark.parametrize("metadata", [{}, {"job-id": "x"}, {"job-id": "x", "input-key": "a.jsonl.gz"}])
def test_what_another_input_or_a_stranger_put_there_stays(metadata: dict[str, str]) -> None:
    assert holder(metadata, US) is Holder.OTHER

"""The rest of the 68 kinds: what is wrong is not in the bytes alone, or takes many of them."""

from __future__ import annotations

import gzip
import inspect
import re
import sys
from unittest import mock

import pytest

from batchdrop.core import limits
from batchdrop.core.cut import Limits
from batchdrop.core.errors import Rejected
from batchdrop.core.states import JobState
from tests.catalogue.test_bad_input import ROWS, A, B, jsonl
from tests.fakes.clock import FakeDeadline
from tests.usecases.planning_stack import PlanningStack, request


@pytest.fixture
def stack() -> PlanningStack:
    return PlanningStack()


def test_row_21_what_unpacks_to_more_than_it_may_is_a_bomb(stack: PlanningStack) -> None:
    bomb = gzip.compress(b"\n" * 3_000_000)
    with mock.patch.object(limits, "GZIP_FREE_BYTES", 1_000_000):
        by_ratio = stack.drop(bomb, "a.jsonl.gz")
    with mock.patch.object(limits, "GZIP_BYTES", 1_000_000):
        by_size = stack.drop(bomb, "b.jsonl.gz")
    assert [job.code for job in (by_ratio, by_size)] == ["gzip_bomb"] * 2
    assert "250 times" in (by_ratio.reason or "")


def test_row_52_more_lines_than_a_batch_takes_are_several(stack: PlanningStack) -> None:
    job = stack.drop(b"".join(request(f"r{number}") + b"\n" for number in range(50_001)))
    assert [batch.requests for batch in stack.batches(job)] == [50_000, 1]


def test_row_53_a_line_that_fits_no_batch_is_reported_and_passed_over() -> None:
    stack = PlanningStack(limit=Limits(bytes=1_000))
    job = stack.drop(jsonl(A, request("long", text="x" * 1_000), B))
    assert [fate if fate == "line_too_long" else "sent" for _, fate in stack.fates(job)] == [
        "sent",
        "line_too_long",
        "sent",
    ]


def test_row_54_a_file_without_a_newline_is_one_line_that_is_too_long(stack: PlanningStack) -> None:
    job = stack.drop(b'{"x":"' + b"x" * limits.LINE_BYTES)
    assert (job.state, job.code) == (JobState.FAILED, "no_valid_requests")
    assert (job.counts.requests, job.counts.invalid) == (1, 1)
    assert list(stack.fates(job)) == [(1, "line_too_long")]


def test_row_58_what_is_run_is_the_version_that_was_dropped(stack: PlanningStack) -> None:
    first = stack.put(jsonl(A))
    second = stack.put(jsonl(B))
    for version_id in (first, second):
        stack.plan()("input", "a.jsonl", version_id, FakeDeadline())
    [sent] = stack.batches(stack.job("a.jsonl", first))
    assert stack.lines_of(sent) == [A]
    assert stack.job("a.jsonl", second).state is JobState.RUNNING


def test_row_59_an_object_that_was_deleted_before_it_was_read_is_no_job(stack: PlanningStack) -> None:
    version_id = stack.put(jsonl(A))
    stack.objects._buckets["input"]["a.jsonl"].clear()
    assert stack.plan()("input", "a.jsonl", version_id, FakeDeadline()) is None
    assert stack.table.items == {}


@pytest.mark.parametrize("key", ["folder/", "a.jsonl.tmp", "._a.jsonl", "out/_SUCCESS"])
def test_row_61_what_tools_leave_behind_is_passed_over(stack: PlanningStack, key: str) -> None:
    assert stack.plan()("input", key, stack.put(jsonl(A), key), FakeDeadline()) is None
    assert stack.table.items == {}


@pytest.mark.parametrize(("row", "code"), [(63, "access_denied"), (64, "not_readable")])
@pytest.mark.parametrize("call", ["head", "open"])
def test_row_63_and_64_what_may_not_be_read_fails_its_job(stack: PlanningStack, row: int, code: str, call: str) -> None:
    version_id = stack.put(jsonl(A))
    with mock.patch.object(stack.objects, call, side_effect=Rejected(code, f"row {row}")):
        stack.plan()("input", "a.jsonl", version_id, FakeDeadline())
    job = stack.job("a.jsonl", version_id)
    assert (job.state, job.code, job.reason) == (JobState.FAILED, code, f"row {row}")


def test_row_68_the_same_file_twice_is_one_job_and_a_duplicate(stack: PlanningStack) -> None:
    first, second = (stack.drop(jsonl(A)) for _ in range(2))
    assert (first.state, second.state, second.code) == (JobState.RUNNING, JobState.FAILED, "duplicate_of")


def test_every_row_is_there() -> None:
    names = [row.number for row in ROWS]
    names += [name.removeprefix("test_row_") for name, _ in inspect.getmembers(sys.modules[__name__], callable)]
    numbers = {int(number) for name in names for number in re.findall(r"^\d+|(?<=_and_)\d+", name)}
    assert numbers == set(range(1, 69))

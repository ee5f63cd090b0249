from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import timedelta

import pytest

from batchdrop.core.cut import Limits
from batchdrop.core.model import Usage
from batchdrop.core.options import InvalidLines, Options
from batchdrop.core.states import BatchState, JobState
from tests.fakes.clock import FakeDeadline
from tests.fakes.objects import InMemoryObjects
from tests.usecases.planning_stack import PlanningStack, request


@pytest.fixture
def stack() -> PlanningStack:
    return PlanningStack()


def jsonl(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def test_a_clean_file_is_one_range_of_the_users_own_object(stack: PlanningStack) -> None:
    data = jsonl(request("a"), request("b"))
    job = stack.drop(data)

    assert job.state is JobState.RUNNING
    assert (job.counts.requests, job.counts.invalid, job.chunks, job.open_chunks) == (2, 0, 1, 1)
    assert job.usage == {"m": Usage()}
    [chunk], [batch] = stack.chunks(job), stack.batches(job)
    assert not chunk.staged
    assert batch.state is BatchState.QUEUED
    assert (batch.model, batch.endpoint, batch.requests) == ("m", "/v1/chat/completions", 2)
    assert batch.source.version_id == job.version_id
    assert stack.bytes_of(batch.source) == data
    assert batch.estimated_tokens == len(data) // 4
    assert stack.objects.keys("work") == []
    assert [message.to for message in stack.messages.sent] == ["tick"]


def test_60_001_rows_are_a_chunk_of_50_000_and_one_of_10_001(stack: PlanningStack) -> None:
    job = stack.drop(b"".join(request(f"r{i}") + b"\n" for i in range(60_001)))
    chunks, batches = stack.chunks(job), stack.batches(job)
    assert [chunk.requests for chunk in chunks] == [50_000, 10_001]
    assert [batch.requests for batch in batches] == [50_000, 10_001]
    assert [chunk.first_line for chunk in chunks] == [1, 50_001]
    assert not any(chunk.staged for chunk in chunks)
    assert batches[0].source.end_byte == batches[1].source.first_byte


def test_the_same_event_three_times_is_one_job(stack: PlanningStack) -> None:
    version_id = stack.put(jsonl(request()))
    answers = [stack.plan()("input", "a.jsonl", version_id, FakeDeadline()) for _ in range(3)]
    assert [job and job.state for job in answers] == [JobState.RUNNING, None, None]
    assert len(stack.batches(stack.job("a.jsonl", version_id))) == 1


def test_two_versions_of_one_key_are_two_jobs(stack: PlanningStack) -> None:
    first, second = stack.drop(jsonl(request("a"))), stack.drop(jsonl(request("b")))
    assert first.job_id != second.job_id
    assert [first.state, second.state] == [JobState.RUNNING] * 2
    assert stack.ledger.newest_job("input", "a.jsonl") == second.job_id


def test_the_same_content_again_while_its_job_runs_is_a_duplicate(stack: PlanningStack) -> None:
    first, second = (stack.drop(jsonl(request())) for _ in range(2))
    assert (second.state, second.code) == (JobState.FAILED, "duplicate_of")
    assert first.job_id in (second.reason or "")
    assert stack.batches(second) == []
    assert [job.job_id for job in stack.published] == [second.job_id]
    assert [job.job_id for job in stack.messages.ended] == [second.job_id]
    assert stack.drop(jsonl(request())).code == "duplicate_of"


def test_a_jsonl_and_a_jsonl_gz_at_once_are_two_jobs(stack: PlanningStack) -> None:
    plain = stack.drop(jsonl(request()), "a.jsonl")
    packed = stack.drop(gzip.compress(jsonl(request())), "a.jsonl.gz")
    assert plain.job_id != packed.job_id
    assert plain.stem == packed.stem == "a"


@pytest.mark.parametrize("key", ["a b+c.jsonl", "a%2Fb.jsonl", "grüße/日本 🎉.jsonl", "A.JSONL", "x.ndjson"])
def test_keys_of_any_kind_are_taken(stack: PlanningStack, key: str) -> None:
    assert stack.drop(jsonl(request()), key).state is JobState.RUNNING


@pytest.mark.parametrize("key", ["folder/", "a.jsonl.tmp", "._a.jsonl", "out/_SUCCESS", "a.jsonl.cancel"])
def test_what_tools_leave_behind_is_no_input(stack: PlanningStack, key: str) -> None:
    version_id = stack.put(b"", key)
    assert stack.plan()("input", key, version_id, FakeDeadline()) is None
    assert stack.table.items == {}


def test_an_object_that_is_gone_is_no_job(stack: PlanningStack) -> None:
    assert stack.plan()("input", "a.jsonl", "version-000099", FakeDeadline()) is None
    assert stack.table.items == {}


def test_an_object_deleted_while_it_is_planned_fails_its_job(stack: PlanningStack) -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    version_id = stack.put(jsonl(*(request(f"r{i}") for i in range(60))))
    stack.plan(reserve_seconds=10_000)("input", "a.jsonl", version_id, FakeDeadline())
    job = stack.job("a.jsonl", version_id)
    stack.objects._buckets["input"]["a.jsonl"].clear()
    stack.plan().resume(job.job_id, FakeDeadline())
    assert stack.job("a.jsonl", version_id).code == "input_gone"


@pytest.mark.parametrize("version_id", [None, "null"])
def test_a_bucket_without_versions_is_refused_with_the_mend(stack: PlanningStack, version_id: str | None) -> None:
    stack.objects = InMemoryObjects(stack.clock, versioned=["output"], plain=["input", "work"])
    stack.put(jsonl(request()))
    job = stack.plan()("input", "a.jsonl", version_id, FakeDeadline())
    assert job is not None
    assert (job.state, job.code) == (JobState.FAILED, "unversioned_bucket")
    assert "versioning on" in (job.reason or "")


@pytest.mark.parametrize(("key", "code"), [("a.csv", "unsupported_type"), ("k" * 929 + ".jsonl", "key_too_long")])
def test_a_wrong_name_fails_the_job_with_a_reason(stack: PlanningStack, key: str, code: str) -> None:
    job = stack.drop(jsonl(request()), key)
    assert (job.state, job.code) == (JobState.FAILED, code)
    assert len(job.stem.encode()) <= 1_000
    assert stack.published == stack.messages.ended != []


def test_metadata_says_reject(stack: PlanningStack) -> None:
    job = stack.drop(jsonl(request("a"), b"no json", request("b")), metadata={"Invalid-Lines": "reject"})
    assert job.options.invalid_lines is InvalidLines.REJECT
    assert (job.state, job.code) == (JobState.FAILED, "invalid_lines")
    assert "cannot be run: line 2 (invalid_json_line)." in (job.reason or "")
    assert "tick" not in [message.to for message in stack.messages.sent]


def test_a_wrong_option_fails_the_job(stack: PlanningStack) -> None:
    assert stack.drop(jsonl(request()), metadata={"max-attempts": "many"}).code == "invalid_option"
    assert stack.drop(jsonl(request("b")), metadata={"max-cost-usd": "five"}).code == "invalid_option"
    assert stack.batches(stack.drop(jsonl(request("c")), metadata={"max-cost-usd": "$5"})) == []


def test_options_are_frozen_in_the_job_and_its_batches() -> None:
    stack = PlanningStack(options=Options(max_attempts=2))
    job = stack.drop(jsonl(request()), metadata={"completion-window": "48h", "s3cmd-attrs": "x"})
    assert (job.options.max_attempts, job.options.completion_window) == (2, "48h")
    assert stack.batches(job)[0].completion_window == "48h"


@pytest.mark.parametrize(
    ("data", "code", "hint"),
    [
        (b"", "empty_file", "no line"),
        (b"\n \r\n\t\n", "empty_file", "no line"),
        (b"\xef\xbb\xbf", "empty_file", "no line"),
        (b'[{"a":1},\n{"b":2}]', "no_valid_requests", "JSON array"),
        (b'{\n  "custom_id": "a"\n}\n', "no_valid_requests", "pretty-printed"),
        (b'{"id":"b","custom_id":"a","response":{"status_code":200},"error":null}\n', "no_valid_requests", "a result"),
        (b"id,prompt\n1,hello\n", "no_valid_requests", "CSV"),
        (b"<!DOCTYPE html><html></html>", "no_valid_requests", "HTML"),
        (b"PK\x03\x04zzzz\nzz", "unsupported_type", "zip"),
        ("x\n".encode("utf-16"), "unsupported_type", "UTF-16"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "no_valid_requests", "packed twice"),
        (b'{"messages":[]}\n', "no_valid_requests", "Wrap"),
        (b"hello\n", "no_valid_requests", "not parseable as valid JSON"),
    ],
)
def test_a_file_without_a_request_says_what_it_looks_like(
    stack: PlanningStack, data: bytes, code: str, hint: str
) -> None:
    job = stack.drop(data)
    assert (job.state, job.code) == (JobState.FAILED, code)
    assert hint in (job.reason or "")
    is_told_later = f"a.{job.job_id}.errors.jsonl" in (job.reason or "")
    assert [ended.code for ended in stack.messages.ended] == ([] if is_told_later else [code])
    assert [published.code for published in stack.published] == [code]


@pytest.mark.parametrize("damage", [lambda z: z[:-9], lambda z: z[:-6] + b"xxxxxx", lambda z: z + b"junk"])
def test_damaged_gzip_runs_nothing(stack: PlanningStack, damage: Callable[[bytes], bytes]) -> None:
    job = stack.drop(damage(gzip.compress(jsonl(*(request(f"r{i}") for i in range(1_000))))), "a.jsonl.gz")
    assert (job.state, job.code) == (JobState.FAILED, "corrupt_gzip")


def test_more_than_fifty_pairs_are_refused(stack: PlanningStack) -> None:
    job = stack.drop(jsonl(*(request(f"r{i}", model=f"m{i}") for i in range(51))))
    assert (job.state, job.code) == (JobState.FAILED, "too_many_pairs")
    job = stack.drop(jsonl(*(request(f"r{i}", model=f"m{i % 50}") for i in range(200))))
    assert (job.state, job.cursor.chunks) == (JobState.RUNNING, 1)


def test_a_plan_goes_on_where_it_rested() -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    data = jsonl(*(request(f"r{i // 2}") for i in range(170)), b"broken")
    version_id = stack.put(data)
    plan = stack.plan(reserve_seconds=10_000)
    rested = plan("input", "a.jsonl", version_id, FakeDeadline())
    assert rested is not None
    assert (rested.state, rested.chunks) == (JobState.PLANNING, 1)
    assert stack.messages.sent == []
    for _ in range(4):
        plan.resume(rested.job_id, FakeDeadline())
    job = stack.job("a.jsonl", version_id)
    assert job.state is JobState.RUNNING
    assert (job.counts.requests, job.counts.invalid, job.counts.failed, job.mapped_ids) == (171, 1, 1, 85)
    assert [chunk.requests for chunk in stack.chunks(job)] == [50, 50, 50, 21]


def test_a_packed_plan_goes_on_where_it_rested() -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    lines = [request(f"r{i}") for i in range(120)]
    version_id = stack.put(gzip.compress(jsonl(*lines)), "a.jsonl.gz")
    plan = stack.plan(reserve_seconds=10_000)
    plan("input", "a.jsonl.gz", version_id, FakeDeadline())
    job = stack.job("a.jsonl.gz", version_id)
    for _ in range(3):
        plan.resume(job.job_id, FakeDeadline())
    job = stack.job("a.jsonl.gz", version_id)
    assert job.state is JobState.RUNNING
    assert list(stack.fates(job)) == [(number, line.decode()) for number, line in enumerate(lines, 1)]


def test_a_packed_plan_that_would_spend_its_time_on_skipping_fails_with_the_mend() -> None:
    stack = PlanningStack(limit=Limits(requests=1))
    lines = [request(f"r{i}", user="x" * 100_000) for i in range(120)]
    version_id = stack.put(gzip.compress(jsonl(*lines)), "a.jsonl.gz")
    plan = stack.plan(reserve_seconds=10_000)
    plan("input", "a.jsonl.gz", version_id, FakeDeadline())
    rested = stack.job("a.jsonl.gz", version_id)
    assert rested.state is JobState.PLANNING
    assert rested.cursor.offset > 2**20
    plan.resume(rested.job_id, FakeDeadline(100, each=60))
    job = stack.job("a.jsonl.gz", version_id)
    assert (job.state, job.code) == (JobState.FAILED, "gzip_too_large")
    assert "Drop it unpacked" in (job.reason or "")


def test_while_one_invocation_plans_another_keeps_away(stack: PlanningStack) -> None:
    version_id = stack.put(jsonl(request()))
    opened = stack.plan().open("input", "a.jsonl", version_id)
    assert opened is not None
    now = stack.clock.now()
    assert stack.ledger.claim_job(opened.job, lease=now + timedelta(minutes=10), now=now) is not None
    assert stack.plan().resume(opened.job.job_id, FakeDeadline()) is None
    assert stack.job("a.jsonl", version_id).state is JobState.PLANNING
    stack.clock.advance(minutes=10)
    assert stack.plan().resume(opened.job.job_id, FakeDeadline()) is not None
    assert stack.job("a.jsonl", version_id).state is JobState.RUNNING

"""What every ledger promises, run on a dict and on DynamoDB."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Batch, BatchState, Cursor, Job, JobState, Key, Usage, attributes
from batchdrop.ports import Fetched, LineError, RemoteBatch
from tests import samples
from tests.samples import JOB_ID, LATER, NOW

REMOTE = RemoteBatch(id="batch_1", status="validating", input_file_id="file-1", created_at=1)
FETCHED = Fetched(completed=1, failed=1, repeated=0, usage=Usage(requests=1, input_tokens=7, output_tokens=3))


def put(table: Table, *items: msgspec.Struct) -> None:
    for item in items:
        plain = attributes(item)
        assert table.commit([Change(Key(plain["job_id"], plain["item"]), guards={Guard.UNBORN: None}, put=plain)])


def read(ledger: TableLedger, item: Batch) -> Batch:
    found = ledger.get(item.key)
    assert isinstance(found, Batch)
    return found


def moved(ledger: TableLedger, table: Table, to: BatchState) -> Batch:
    """A batch brought to a state by the ledger's own steps."""
    put(table, samples.running(), samples.chunk(), samples.batch())
    batch = read(ledger, samples.batch())
    if to is BatchState.QUEUED:
        return batch
    assert ledger.admit(batch, lease=LATER)
    if to is BatchState.ADMITTED:
        return read(ledger, batch)
    uploading = ledger.claim_upload(read(ledger, batch), lease=LATER)
    assert uploading
    if to is BatchState.UPLOADING:
        return uploading
    creating = ledger.record_intent(uploading, file_id="file-1", now=NOW, lease=LATER)
    assert creating
    if to is BatchState.CREATING:
        return creating
    assert ledger.record_created(creating, REMOTE, now=NOW, check_at=LATER)
    if to is BatchState.IN_FLIGHT:
        return read(ledger, batch)
    assert ledger.end(read(ledger, batch), ended_remote(), now=NOW, check_at=LATER)
    return read(ledger, batch)


def ended_remote() -> RemoteBatch:
    return RemoteBatch(
        id="batch_1", status="completed", input_file_id="file-1", created_at=1, completed=2, output_file_id="file-2"
    )


def test_an_item_comes_back_as_it_was_written(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(), samples.chunk(), samples.batch())
    assert msgspec.structs.replace(ledger.job(JOB_ID), token=None) == samples.running()  # type: ignore[type-var]
    chunk, batches = ledger.chunk(JOB_ID, 1)
    assert msgspec.structs.replace(chunk, token=None) == samples.chunk()  # type: ignore[type-var]
    assert [msgspec.structs.replace(batch, token=None) for batch in batches] == [samples.batch()]


def test_a_job_is_opened_once(ledger: TableLedger) -> None:
    assert ledger.open_job(samples.job(), after=None)
    assert not ledger.open_job(samples.job(), after=JOB_ID)
    assert ledger.newest_job("input", "reviews.jsonl") == JOB_ID


def test_of_two_jobs_for_one_key_the_second_sees_the_first(ledger: TableLedger) -> None:
    other = samples.job(job_id="reviews-111111111111", version_id="v2")
    assert ledger.open_job(samples.job(), after=None)
    assert not ledger.open_job(other, after=None)
    assert ledger.open_job(other, after=JOB_ID)


def test_a_job_born_failed_does_not_become_the_keys_newest(ledger: TableLedger) -> None:
    assert ledger.open_job(samples.job(), after=None)
    double = samples.job(job_id="reviews-111111111111", state=JobState.FAILED, code="duplicate_of")
    assert ledger.open_job(double, after=JOB_ID)
    assert ledger.newest_job("input", "reviews.jsonl") == JOB_ID


def test_a_plan_is_claimed_by_one_until_its_lease_is_over(ledger: TableLedger) -> None:
    ledger.open_job(samples.job(), after=None)
    opened = ledger.job(JOB_ID)
    assert opened
    first = ledger.claim_job(opened, lease=LATER, now=NOW)
    assert first
    assert first.claim == 1
    assert ledger.claim_job(opened, lease=LATER, now=NOW) is None
    assert ledger.claim_job(first, lease=LATER, now=NOW) is None
    assert ledger.claim_job(first, lease=LATER, now=LATER)


def planned(ledger: TableLedger) -> Job:
    ledger.open_job(samples.job(), after=None)
    opened = ledger.job(JOB_ID)
    assert opened
    claimed = ledger.claim_job(opened, lease=LATER, now=NOW)
    assert claimed
    return claimed


def test_a_chunk_is_planned_with_its_batches_and_the_cursor_or_not_at_all(ledger: TableLedger) -> None:
    claimed = planned(ledger)
    cursor = Cursor(offset=100, lines=2, requests=2, chunks=1)
    ahead = msgspec.structs.replace(claimed, chunks=1, open_chunks=1)
    after = ledger.add_chunk(ahead, samples.chunk(), [samples.batch(1), samples.batch(2)], cursor)
    assert after
    assert after.cursor == cursor
    assert ledger.add_chunk(ahead, samples.chunk(2), [], Cursor()) is None, "the cursor moved on"
    assert [batch.name for batch in ledger.batches(JOB_ID)] == ["0001", "0002"]
    assert len(list(ledger.chunks(JOB_ID))) == 1


def test_spending_starts_only_from_the_last_cursor_under_the_claim(ledger: TableLedger) -> None:
    claimed = planned(ledger)
    stale = msgspec.structs.replace(claimed, claim=0)
    assert not ledger.start_job(stale)
    assert ledger.start_job(msgspec.structs.replace(claimed, planned_at=NOW, usage={"m": Usage()}))
    started = ledger.job(JOB_ID)
    assert started
    assert (started.state, started.usage) == (JobState.RUNNING, {"m": Usage()})
    assert not ledger.fail_job(claimed, code="late", reason="too late", now=NOW)


def test_a_failed_plan_can_never_start(ledger: TableLedger) -> None:
    claimed = planned(ledger)
    assert ledger.fail_job(claimed, code="empty_file", reason="The file is empty.", now=NOW)
    assert not ledger.start_job(claimed)


def test_a_batch_is_admitted_only_while_its_job_runs_and_no_cancel_is_asked(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(state=JobState.PLANNING), samples.batch())
    assert not ledger.admit(samples.batch(), lease=LATER)
    cancelled = samples.running(job_id="other-000000000000", cancel_requested_at=NOW)
    put(table, cancelled, samples.batch(job_id=cancelled.job_id))
    assert not ledger.admit(samples.batch(job_id=cancelled.job_id), lease=LATER)


def test_one_of_two_submitters_gets_the_batch(ledger: TableLedger, table: Table) -> None:
    admitted = moved(ledger, table, BatchState.ADMITTED)
    assert ledger.claim_upload(admitted, lease=LATER)
    assert ledger.claim_upload(admitted, lease=LATER) is None


def test_a_late_claimant_cannot_record_its_batch_but_it_can_be_adopted_by_its_file(
    ledger: TableLedger, table: Table
) -> None:
    creating = moved(ledger, table, BatchState.CREATING)
    stale = msgspec.structs.replace(creating, claim=creating.claim - 1)
    assert not ledger.record_created(stale, REMOTE, now=NOW, check_at=LATER)
    assert not ledger.adopt(creating, RemoteBatch("batch_9", "validating", "file-9", 1), now=NOW, check_at=LATER)
    assert ledger.adopt(stale, REMOTE, now=NOW, check_at=LATER)
    assert read(ledger, creating).openai_batch_id == "batch_1"


def test_a_late_look_never_goes_back(ledger: TableLedger, table: Table) -> None:
    flying = moved(ledger, table, BatchState.IN_FLIGHT)
    finalizing = RemoteBatch("batch_1", "finalizing", "file-1", 1, completed=2)
    assert ledger.observe(flying, finalizing, check_at=LATER)
    assert not ledger.observe(flying, RemoteBatch("batch_1", "in_progress", "file-1", 1, completed=1), check_at=LATER)
    assert read(ledger, flying).remote_status == "finalizing"


def test_the_end_of_a_batch_is_recorded_once(ledger: TableLedger, table: Table) -> None:
    flying = moved(ledger, table, BatchState.IN_FLIGHT)
    failed = RemoteBatch("batch_1", "failed", "file-1", 1, errors=(LineError("model_not_found", "No such model.", 1),))
    assert ledger.end(flying, failed, now=NOW, check_at=LATER)
    assert not ledger.end(flying, ended_remote(), now=NOW, check_at=LATER)
    assert read(ledger, flying).error_codes == ("model_not_found",)


def test_usage_is_added_once_in_the_write_that_marks_the_batch_fetched(ledger: TableLedger, table: Table) -> None:
    ended = moved(ledger, table, BatchState.ENDED)
    claimed = ledger.claim_ended(ended, lease=LATER, now=NOW)
    assert claimed
    follow_up = samples.batch(item="chunk#000001#batch#0001.r", attempt=2)
    assert ledger.record_fetched(claimed, FETCHED, [follow_up], now=NOW)
    assert not ledger.record_fetched(claimed, FETCHED, [follow_up], now=NOW)
    job = ledger.job(JOB_ID)
    assert job
    assert job.usage["gpt-5-mini"] == FETCHED.usage
    assert (job.counts.completed, job.counts.failed) == (1, 1)
    assert [batch.state for batch in ledger.batches(JOB_ID)] == [BatchState.FETCHED, BatchState.QUEUED]


@pytest.mark.parametrize("state", [BatchState.ADMITTED, BatchState.UPLOADING])
def test_an_abandoned_batch_is_queued_again_once_its_lease_is_over(
    ledger: TableLedger, table: Table, state: BatchState
) -> None:
    batch = moved(ledger, table, state)
    assert not ledger.requeue(batch, not_before=NOW, now=NOW)
    assert ledger.requeue(batch, not_before=LATER, now=LATER)
    queued = read(ledger, batch)
    assert (queued.state, queued.not_before, queued.refusals) == (BatchState.QUEUED, LATER, 0)


@pytest.mark.parametrize("state", [BatchState.UPLOADING, BatchState.CREATING, BatchState.ENDED])
def test_a_passing_refusal_queues_a_batch_without_its_file(
    ledger: TableLedger, table: Table, state: BatchState
) -> None:
    batch = moved(ledger, table, state)
    assert ledger.requeue(batch, not_before=LATER, now=NOW, reason="token_limit_exceeded")
    queued = read(ledger, batch)
    assert (queued.state, queued.file_id, queued.openai_batch_id) == (BatchState.QUEUED, None, None)
    assert queued.refusals == 1


def test_a_blocked_batch_goes_on_when_it_is_mended(ledger: TableLedger, table: Table) -> None:
    uploading = moved(ledger, table, BatchState.UPLOADING)
    assert ledger.block(uploading, reason="invalid_api_key", check_at=LATER)
    blocked = read(ledger, uploading)
    assert (blocked.state, blocked.reason) == (BatchState.BLOCKED, "invalid_api_key")
    assert ledger.requeue(blocked, not_before=NOW, now=NOW)
    assert read(ledger, uploading).reason is None


def test_a_chunk_is_collected_once_and_the_job_counts_it_down(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(open_chunks=1), samples.chunk())
    chunk = ledger.claim_chunk(samples.chunk(), lease=LATER, now=NOW)
    assert chunk
    assert ledger.collect_chunk(chunk, results_bytes=10, errors_bytes=0, unanswered=0)
    assert not ledger.collect_chunk(chunk, results_bytes=10, errors_bytes=0, unanswered=0)
    job = ledger.job(JOB_ID)
    assert job
    assert job.open_chunks == 0


def test_a_job_is_assembled_when_no_chunk_is_open_by_one_at_a_time(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(open_chunks=1))
    assert ledger.claim_job(samples.running(), lease=LATER, now=NOW) is None
    table.commit([Change(Key(JOB_ID, "job"), add={("open_chunks",): -1})])
    job = ledger.claim_job(samples.running(), lease=LATER, now=NOW)
    assert job
    assert job.state is JobState.ASSEMBLING
    assert ledger.claim_job(job, lease=LATER, now=NOW) is None, "its lease is not over"
    done = ledger.finish_job(job, {"results": {"key": "reviews.results.jsonl"}}, NOW)
    assert done
    assert done.state is JobState.COMPLETED
    assert ledger.finish_job(job, {}, NOW) is None


def test_what_is_cleaned_is_no_longer_due_and_only_the_job_stays_for_ever(ledger: TableLedger, table: Table) -> None:
    put(table, samples.job(state=JobState.COMPLETED), samples.chunk(), samples.batch())
    job = ledger.job(JOB_ID)
    assert job
    assert ledger.note_cleaned(job, now=NOW, expires=NOW + dt.timedelta(days=30))
    assert list(ledger.open_items()) == []
    assert {item["item"]: "expires" in item for item in table.query(JOB_ID)} == {
        "job": False,
        "chunk#000001": True,
        "chunk#000001#batch#0001": True,
    }


def test_open_items_come_longest_overdue_first(ledger: TableLedger, table: Table) -> None:
    put(table, samples.batch(2, next_check_at=LATER), samples.chunk(next_check_at=NOW))
    assert [item.item for item in ledger.open_items()] == ["chunk#000001", "chunk#000001#batch#0002"]


def test_the_admission_lease_is_held_by_one_name_until_it_is_over(ledger: TableLedger) -> None:
    assert ledger.lead("a", lease=LATER, now=NOW)
    assert ledger.lead("a", lease=LATER, now=NOW)
    assert not ledger.lead("b", lease=LATER, now=NOW)
    assert ledger.lead("b", lease=LATER, now=LATER)


def test_the_stack_is_named_once(ledger: TableLedger) -> None:
    first = ledger.stack(NOW)
    assert ledger.stack(LATER) == first
    assert first.accept_after == NOW


def test_limits_are_learned_per_api_and_model(ledger: TableLedger) -> None:
    ledger.learn_limit("default", "gpt-5-mini", 90_000)
    ledger.learn_limit("default", "gpt-5-mini", 200_000)
    assert ledger.limits() == {("default", "gpt-5-mini"): 200_000}


def test_postponing_changes_nothing_else(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.ENDED)
    ledger.postpone(batch, check_at=LATER)
    assert msgspec.structs.replace(read(ledger, batch), token=None) == msgspec.structs.replace(batch, token=None)
    ledger.postpone(msgspec.structs.replace(batch, claim=99), check_at=NOW)
    assert read(ledger, batch).next_check_at == LATER

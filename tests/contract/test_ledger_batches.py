"""What every ledger promises about batches, run on a dict and on DynamoDB."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.model import Cursor
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import LineError, RemoteBatch
from tests import samples
from tests.contract.ledgers import FETCHED, REMOTE, ended_remote, moved, planned, put, read
from tests.samples import JOB_ID, LATER, NOW


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


def test_what_is_blocked_adopts_only_where_it_has_no_batch(ledger: TableLedger, table: Table) -> None:
    second = RemoteBatch("batch_2", "validating", REMOTE.input_file_id, 1)
    creating = moved(ledger, table, BatchState.CREATING)
    assert ledger.block(creating, reason="cannot_fence: look", check_at=NOW)
    assert ledger.adopt(read(ledger, creating), REMOTE, now=NOW, check_at=LATER)
    assert ledger.lose(read(ledger, creating), reason="batch_unknown_to_api: no", check_at=NOW)
    unknown = read(ledger, creating)
    assert (unknown.state, unknown.openai_batch_id) == (BatchState.BLOCKED, REMOTE.id)
    assert not ledger.adopt(unknown, second, now=NOW, check_at=LATER)


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


def test_an_item_does_not_grow_with_what_a_provider_finds_to_say(ledger: TableLedger, table: Table) -> None:
    flying = moved(ledger, table, BatchState.IN_FLIGHT)
    errors = tuple(LineError(f"code_{line:05d}", "x" * 1_000, line) for line in range(1, 50_001))
    failed = RemoteBatch(id="batch_1", status="failed", input_file_id="file-1", created_at=1, errors=errors)
    assert ledger.end(flying, failed, now=NOW, check_at=LATER)
    assert len(msgspec.json.encode(read(ledger, flying))) < 3_000


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


def test_postponing_changes_nothing_else(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.ENDED)
    ledger.postpone(batch, check_at=LATER)
    assert msgspec.structs.replace(read(ledger, batch), token=None) == msgspec.structs.replace(batch, token=None)
    ledger.postpone(msgspec.structs.replace(batch, claim=99), check_at=NOW)
    assert read(ledger, batch).next_check_at == LATER


def test_once_a_cancel_is_asked_a_batch_is_not_bought_though_it_is_uploaded(ledger: TableLedger, table: Table) -> None:
    uploading = moved(ledger, table, BatchState.UPLOADING)
    assert ledger.request_cancel(samples.running(), now=NOW)
    assert ledger.record_intent(uploading, file_id="file-1", key_version="1", now=NOW, lease=LATER) is None
    assert read(ledger, uploading).state is BatchState.UPLOADING


def test_once_its_job_has_failed_a_batch_is_neither_bought_nor_split_and_may_be_dropped(
    ledger: TableLedger, table: Table
) -> None:
    uploading = moved(ledger, table, BatchState.UPLOADING)
    job = ledger.job(JOB_ID)
    assert job
    failed = ledger.lose_input(job, code="input_gone", reason="It is gone.", now=NOW)
    assert failed
    assert failed.cancel_requested_at == NOW
    assert ledger.record_intent(uploading, file_id="file-1", key_version="1", now=NOW, lease=LATER) is None
    assert not ledger.split(uploading, [samples.batch(item="chunk#000001#batch#0001.a")])
    assert [batch.state for batch in ledger.batches(JOB_ID)] == [BatchState.UPLOADING]
    assert ledger.requeue(uploading, not_before=NOW, now=NOW, reason="its job has ended")
    assert ledger.retire(read(ledger, uploading), reason="It is gone.")

"""What every ledger promises about holders that died, and about work that is given up."""

from __future__ import annotations

import datetime as dt

import pytest

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.answers import DEADLINE
from batchdrop.core.model import Counts
from batchdrop.core.states import BatchState, ChunkState, JobState
from tests import samples
from tests.contract.ledgers import REMOTE, moved, planned, put, read
from tests.samples import JOB_ID, LATER, NOW

AFTER = LATER + dt.timedelta(minutes=1)
TOMORROW = LATER + dt.timedelta(days=1)


def test_a_claim_counts_a_crash_where_the_last_holder_never_gave_the_job_back(ledger: TableLedger) -> None:
    first = planned(ledger)
    assert first.crashes == 0
    assert ledger.claim_job(first, lease=AFTER, now=NOW) is None, "it may live"
    second = ledger.claim_job(first, lease=TOMORROW, now=AFTER)
    assert second
    assert second.crashes == 1
    assert ledger.rest_plan(second, AFTER)
    rested = ledger.job(JOB_ID)
    assert rested
    third = ledger.claim_job(rested, lease=TOMORROW, now=AFTER)
    assert third
    assert third.crashes == 1, "who gives it back is no crash"


def test_a_planned_chunk_is_progress(ledger: TableLedger) -> None:
    first = planned(ledger)
    second = ledger.claim_job(first, lease=TOMORROW, now=AFTER)
    assert second
    planned_on = ledger.add_chunk(second, samples.chunk(), [samples.batch()], second.cursor)
    assert planned_on
    assert planned_on.crashes == 0


def test_a_chunk_counts_crashes_and_rests(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(), samples.chunk())
    first = ledger.claim_chunk(samples.chunk(), lease=LATER, now=NOW)
    assert first
    second = ledger.claim_chunk(first, lease=TOMORROW, now=AFTER)
    assert second
    assert second.crashes == 1
    assert not ledger.rest_chunk(first, check_at=AFTER, reason="too late"), "under an old claim"
    assert ledger.rest_chunk(second, check_at=AFTER, reason="busy")
    rested, _ = ledger.chunk(JOB_ID, 1)
    assert rested
    assert (rested.lease_until, rested.reason, rested.crashes) == (None, "busy", 1)


def test_a_chunk_that_is_given_up_moves_its_requests_from_completed_to_quarantined(
    ledger: TableLedger, table: Table
) -> None:
    put(table, samples.running(counts=Counts(requests=2, completed=1, failed=1)), samples.chunk())
    chunk = ledger.claim_chunk(samples.chunk(), lease=LATER, now=NOW)
    assert chunk
    counted = Counts(completed=-1, failed=1, quarantined=2)
    assert ledger.collect_chunk(chunk, results_bytes=1, errors_bytes=1, counted=counted, reason="it crashed")
    job, (found, _) = ledger.job(JOB_ID), ledger.chunk(JOB_ID, 1)
    assert job
    assert found
    assert job.counts == Counts(requests=2, completed=0, failed=2, quarantined=2)
    assert (found.state, found.reason, found.due) == (ChunkState.COLLECTED, "it crashed", None)


def test_an_assembly_rests_without_its_lease(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(open_chunks=0))
    mine = ledger.claim_job(samples.running(open_chunks=0), lease=LATER, now=NOW)
    assert mine
    assert ledger.rest_assembly(mine, check_at=AFTER)
    rested = ledger.job(JOB_ID)
    assert rested
    assert (rested.state, rested.lease_until, rested.next_check_at) == (JobState.ASSEMBLING, None, AFTER)


@pytest.mark.parametrize(("state", "crashes"), [(BatchState.ADMITTED, 0), (BatchState.UPLOADING, 1)])
def test_a_lost_message_is_no_crash_a_lost_uploader_is(
    ledger: TableLedger, table: Table, state: BatchState, crashes: int
) -> None:
    batch = moved(ledger, table, state)
    assert ledger.requeue(batch, not_before=AFTER, now=AFTER)
    assert read(ledger, batch).crashes == crashes


def test_a_refusal_is_no_crash(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.UPLOADING)
    assert ledger.requeue(batch, not_before=AFTER, now=AFTER, reason="busy")
    assert read(ledger, batch).crashes == 0


@pytest.mark.parametrize("lived", [True, False])
def test_a_fence_counts_a_creator_that_died_and_none_that_told_of_its_doubt(
    ledger: TableLedger, table: Table, lived: bool
) -> None:
    batch = moved(ledger, table, BatchState.CREATING)
    if lived:
        assert ledger.note_unknown(batch)
        batch = read(ledger, batch)
        assert (batch.state, batch.lease_until) == (BatchState.CREATING, None)
    fenced = ledger.record_fence(batch, key_version="1", now=AFTER, lease=TOMORROW)
    assert fenced
    assert fenced.crashes == (0 if lived else 1)
    assert ledger.requeue_fenced(fenced, not_before=AFTER)
    assert read(ledger, batch).crashes == fenced.crashes


def test_a_batch_that_was_created_starts_to_count_anew(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.CREATING)
    fenced = ledger.record_fence(batch, key_version="1", now=AFTER, lease=TOMORROW)
    assert fenced
    assert ledger.adopt(fenced, REMOTE, now=AFTER, check_at=TOMORROW)
    assert read(ledger, batch).crashes == 0


def test_a_fetch_counts_crashes(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.ENDED)
    first = ledger.claim_ended(batch, lease=LATER, now=NOW)
    assert first
    second = ledger.claim_ended(first, lease=TOMORROW, now=AFTER)
    assert second
    assert second.crashes == 1


def test_what_is_quarantined_leaves_the_index_and_comes_back_by_nobody(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.ENDED)
    assert ledger.quarantine(batch, reason="it crashed")
    final = read(ledger, batch)
    assert (final.state, final.reason, final.due, final.lease_until) == (
        BatchState.QUARANTINED,
        "it crashed",
        None,
        None,
    )
    assert ledger.claim_ended(batch, lease=LATER, now=NOW) is None
    assert not ledger.quarantine(batch, reason="again")


@pytest.mark.parametrize("state", [BatchState.CREATING, BatchState.IN_FLIGHT, BatchState.UPLOADING])
def test_what_may_be_bought_is_not_quarantined(ledger: TableLedger, table: Table, state: BatchState) -> None:
    batch = moved(ledger, table, state)
    assert not ledger.quarantine(batch, reason="it crashed")


@pytest.mark.parametrize("state", [BatchState.CREATING, BatchState.IN_FLIGHT, BatchState.ENDED])
def test_a_batch_is_given_up_only_after_its_job_was_stopped(
    ledger: TableLedger, table: Table, state: BatchState
) -> None:
    batch = moved(ledger, table, state)
    assert not ledger.give_up(batch, reason="why", now=AFTER)
    job = ledger.job(JOB_ID)
    assert job
    assert ledger.request_cancel(job, now=NOW)
    assert ledger.give_up(batch, reason="why", now=AFTER)
    assert read(ledger, batch).state is BatchState.RETIRED


def test_a_batch_is_not_given_up_while_somebody_holds_it(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.CREATING)
    job = ledger.job(JOB_ID)
    assert job
    assert ledger.request_cancel(job, now=NOW)
    assert not ledger.give_up(batch, reason="why", now=NOW)


def test_a_deadline_ends_a_job_as_completed_and_a_cancel_does_not(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(open_chunks=0))
    job = ledger.job(JOB_ID)
    assert job
    assert ledger.request_cancel(job, now=NOW, because=DEADLINE)
    assert not ledger.request_cancel(job, now=NOW), "it is stopped already"
    stopped = ledger.job(JOB_ID)
    assert stopped
    assert (stopped.code, stopped.reason, stopped.cancel_requested_at) == (*DEADLINE, NOW)
    mine = ledger.claim_job(stopped, lease=LATER, now=NOW)
    assert mine
    done = ledger.finish_job(mine, {}, NOW)
    assert done
    assert done.state is JobState.COMPLETED


def test_a_probe_is_admitted_at_once_unless_its_job_is_stopped(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.UPLOADING)
    assert ledger.block(batch, reason="invalid_api_key: no", check_at=LATER)
    blocked = read(ledger, batch)
    assert ledger.probe(blocked, lease=LATER)
    assert not ledger.probe(blocked, lease=LATER), "by one only"
    probe = read(ledger, batch)
    assert (probe.state, probe.reason, probe.lease_until) == (BatchState.ADMITTED, None, LATER)
    assert ledger.block(probe, reason="invalid_api_key: no", check_at=LATER)
    job = ledger.job(JOB_ID)
    assert job
    assert ledger.request_cancel(job, now=NOW)
    assert not ledger.probe(read(ledger, batch), lease=LATER)


def test_a_batch_that_failed_for_the_operator_keeps_nothing_of_its_try(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.ENDED)
    assert ledger.block(batch, reason="insufficient_quota: no", check_at=LATER)
    blocked = read(ledger, batch)
    assert (blocked.openai_batch_id, blocked.file_id, blocked.remote_status) == (None, None, None)
    assert ledger.probe(blocked, lease=LATER)


def test_a_new_try_is_not_behind_the_fence_of_a_former_one(ledger: TableLedger, table: Table) -> None:
    fenced = ledger.record_fence(moved(ledger, table, BatchState.CREATING), key_version="1", now=NOW, lease=NOW)
    assert fenced
    assert ledger.record_removed(fenced, key_version="1")
    assert ledger.block(fenced, reason="cannot_fence: look for it", check_at=NOW)
    blocked = read(ledger, fenced)
    assert ledger.probe(blocked, lease=LATER), "the operator looked, and there was none"
    claimed = ledger.claim_upload(read(ledger, blocked), lease=LATER)
    assert claimed
    creating = ledger.record_intent(claimed, file_id="file-2", key_version="2", now=AFTER, lease=TOMORROW)
    assert creating
    for new in (creating, read(ledger, creating)):
        assert (new.fenced_at, new.fenced_under, new.removed_under) == (None, None, None)
        assert new.created_under == "2"


def test_what_is_released_has_no_crashes_and_is_due(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(), samples.chunk(crashes=10, next_check_at=TOMORROW))
    chunk, _ = ledger.chunk(JOB_ID, 1)
    assert chunk
    assert ledger.release(chunk, now=NOW)
    released, _ = ledger.chunk(JOB_ID, 1)
    assert released
    assert (released.crashes, released.next_check_at) == (0, NOW)


def test_the_parts_of_a_job_are_its_chunks_each_with_its_batches(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(), samples.chunk(1), samples.chunk(2), samples.batch(1, 1), samples.batch(1, 2))
    assert [part.item for part in ledger.parts(JOB_ID)] == [
        "chunk#000001",
        "chunk#000001#batch#0001",
        "chunk#000002",
        "chunk#000002#batch#0001",
    ]

"""What every ledger promises, run on a dict and on DynamoDB."""

from __future__ import annotations

import datetime as dt

import msgspec

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.allowance import Learned, Named
from batchdrop.core.change import Change
from batchdrop.core.model import Counts, Key, Usage
from batchdrop.core.states import JobState
from tests import samples
from tests.contract.ledgers import planned, put
from tests.fakes.clock import FakeDeadline
from tests.samples import JOB_ID, LATER, NOW


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


def test_a_chunk_is_collected_once_and_the_job_counts_it_down(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(open_chunks=1), samples.chunk())
    chunk = ledger.claim_chunk(samples.chunk(), lease=LATER, now=NOW)
    assert chunk
    assert ledger.collect_chunk(chunk, results_bytes=10, errors_bytes=0, counted=Counts())
    assert not ledger.collect_chunk(chunk, results_bytes=10, errors_bytes=0, counted=Counts())
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
    assert ledger.expire_items(job, expires=NOW + dt.timedelta(days=30), deadline=FakeDeadline())
    assert ledger.note_cleaned(job, now=NOW)
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
    pool = ("default", "gpt-5-mini")
    ledger.learn_limit(pool, Named(tokens=90_000), now=NOW)
    ledger.learn_limit(pool, Named(tokens=200_000), now=LATER)
    ledger.learn_limit(("default", "text-embedding-3-small"), Named(requests=1_000_000), now=NOW)
    assert ledger.limits() == {
        pool: Learned(enqueued_tokens=200_000, learned_at=LATER),
        ("default", "text-embedding-3-small"): Learned(enqueued_requests=1_000_000, learned_at=NOW),
    }


def test_what_was_seen_and_taken_of_a_pool_is_kept_beside_its_limit(ledger: TableLedger) -> None:
    pool = ("default", "gpt-5-mini")
    ledger.note_seen(pool, 500)
    ledger.note_seen(pool, 400)
    ledger.note_taken(samples.batch(estimated_tokens=100), Usage(requests=1, input_tokens=80))
    ledger.learn_limit(pool, Named(tokens=90_000), now=NOW)
    known = Learned(enqueued_tokens=90_000, learned_at=NOW, seen_tokens=500, estimated_tokens=50, input_tokens=80)
    assert ledger.limits() == {pool: known}


def test_creates_are_paid_for_by_the_leader_alone(ledger: TableLedger) -> None:
    assert ledger.paid_creates() is None
    assert ledger.lead("a", lease=LATER, now=NOW)
    assert ledger.pay_creates("a", until=LATER)
    assert not ledger.pay_creates("b", until=NOW)
    assert ledger.paid_creates() == LATER

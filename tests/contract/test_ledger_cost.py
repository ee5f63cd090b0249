"""What a job may cost and what it took are kept to the last digit, in every table."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.adapters.ledger.writing import to
from batchdrop.core.change import Change
from batchdrop.core.model import Key, Usage
from batchdrop.core.options import Options
from batchdrop.core.pricing import Estimate, Rates
from batchdrop.core.states import BatchState
from batchdrop.ports import Fetched
from tests.contract.ledgers import moved, planned
from tests.fakes.prices import price
from tests.samples import JOB_ID, LATER, NOW

ESTIMATES = {"gpt-5-mini": Estimate(requests=2, input_tokens=10**12, read=1, output_tokens=7, unlimited=1)}
BEYOND = Rates(input=Decimal(2), cached_input=Decimal(2), cache_write=Decimal(2), output=Decimal(3))
LONG = replace(price("0.0000625", "1", cached="0.00000625"), above=9, beyond=BEYOND)


def test_prices_and_estimates_are_frozen_when_the_job_starts(ledger: TableLedger) -> None:
    job = replace(planned(ledger), planned_at=NOW, estimates=ESTIMATES, prices={"gpt-5-mini": LONG})
    assert ledger.start_job(job)
    stored = ledger.job(JOB_ID)
    assert stored
    assert (stored.estimates, stored.prices) == (ESTIMATES, {"gpt-5-mini": LONG})
    assert stored.cost["estimated"] != "unknown"


def test_a_job_that_is_too_dear_keeps_what_it_would_have_cost(ledger: TableLedger) -> None:
    job = replace(planned(ledger), options=Options(max_cost_usd=Decimal("0.1")), estimates=ESTIMATES)
    assert ledger.fail_job(replace(job, prices={"gpt-5-mini": LONG}), code="over_cost_cap", reason="…", now=NOW)
    stored = ledger.job(JOB_ID)
    assert stored
    assert (stored.estimates, stored.prices) == (ESTIMATES, {"gpt-5-mini": LONG})
    assert stored.cost["cap"] == "0.10"


def test_a_look_at_a_job_from_before_its_end_says_nothing_of_its_cost_any_more(ledger: TableLedger) -> None:
    job = replace(planned(ledger), planned_at=NOW, estimates=ESTIMATES, prices={"gpt-5-mini": LONG})
    assert ledger.start_job(job)
    looked = ledger.job(JOB_ID)
    assert looked
    ledger.note_status(replace(looked, usage={"gpt-5-mini": Usage(output_tokens=7_000_000)}), digest="a", due_at=LATER)
    running = ledger.job(JOB_ID)
    assert running
    assert (running.status_digest, running.cost["actual"]) == ("a", "7.00")
    assert ledger.lose_input(running, code="input_gone", reason="…", now=NOW)
    ledger.note_status(looked, digest="b", due_at=LATER)
    ended = ledger.job(JOB_ID)
    assert ended
    assert (ended.status_digest, ended.cost["actual"]) == ("a", "7.00")


def test_the_tokens_of_long_prompts_are_added_up_beside_all_others(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.ENDED)
    former, part = Usage(requests=1, input_tokens=10), Usage(requests=1, input_tokens=20)
    assert table.commit([Change(Key(JOB_ID, "job"), assign=to(long_usage={"gpt-5-mini": former}))])
    claimed = ledger.claim_ended(batch, lease=LATER, now=NOW)
    assert claimed
    usage = Usage(requests=2, input_tokens=25)
    assert ledger.record_fetched(claimed, Fetched(2, 0, 0, usage, part), [], now=NOW)
    job = ledger.job(JOB_ID)
    assert job
    assert job.usage["gpt-5-mini"] == usage
    assert job.long_usage["gpt-5-mini"] == former + part

"""A job that may cost more than it may is stopped before anything is bought; the sums outlive an invocation."""

from __future__ import annotations

import gzip
from decimal import Decimal

import pytest

from batchdrop.core.allowance import Learned
from batchdrop.core.cut import Limits
from batchdrop.core.model import Job, Usage
from batchdrop.core.options import Options
from batchdrop.core.pricing import Estimate
from batchdrop.core.states import JobState
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.fakes.prices import price
from tests.usecases.planning_stack import PlanningStack, request

LINES = [request(f"r{number}", model=f"m{number % 2}", max_tokens=100 + number) for number in range(60)]
#: Tokens of the answers to the requests of each model.
MOST = {f"m{rest}": sum(100 + number for number in range(60) if number % 2 == rest) for rest in (0, 1)}


@pytest.fixture
def stack() -> PlanningStack:
    stack = PlanningStack()
    stack.prices.known |= {"m": price("0", "1000000"), "m0": price("0", "1000000"), "m1": price("0", "1000000")}
    return stack


def jsonl(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def capped(stack: PlanningStack, cap: str, data: bytes) -> Job:
    """Each token of an answer costs a dollar."""
    return stack.drop(data, metadata={"max-cost-usd": cap})


def test_a_job_that_may_cost_more_than_its_cap_buys_nothing(stack: PlanningStack) -> None:
    data = jsonl(request("a", max_tokens=30), request("b", max_tokens=31))
    job = capped(stack, "60", data)
    assert (job.state, job.code) == (JobState.FAILED, "over_cost_cap")
    assert "$61.00" in (job.reason or "")
    assert job.cost == {"currency": "USD", "estimated": "61.00", "actual": "0.00", "cap": "60.00"}
    assert [told.code for told in stack.published] == ["over_cost_cap"]
    assert [ended.job_id for ended in stack.messages.ended] == [job.job_id]
    assert stack.messages.sent == []
    assert capped(stack, "61", data).state is JobState.RUNNING


def test_the_stacks_cap_holds_where_the_object_says_nothing(stack: PlanningStack) -> None:
    stack.options = Options(max_cost_usd=Decimal(60))
    data = jsonl(request("a", max_tokens=61))
    assert stack.drop(data).code == "over_cost_cap"
    assert capped(stack, "none", data).state is JobState.RUNNING


def test_a_cap_over_an_unknown_price_stops_the_job_and_no_cap_lets_it_go(stack: PlanningStack) -> None:
    data = jsonl(request("a", max_tokens=1), request("b", model="nobody-knows", max_tokens=1))
    job = capped(stack, "60", data)
    assert (job.state, job.code) == (JobState.FAILED, "unknown_price")
    assert "nobody-knows" in (job.reason or "")
    job = stack.drop(data)
    assert job.state is JobState.RUNNING
    assert job.cost["estimated"] != "unknown"
    assert list(job.prices) == ["m"]


def test_the_estimate_is_the_input_by_its_size_and_the_limits_of_the_answers(stack: PlanningStack) -> None:
    job = capped(stack, "1000000", jsonl(*LINES))
    tokens = {batch.model: batch.estimated_tokens for batch in stack.batches(job)}
    assert job.estimates == {
        model: Estimate(requests=30, input_tokens=tokens[model], read=30, output_tokens=most)
        for model, most in MOST.items()
    }


def test_input_is_corrected_by_what_finished_batches_took(stack: PlanningStack) -> None:
    batch = samples.batch(model="m", requests=1, estimated_tokens=10_000)
    stack.ledger.note_taken(batch, Usage(requests=1, input_tokens=5_000))
    assert stack.ledger.limits()["default", "m"] == Learned(estimated_tokens=10_000, input_tokens=5_000)
    job = stack.drop(jsonl(request("a", user="x" * 4_000)))
    [batch] = stack.batches(job)
    assert job.estimates["m"].input_tokens == -(-batch.estimated_tokens // 2)


def test_a_refused_line_costs_nothing(stack: PlanningStack) -> None:
    job = capped(stack, "60", jsonl(request("a", max_tokens=60), request("b", model="x", max_tokens=9, stream=True)))
    assert (job.state, job.counts.invalid, list(job.estimates)) == (JobState.RUNNING, 1, ["m"])


@pytest.mark.parametrize("data", [jsonl(*LINES), gzip.compress(jsonl(*LINES))], ids=["plain", "packed"])
@pytest.mark.parametrize("cap", ["1000000", "7000"])
def test_a_plan_of_many_invocations_comes_to_the_same_sums(stack: PlanningStack, data: bytes, cap: str) -> None:
    """7,000 dollars are less than the whole costs, and more than any invocation alone sees."""
    stack.limit = Limits(requests=1)
    version_id = stack.put(data, metadata={"max-cost-usd": cap})
    plan = stack.plan(reserve_seconds=1_000.0)
    plan("input", "a.jsonl", version_id, FakeDeadline(900))
    job = stack.job("a.jsonl", version_id)
    invocations = 1
    while job.state is JobState.PLANNING:
        plan.resume(job.job_id, FakeDeadline(900))
        job, invocations = stack.job("a.jsonl", version_id), invocations + 1
    assert invocations > 2
    assert {model: estimate.output_tokens for model, estimate in job.estimates.items()} == MOST
    assert {estimate.read for estimate in job.estimates.values()} == {30}
    assert job.code == (None if cap == "1000000" else "over_cost_cap")


def test_a_job_without_a_cap_is_estimated_too(stack: PlanningStack) -> None:
    job = stack.drop(jsonl(*[request(f"r{number}", max_tokens=50) for number in range(10)]))
    assert job.estimates["m"].read == 1
    assert job.cost == {"currency": "USD", "estimated": "500.00", "actual": "0.00"}


def test_prices_stay_as_they_were_when_the_job_was_planned(stack: PlanningStack) -> None:
    job = stack.drop(jsonl(request("a", max_tokens=50)))
    stack.prices.known["m"] = price("0", "2")
    assert stack.job("a.jsonl", job.version_id).prices["m"] == price("0", "1000000")

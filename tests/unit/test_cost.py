"""Dollars: exact, unknown where they are unknown, and never more than a job may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchdrop.core import cost
from batchdrop.core.errors import Rejected
from batchdrop.core.model import Counts, Job, Usage, attributes, from_attributes
from batchdrop.core.options import Options
from batchdrop.core.pricing import Estimate, Price, Rates, dollars
from tests import samples
from tests.fakes.prices import price

ESTIMATE = Estimate(requests=1_000, input_tokens=8_000_000, read=1_000, output_tokens=1_000_000)
FREE = price("0", "0")


def job(cap: str | None = None, **changes: Any) -> Job:
    options = Options(max_cost_usd=None if cap is None else Decimal(cap))
    values: dict[str, Any] = {
        "options": options,
        "estimates": {"a": ESTIMATE},
        "prices": {"a": price("0.125", "1", cached="0.0125")},
        "usage": {"a": Usage()},
        "planned_at": samples.NOW,
    }
    return samples.job(**values | changes)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("1", "1.00"),
        ("1.5", "1.50"),
        ("12.3456785", "12.345679"),
        ("0.0000001", "0.000001"),
        ("1E+3", "1000.00"),
        ("0.1", "0.10"),
    ],
)
def test_amounts_have_two_to_six_decimals_and_what_was_spent_is_never_zero(amount: str, text: str) -> None:
    assert dollars(Decimal(amount)) == text


def test_tokens_are_paid_by_their_kind_to_the_last_digit() -> None:
    rates = Price(
        input=Decimal("0.125"),
        cached_input=Decimal("0.0125"),
        cache_write=Decimal("0.2"),
        output=Decimal(1),
        basis="batch prices",
    )
    used = Usage(
        input_tokens=1_000_003,
        cached_input_tokens=400_000,
        cache_write_tokens=100_000,
        output_tokens=7,
        reasoning_tokens=5,
    )
    assert rates.of(used) == Decimal("0.087507375")


LONG = Price(
    input=Decimal(1),
    cached_input=Decimal(1),
    cache_write=Decimal(1),
    output=Decimal(10),
    basis="batch prices",
    above=200,
    beyond=Rates(input=Decimal(2), cached_input=Decimal(2), cache_write=Decimal(2), output=Decimal(15)),
)


def test_answers_to_long_prompts_cost_more_and_the_others_do_not() -> None:
    usage = {"a": Usage(requests=3, input_tokens=3 * 10**6, output_tokens=3 * 10**6)}
    long = {"a": Usage(requests=1, input_tokens=2 * 10**6, output_tokens=10**6)}
    told = cost.report(job(prices={"a": LONG}, usage=usage, long_usage=long))
    assert told["actual"] == "40.00"
    assert told["note"] == "Of answers to long prompts, at higher rates: 1 of a."


def test_an_estimate_takes_prompts_to_be_long_where_they_are_on_average() -> None:
    short = Estimate(requests=10, input_tokens=2_000, read=10, output_tokens=10**6)
    assert LONG.estimated(short) == Decimal("10.002")
    assert LONG.estimated(short + Estimate(input_tokens=1)) == Decimal("15.004002")


def test_cached_tokens_beyond_the_input_give_no_money_back() -> None:
    assert price("1", "0", cached="0").of(Usage(input_tokens=5, cached_input_tokens=9)) == 0


def test_the_report_says_what_was_estimated_and_what_was_spent() -> None:
    told = cost.report(job("5", usage={"a": Usage(requests=3, input_tokens=2_000_000, output_tokens=3)}))
    assert told == {
        "currency": "USD",
        "estimated": "2.00",
        "actual": "0.250003",
        "cap": "5.00",
        "models": {
            "a": {
                "estimated": "2.00",
                "actual": "0.250003",
                "per_million_tokens": {"input": "0.125", "cached_input": "0.0125", "output": "1.00"},
                "prices": "batch prices",
            }
        },
    }


def test_what_is_unknown_is_unknown_and_never_nothing() -> None:
    told = cost.report(job(prices={}))
    assert (told["estimated"], told["actual"]) == ("unknown", "unknown")
    assert told["models"] == {"a": {"estimated": "unknown", "actual": "unknown"}}


def test_a_sum_without_some_of_its_parts_names_them() -> None:
    told = cost.report(job(usage={"a": Usage(output_tokens=10**6), "b": Usage(output_tokens=10**6)}))
    assert (told["estimated"], told["actual"]) == ("2.00", "1.00")
    assert told["models"]["b"] == {"estimated": "unknown", "actual": "unknown"}
    assert told["note"] == "Without what is not known: b."


def test_answers_that_report_no_tokens_are_told() -> None:
    usage = {"a": Usage(requests=1, unreported=1_200), "free": Usage(unreported=5)}
    told = cost.report(job(usage=usage, prices={"a": price(), "free": FREE}))
    assert told["note"] == "Without answers that report no tokens: 1,200 of a."
    assert told["models"]["free"]["actual"] == "0.00"


def test_quarantined_requests_may_have_cost_something() -> None:
    assert "7 quarantined" in cost.report(job(counts=Counts(quarantined=7)))["note"]


def test_a_job_whose_plan_is_not_done_says_nothing_of_its_cost() -> None:
    assert cost.report(job(planned_at=None, prices={})) == {}


def test_a_job_that_was_planned_by_an_older_version_has_no_estimate() -> None:
    told = cost.report(job(estimates={}))
    assert (told["estimated"], told["actual"]) == ("unknown", "0.00")


def test_a_report_of_many_models_is_short_where_it_is_a_sentence() -> None:
    usage = {f"m{number:02}": Usage() for number in range(100)}
    assert cost.report(job(usage=usage))["note"].endswith("m04 and 95 more.")


def test_an_estimate_at_the_cap_is_run_and_one_above_it_is_not() -> None:
    cost.check(job("2.00"))
    cost.check(job(None))
    with pytest.raises(Rejected) as refused:
        cost.check(job("1.999999"))
    assert refused.value.code == "over_cost_cap"
    for words in ("$2.00", "$1.999999", "8,000,000 tokens", "1,000,000 to write", "max-cost-usd", "nothing was run"):
        assert words in refused.value.reason


def test_the_reason_says_how_many_requests_name_no_limit() -> None:
    estimate = Estimate(requests=9, read=9, output_tokens=10**9, unlimited=4)
    with pytest.raises(Rejected, match=r"and about .* a usual length for the 4 of 9 requests that name no limit"):
        cost.check(job("1", estimates={"a": estimate}))


def test_a_cap_that_cannot_be_kept_stops_the_job() -> None:
    with pytest.raises(Rejected, match="max-cost-usd=none") as refused:
        cost.check(job("1000", estimates={"a": ESTIMATE, "b": ESTIMATE}))
    assert refused.value.code == "unknown_price"
    assert "not known of b;" in refused.value.reason


def test_what_was_read_of_some_requests_stands_for_the_others() -> None:
    assert Estimate(requests=10, read=3, output_tokens=10).most_output_tokens == 34
    assert Estimate(requests=3, read=4, output_tokens=10).most_output_tokens == 10
    assert Estimate(requests=3).most_output_tokens == 0


def test_amounts_stand_in_the_table_as_text_and_come_back_exactly() -> None:
    capped = job("0.1")
    stored = attributes(capped)
    assert stored["options"]["max_cost_usd"] == "0.1"
    assert stored["prices"]["a"]["input"] == "0.125"
    assert from_attributes(stored) == capped


def test_the_item_holds_the_sums_in_words() -> None:
    assert cost.summary(job("5")) == {"currency": "USD", "estimated": "2.00", "actual": "0.00", "cap": "5.00"}

from __future__ import annotations

from decimal import Decimal

import pytest

from batchdrop.core.errors import Rejected
from batchdrop.core.options import InvalidLines, Options, Priority, options, windows


def test_without_metadata_the_stacks_options_hold() -> None:
    stack = Options(invalid_lines=InvalidLines.REJECT, max_attempts=7)
    assert options({}, stack) == stack


def test_metadata_goes_over_the_stacks_options() -> None:
    given = {"invalid-lines": "Reject", "max-attempts": " 5 ", "completion-window": "24h", "api": "default"}
    given |= {"priority": "HIGH", "max-cost-usd": " 12.50 "}
    cap = Decimal("12.50")
    wanted = Options(invalid_lines=InvalidLines.REJECT, max_attempts=5, priority=Priority.HIGH, max_cost_usd=cap)
    assert options(given, Options()) == wanted


def test_what_other_tools_write_is_none_of_our_business() -> None:
    assert options({"mtime": "1", "lines": "x", "sha256": "y", "x-api": "z"}, Options()) == Options()


@pytest.mark.parametrize("name", ["max_cost_usd", "maxcostusd", "Max-Cost-USD", "max-cost_usd"])
def test_an_option_whose_name_is_written_otherwise_is_not_passed_over(name: str) -> None:
    with pytest.raises(Rejected, match="Write max-cost-usd") as refused:
        options({"mtime": "1", name: "5"}, Options())
    assert refused.value.code == "invalid_option"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("invalid-lines", "maybe"),
        ("max-attempts", "0"),
        ("max-attempts", "101"),
        ("max-attempts", "-1"),
        ("max-attempts", "٣"),
        ("max-attempts", "3.5"),
        ("completion-window", "soon"),
        ("completion-window", "0h"),
        ("priority", "urgent"),
        ("api", "other"),
        ("api", ""),
        ("max-cost-usd", "-1"),
        ("max-cost-usd", "1e3"),
        ("max-cost-usd", "$5"),
        ("max-cost-usd", "1,000"),
        ("max-cost-usd", "NaN"),
        ("max-cost-usd", "0.0000001"),
        ("max-cost-usd", "٣"),
        ("max-cost-usd", ""),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Rejected, match=name) as refused:
        options({name: value}, Options())
    assert refused.value.code == "invalid_option"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("invalid-line", "invalid-lines"),
        ("max-cost", "max-cost-usd"),
        ("max-costs-usd", "max-cost-usd"),
        ("cost-usd", "max-cost-usd"),
        ("priorty", "priority"),
        ("max-attempt", "max-attempts"),
        ("attempts", "max-attempts"),
    ],
)
def test_a_key_that_is_nearly_an_option_is_refused(given: str, name: str) -> None:
    with pytest.raises(Rejected, match=f"has {given}, which is no option; nothing was run.* {name}"):
        options({given: "3"}, Options())


@pytest.mark.parametrize(
    "key",
    [
        "apis",
        "app",
        "api-key",
        "author",
        "content-type",
        "cost-center",
        "lines",
        "max-age",
        "max-retries",
        "mtime",
        "prio",
        "s3cmd-attrs",
        "window",
    ],
)
def test_the_keys_of_other_tools_are_their_own(key: str) -> None:
    assert options({key: "3"}, Options()) == Options()


def test_a_job_may_lift_the_stacks_cap() -> None:
    assert options({"max-cost-usd": "None"}, Options(max_cost_usd=Decimal(5))).max_cost_usd is None


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("api.openai.com", ("24h",)),
        ("eu.api.openai.com", ("24h",)),
        ("mine.openai.azure.com", ("24h",)),
        ("api.groq.com", ()),
        ("notapi.openai.com", ()),
        ("127.0.0.1", ()),
    ],
)
def test_openai_and_azure_take_one_completion_window_and_others_say_for_themselves(
    host: str, known: tuple[str, ...]
) -> None:
    assert windows(host) == known


def test_a_completion_window_that_the_provider_does_not_take_is_refused_before_anything_is_bought() -> None:
    assert options({"completion-window": "48h"}, Options()).completion_window == "48h"
    with pytest.raises(Rejected, match=r"completion-window has a value.*It must be 24h, which is all") as refused:
        options({"completion-window": "48h"}, Options(), ("24h",))
    assert refused.value.code == "invalid_option"

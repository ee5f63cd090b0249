"""Limits: configured, named by an error, believed for a day; estimates corrected by what finished batches took."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from batchdrop.core.allowance import (
    BELIEVED,
    REMEMBERED,
    Allowance,
    Allowances,
    Learned,
    Named,
    configured,
    experienced,
    named,
    refused,
    relearned,
)
from batchdrop.core.model import Batch, Usage
from tests import samples
from tests.samples import NOW

POOL = ("default", "gpt-5-mini")
SOON = NOW + dt.timedelta(minutes=5)
TOKENS = "Enqueued token limit reached for gpt-4o-mini in organization org-X. Limit: 2,000,000 enqueued tokens. Please"
REQUESTS = (
    "Enqueued request limit reached for text-embedding-3-small in organization org-X. Limit: 1,000,000 enqueued "
    "requests. Please try again once some in_progress batches have been completed."
)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (TOKENS, Named(tokens=2_000_000)),
        (REQUESTS, Named(requests=1_000_000)),
        ("Limit: 90000 enqueued tokens. Please try again", Named(tokens=90_000)),
        ("Limit: 0 enqueued tokens.", None),
        ("Limit: , enqueued tokens.", None),
        ("Rate limit reached", None),
    ],
)
def test_the_limit_is_learned_from_the_errors_text(text: str, limit: Named | None) -> None:
    assert named(text) == limit


def test_the_stacks_limits_are_json_by_model() -> None:
    assert configured('{"gpt-5-mini": 2000000, "*": 90000}') == {"gpt-5-mini": 2_000_000, "*": 90_000}
    assert configured("{}") == configured("") == {}


@pytest.mark.parametrize("text", ["[]", "2000000", '{"a": "many"}', '{"a": 1.5}', '{"a": 0}', '{"": 5}', "{", "{a: 5}"])
def test_what_is_no_limit_by_model_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        configured(text)


def test_a_higher_limit_is_learned_too() -> None:
    known = relearned(Learned(), Named(tokens=90_000), now=NOW)
    known = relearned(known, Named(tokens=200_000), now=SOON)
    assert (known.enqueued_tokens, known.learned_at) == (200_000, SOON)


def test_a_limit_that_is_named_again_is_believed_for_another_day_once_the_first_one_is_over() -> None:
    known = relearned(Learned(), Named(tokens=90_000), now=NOW)
    assert relearned(known, Named(tokens=90_000), now=SOON) == known
    assert relearned(known, Named(tokens=90_000), now=NOW + BELIEVED).learned_at == NOW + BELIEVED


def test_of_several_refusals_beside_others_the_lowest_counts_for_two_hours() -> None:
    known = Learned(enqueued_tokens=100)
    for tokens in (80, 60, 70):
        known = refused(known, samples.batch(estimated_tokens=10, pool_tokens=tokens), now=NOW)
    assert Allowances({}, {POOL: known}, SOON).of(POOL).below == 60
    assert Allowances({}, {POOL: known}, NOW + REMEMBERED).of(POOL).below is None
    later = refused(known, samples.batch(estimated_tokens=10, pool_tokens=90), now=NOW + REMEMBERED)
    assert later.refused_tokens == 90


def test_a_batch_that_stood_alone_says_nothing_of_how_much_fits() -> None:
    assert refused(Learned(), samples.batch(estimated_tokens=10, pool_tokens=10), now=NOW) == Learned()


def with_experience(estimated: int, real: int, tokens: int = 1_000) -> int:
    known = Learned(estimated_tokens=estimated, input_tokens=real)
    return Allowance(known).weight(samples.batch(estimated_tokens=tokens))


def test_estimates_are_corrected_by_what_finished_batches_took() -> None:
    assert with_experience(10_000, 7_500) == 750
    assert with_experience(10_000, 15_000) == 1_500
    assert with_experience(1_000, 1_500) == 1_000, "too little to go by"
    assert with_experience(10_000, 1) == 63, "a sixteenth at least"
    assert with_experience(10_000, 10**9) == 4_000, "four times at most"


def test_what_a_batch_teaches_is_about_the_requests_that_were_answered() -> None:
    batch = samples.batch(requests=10, estimated_tokens=1_000)
    known = experienced(Learned(), batch, Usage(requests=5, input_tokens=400))
    assert (known.estimated_tokens, known.input_tokens) == (500, 400)
    assert experienced(known, batch, Usage()) == known


def test_a_model_that_is_put_to_another_use_is_learned_anew() -> None:
    batch = samples.batch(requests=1, estimated_tokens=20_000_000)
    known = Learned()
    for _ in range(20):
        known = experienced(known, batch, Usage(requests=1, input_tokens=20_000_000))
    for _ in range(8):
        known = experienced(known, batch, Usage(requests=1, input_tokens=10_000_000))
    assert known.input_tokens / known.estimated_tokens < 0.55


def pieces(limit: int, *, tokens: int = 100, requests: int = 100, **more: Any) -> int:
    batch: Batch = msgspec.structs.replace(samples.batch(estimated_tokens=tokens, requests=requests), **more)
    return Allowances({}, {POOL: Learned(enqueued_tokens=limit)}, NOW).of(POOL).pieces(batch)


def test_a_batch_over_half_of_the_limit_is_split_so_that_three_parts_fill_it() -> None:
    assert pieces(200) == 0
    assert pieces(199) == 2
    assert pieces(100) == 4
    assert pieces(10) == 32
    assert pieces(10, requests=1) == 0


def test_a_configured_limit_splits_as_well() -> None:
    allowance = Allowances({"*": 100}, {}, NOW).of(POOL)
    assert allowance.pieces(samples.batch(estimated_tokens=500, requests=50)) == 16


def test_a_limit_in_requests_splits_as_well() -> None:
    allowance = Allowances({}, {POOL: Learned(enqueued_requests=100)}, NOW).of(POOL)
    assert allowance.pieces(samples.batch(requests=300)) == 10


def test_a_batch_that_is_refused_although_it_seems_to_fit_is_halved() -> None:
    reason = "token_limit_exceeded: Enqueued token limit reached"
    assert pieces(300, refusals=3, reason=reason) == 2
    assert pieces(300, refusals=2, reason=reason) == 0
    assert pieces(300, refusals=3, reason="server_error: 500") == 0
    assert pieces(900, refusals=3, reason=reason) == 0, "so small that its size is not what is wrong"

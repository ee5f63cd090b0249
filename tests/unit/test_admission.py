"""Room under the token limit, shared fairly."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import admission
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from tests import samples
from tests.samples import NOW

POOL = ("default", "gpt-5-mini")


def batch(number: int, tokens: int = 10, job: str = "a", state: BatchState = BatchState.QUEUED) -> Batch:
    return samples.batch(number, job_id=job, estimated_tokens=tokens, state=state)


def test_without_a_known_limit_everything_goes() -> None:
    queued = [batch(1, 10**9), batch(2, 10**9)]
    assert admission.admitted(queued, {}, NOW) == queued


def test_what_is_on_its_way_takes_room() -> None:
    batches = [batch(1, 60, state=BatchState.IN_FLIGHT), batch(2, 30), batch(3, 30)]
    assert admission.admitted(batches, {POOL: 100}, NOW) == [batches[1]]


def test_another_model_has_room_of_its_own() -> None:
    other = samples.batch(2, model="gpt-5", estimated_tokens=90)
    batches = [batch(1, 100, state=BatchState.IN_FLIGHT), other]
    assert admission.admitted(batches, {POOL: 100}, NOW) == [other]


def test_a_batch_larger_than_the_limit_goes_alone() -> None:
    large = batch(1, 500)
    assert admission.admitted([large, batch(2)], {POOL: 100}, NOW) == [large]
    assert admission.admitted([large, batch(2, state=BatchState.IN_FLIGHT)], {POOL: 100}, NOW) == []


def test_a_small_job_behind_a_huge_one_has_its_turn() -> None:
    huge = [batch(number) for number in range(1, 51)]
    small = batch(1, job="b")
    assert small in admission.admitted([*huge, small], {POOL: 20}, NOW)


def test_a_batch_waits_until_it_may_be_tried_again() -> None:
    waiting = samples.batch(1, not_before=NOW + dt.timedelta(seconds=1))
    assert admission.admitted([waiting], {}, NOW) == []
    assert admission.admitted([waiting], {}, NOW + dt.timedelta(seconds=1)) == [waiting]


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from("abc")), max_size=30), st.integers(60, 200))
def test_the_limit_is_never_exceeded_where_every_batch_fits(sizes: list[tuple[int, str]], limit: int) -> None:
    queued = [batch(number, tokens, job) for number, (tokens, job) in enumerate(sizes, 1)]
    chosen = admission.admitted(queued, {POOL: limit}, NOW)
    assert sum(one.estimated_tokens for one in chosen) <= limit
    assert bool(chosen) == bool(queued)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        (
            "Enqueued token limit reached for gpt-4o-mini in organization org-X. Limit: 2,000,000 enqueued tokens.",
            2_000_000,
        ),
        ("Limit: 90000 enqueued tokens. Please try again", 90_000),
        ("Rate limit reached", None),
    ],
)
def test_the_limit_is_learned_from_the_errors_text(text: str, limit: int | None) -> None:
    assert admission.learned_limit(text) == limit

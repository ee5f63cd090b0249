"""Room under the token limit, shared fairly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import admission, creates
from batchdrop.core.admission import Decision, Pace
from batchdrop.core.allowance import TAKEN_FOR_GRANTED, Allowances, Learned
from batchdrop.core.model import Batch, Job
from batchdrop.core.options import Options, Priority
from batchdrop.core.states import BatchState
from tests import samples
from tests.samples import NOW

POOL = ("default", "gpt-5-mini")


def batch(number: int, tokens: int = 10, job: str = "a", state: BatchState = BatchState.QUEUED, **more: Any) -> Batch:
    return samples.batch(number, job_id=job, estimated_tokens=tokens, state=state, requests=1, **more)


def working(number: int, tokens: int = 10, job: str = "a", **more: Any) -> Batch:
    """The provider works on it."""
    seen = {"in_flight_at": NOW - dt.timedelta(minutes=5), "remote_status": "in_progress", "rank": 2}
    return batch(number, tokens, job, BatchState.IN_FLIGHT, **seen | more)


def validating(number: int, tokens: int = 10, job: str = "a") -> Batch:
    return working(number, tokens, job, remote_status="validating", rank=1)


def decide(batches: Sequence[Batch], jobs: Mapping[str, Job] | None = None, **more: Any) -> Decision:
    limits = {POOL: Learned(enqueued_tokens=more.pop("limit"))} if "limit" in more else more.pop("learned", {})
    return admission.decide(batches, jobs or {}, Allowances(more.pop("stack", {}), limits, NOW), Pace(**more))


def admitted(batches: Sequence[Batch], jobs: Mapping[str, Job] | None = None, **more: Any) -> list[Batch]:
    return decide(batches, jobs, **more).admitted


def test_what_is_on_its_way_takes_room() -> None:
    batches = [working(1, 60), batch(2, 30), batch(3, 30)]
    assert admitted(batches, limit=100) == [batches[1]]


def test_another_model_has_room_of_its_own() -> None:
    other = samples.batch(2, model="gpt-5", estimated_tokens=90)
    assert admitted([working(1, 100), other], limit=100) == [other]


def test_the_stacks_limit_holds_where_it_is_lower_than_the_learned_one() -> None:
    batches = [working(1, 60), batch(2, 30)]
    assert admitted(batches, limit=200, stack={"gpt-5-mini": 80}) == []
    assert admitted(batches, limit=80, stack={"gpt-5-mini": 200}) == []
    assert admitted(batches, stack={"*": 80}) == []
    assert admitted(batches, stack={"*": 80, "gpt-5-mini": 200}) == [batches[1]]


def test_a_request_larger_than_the_limit_goes_alone() -> None:
    large = batch(1, 500)
    assert admitted([large, batch(2)], limit=100) == [large]
    assert admitted([large, working(2)], limit=100) == []


def test_a_batch_that_is_to_be_split_needs_no_room() -> None:
    large = samples.batch(3, job_id="a", estimated_tokens=500, requests=100)
    decision = decide([working(1, 90), large], limit=100)
    assert (decision.admitted, decision.bought) == ([large], 0)
    waiting = samples.batch(3, job_id="a", estimated_tokens=500, requests=100, state=BatchState.ADMITTED)
    small = batch(4, 30)
    assert admitted([waiting, small], limit=100) == [small]


def test_a_small_job_behind_a_huge_one_has_its_turn() -> None:
    huge = [batch(number) for number in range(1, 51)]
    small = batch(1, job="b")
    assert small in admitted([*huge, small], limit=20)


def test_a_full_pool_keeps_a_place_for_a_job_with_nothing_under_way() -> None:
    huge = [*(working(number, 50) for number in range(1, 20)), *(batch(number, 50) for number in range(20, 50))]
    assert sum(one.estimated_tokens for one in huge if one.state is BatchState.IN_FLIGHT) == 950
    small = batch(1, 10, job="b")
    assert admitted([*huge, small], limit=1_000) == [small]


def test_small_newcomers_do_not_starve_a_batch_that_waits_for_room() -> None:
    """It waits for 400 tokens; for as long as it does, others take 50 of them in a tick at most."""
    waiting = batch(1, 400, job="a")
    under_way = [working(1, 700, job="z")]
    newcomers = [batch(1, 10, job=f"new-{number}") for number in range(100)]
    jobs = {one.job_id: samples.job(job_id=one.job_id, created_at=NOW) for one in newcomers}
    jobs["a"] = samples.job(job_id="a", created_at=NOW - dt.timedelta(hours=1))
    chosen = admitted([*under_way, waiting, *newcomers], jobs, limit=1_000)
    assert waiting not in chosen
    assert 0 < sum(one.estimated_tokens for one in chosen) <= 50


def test_the_job_with_the_fewest_batches_under_way_is_next() -> None:
    a = [*(working(number) for number in range(1, 6)), *(batch(number) for number in range(6, 10))]
    b = [batch(number, job="b") for number in range(1, 10)]
    assert admitted([*a, *b], creates=5) == b[:5]


def test_a_priority_is_four_times_the_share_of_the_one_below() -> None:
    names = {"high": Priority.HIGH, "normal": Priority.NORMAL, "low": Priority.LOW}
    jobs = {name: samples.job(job_id=name, options=Options(priority=value)) for name, value in names.items()}
    batches = [batch(number, job=name) for name in names for number in range(1, 50)]
    chosen = [one.job_id for one in admitted(batches, jobs, creates=42)]
    assert {name: chosen.count(name) for name in names} == {"high": 32, "normal": 8, "low": 2}


def test_a_batch_waits_until_it_may_be_tried_again() -> None:
    waiting = batch(1, not_before=NOW + dt.timedelta(seconds=1))
    assert admitted([waiting]) == []
    assert admitted([batch(1, not_before=NOW)]) == [batch(1, not_before=NOW)]


def test_of_a_job_that_is_to_be_cancelled_nothing_goes() -> None:
    assert admitted([batch(1)], {"a": samples.job(job_id="a", cancel_requested_at=NOW)}) == []


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from("abc")), max_size=30), st.integers(60, 200))
def test_the_limit_is_never_exceeded_where_every_batch_fits(sizes: list[tuple[int, str]], limit: int) -> None:
    queued = [batch(number, tokens, job) for number, (tokens, job) in enumerate(sizes, 1)]
    chosen = admitted(queued, limit=limit)
    assert sum(one.estimated_tokens for one in chosen) <= limit
    assert bool(chosen) == bool(queued)


def test_what_was_refused_keeps_a_place_for_a_job_with_nothing_under_way() -> None:
    huge = [*(working(number, 50) for number in range(1, 20)), *(batch(number, 10) for number in range(20, 50))]
    small = batch(1, 10, job="b")
    known = Learned(enqueued_tokens=2_000, refused_tokens=1_000, refused_at=NOW)
    assert admitted([*huge, small], learned={POOL: known}) == [small]


# where no limit is known


def test_at_first_one_batch_shows_whether_there_is_room() -> None:
    queued = [batch(number, 1_000_000) for number in range(1, 100)]
    assert admitted(queued) == queued[:1]
    assert admitted([validating(1, 1_000_000), *queued[1:]]) == []


def test_while_it_does_so_jobs_with_nothing_under_way_may_take_what_every_account_has_room_for() -> None:
    huge = [validating(1, 1_000_000), *(batch(number, 10) for number in range(2, 9))]
    newcomers = [batch(1, 20_000, job=name) for name in "bcd"]
    assert admitted([*huge, *newcomers]) == newcomers[:2]


def test_room_that_proved_to_be_there_is_doubled() -> None:
    queued = [batch(number, 1_000_000) for number in range(10, 100)]
    first = decide([working(1, 1_000_000), *queued])
    assert first.seen == {POOL: 1_000_000}
    assert len(first.admitted) == 1
    assert len(admitted([working(1, 1_000_000), working(2, 1_000_000), *queued])) == 2
    known = {POOL: Learned(seen_tokens=8_000_000)}
    eight = [working(number, 1_000_000) for number in range(1, 9)]
    assert len(admitted([*eight, *queued], learned=known)) == 8
    assert len(admitted(queued, learned=known)) == 16, "what was proven once is remembered"
    assert decide([*eight, *queued], learned=known).seen == {}, "nothing new is written"


def test_what_every_account_has_room_for_goes_at_once() -> None:
    queued = [batch(number, 1_000) for number in range(1, 100)]
    chosen = admitted(queued, creates=100)
    assert sum(one.estimated_tokens for one in chosen) == TAKEN_FOR_GRANTED


def test_a_limit_that_is_a_day_old_is_tried_with_one_batch_more() -> None:
    old = {POOL: Learned(enqueued_tokens=90_000, learned_at=NOW - dt.timedelta(days=1), seen_tokens=80_000)}
    full = [working(number, 30_000) for number in range(1, 4)]
    queued = [batch(number, 30_000) for number in range(4, 20)]
    assert admitted([*full, *queued], learned=old) == queued[:1]
    assert admitted([*full, validating(4, 30_000), *queued[1:]], learned=old) == []
    fresh = {POOL: Learned(enqueued_tokens=90_000, learned_at=NOW - dt.timedelta(hours=23))}
    assert admitted([*full, *queued], learned=fresh) == []


def test_what_was_refused_beside_others_is_not_tried_again_for_two_hours() -> None:
    queued = [working(1, 30), working(2, 30), batch(3, 20)]
    refused = Learned(enqueued_tokens=100, refused_tokens=80, refused_at=NOW - dt.timedelta(minutes=119))
    assert admitted(queued, learned={POOL: refused}) == []
    assert admitted(queued[1:], learned={POOL: refused}) == queued[2:]
    forgotten = Learned(enqueued_tokens=100, refused_tokens=80, refused_at=NOW - dt.timedelta(minutes=120))
    assert admitted(queued, learned={POOL: forgotten}) == queued[2:]
    assert decide(queued, learned={POOL: forgotten}).pool_tokens == [80]


# limits in requests


def test_a_limit_in_requests_counts_the_requests_for_embeddings_of_every_model() -> None:
    def embedding(number: int, model: str, state: BatchState = BatchState.QUEUED) -> Batch:
        return samples.batch(number, model=model, endpoint="/v1/embeddings", requests=10, state=state)

    learned = {("default", "small"): Learned(enqueued_requests=31)}
    others = [embedding(1, "large", BatchState.IN_FLIGHT), embedding(2, "large", BatchState.IN_FLIGHT)]
    queued = [embedding(3, "small"), embedding(4, "small")]
    assert admitted([*others, *queued], learned=learned) == queued[:1]
    assert admitted([others[0], *queued], learned=learned) == queued


def test_a_limit_in_requests_keeps_a_place_for_a_job_with_nothing_under_way() -> None:
    huge = [*(working(number) for number in range(1, 20)), *(batch(number) for number in range(20, 50))]
    small = batch(1, job="b")
    known = {POOL: Learned(enqueued_requests=20)}
    assert admitted(huge, learned=known) == []
    assert admitted([*huge, small], learned=known) == [small]


# our own pace


def sized(number: int, size: int, state: BatchState = BatchState.QUEUED) -> Batch:
    return batch(number, 1, state=state, source=samples.source(end_byte=size))


def test_no_more_waits_for_the_submitters_than_they_can_do_in_a_minute() -> None:
    large = [sized(number, 200_000_000) for number in range(1, 100)]
    assert len(admitted(large, submitters=2)) == 6
    assert len(admitted(large, submitters=20)) == 53
    waiting = [sized(number, 200_000_000, BatchState.ADMITTED) for number in range(100, 106)]
    assert admitted([*large, *waiting], submitters=2) == []


def test_no_more_are_admitted_than_may_be_created() -> None:
    queued = [sized(number, 100) for number in range(1, 100)]
    assert len(admitted(queued, creates=7)) == 7
    assert len(admitted(queued, creates=1_000)) == creates.AT_ONCE
    assert decide(queued, creates=7).bought == 7

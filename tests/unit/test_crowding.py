"""A pool that was refused for want of room: closed, tried with one batch, open again once one went through."""

from __future__ import annotations

import datetime as dt
from typing import Any

from batchdrop.core.crowding import closed
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from tests import samples
from tests.samples import NOW

POOL = ("default", "gpt-5-mini")
NO_ROOM = "token_limit_exceeded: Enqueued token limit reached"
TOO_FAST = "rate_limit_exceeded: 2,000 batches may be created per hour"


def ago(minutes: float) -> dt.datetime:
    return NOW - dt.timedelta(minutes=minutes)


def refused(number: int, minutes: float, refusals: int = 1, tokens: int = 50, **more: Any) -> Batch:
    """So many minutes ago, for the ``refusals``-th time."""
    at: dict[str, Any] = {
        "no_room_at": ago(minutes),
        "not_before": ago(minutes) + dt.timedelta(minutes=2 ** (refusals - 1)),
    }
    values: dict[str, Any] = {"reason": NO_ROOM, "refusals": refusals, "estimated_tokens": tokens} | at | more
    return samples.batch(number, **values)


def flying(number: int, minutes: float, status: str = "in_progress", **more: Any) -> Batch:
    rank = {"validating": 1, "in_progress": 2}[status]
    at = ago(minutes)
    return samples.batch(number, state=BatchState.IN_FLIGHT, remote_status=status, rank=rank, in_flight_at=at, **more)


def probe(*batches: Batch) -> Batch | None:
    return closed(batches, NOW, lambda batch: batch.estimated_tokens)[POOL].probe


def pools(*batches: Batch) -> set[tuple[str, str]]:
    return set(closed(batches, NOW, lambda batch: batch.estimated_tokens))


def test_without_a_refusal_nothing_is_closed() -> None:
    assert pools(samples.batch(1), flying(2, 5)) == set()


def test_a_refusal_closes_its_model_and_no_other() -> None:
    assert pools(refused(1, 0.5), samples.batch(2), samples.batch(3, model="gpt-5")) == {POOL}


def test_while_it_backs_off_nothing_is_tried() -> None:
    assert probe(refused(1, 0.5), samples.batch(2)) is None


def test_then_the_smallest_is_tried() -> None:
    small = samples.batch(2, estimated_tokens=10)
    assert probe(refused(1, 1), small, samples.batch(3)) == small


def test_one_that_is_refused_again_waits_twice_as_long_and_keeps_its_turn() -> None:
    again = refused(1, 1.5, refusals=2)
    assert probe(again, refused(2, 4), samples.batch(3, estimated_tokens=50)) is None
    again = refused(1, 2, refusals=2)
    assert probe(again, refused(2, 4), samples.batch(3, estimated_tokens=50)) == again


def test_one_that_waits_for_a_reason_of_its_own_is_no_probe() -> None:
    busy = samples.batch(2, estimated_tokens=1, not_before=NOW + dt.timedelta(minutes=9), reason="server_error: 500")
    assert probe(refused(1, 1), busy) == refused(1, 1)


def test_while_one_is_on_its_way_no_other_is_tried() -> None:
    for state in (BatchState.ADMITTED, BatchState.UPLOADING, BatchState.CREATING):
        assert probe(refused(1, 5), samples.batch(2, state=state)) is None
    assert probe(refused(1, 5), flying(2, 1, "validating")) is None
    assert probe(refused(1, 20), flying(2, 16, "validating")) is not None, "that is too long to wait for"


def test_a_probe_keeps_its_pool_closed_until_the_provider_works_on_it() -> None:
    tried: dict[str, Any] = {"no_room_at": ago(5), "refusals": 1}
    assert pools(flying(1, 1, "validating", **tried), samples.batch(2)) == {POOL}
    assert pools(flying(1, 1, **tried), samples.batch(2)) == set()


def test_what_was_worked_on_before_the_refusal_says_nothing() -> None:
    assert pools(refused(1, 5), flying(2, 6)) == {POOL}
    assert pools(refused(1, 5), flying(2, 4)) == set()


def test_a_batch_that_the_provider_has_just_failed_closes_its_pool_before_it_is_fetched() -> None:
    failed: dict[str, Any] = {"state": BatchState.ENDED, "remote_status": "failed", "ended_at": NOW, "rank": 4}
    assert pools(samples.batch(1, error_codes=("token_limit_exceeded",), **failed)) == {POOL}
    assert pools(samples.batch(1, error_codes=("invalid_url",), **failed)) == set()


def test_too_many_calls_close_the_whole_account_until_a_create_is_taken() -> None:
    other = samples.batch(2, model="gpt-5")
    fast = refused(1, 0.5, reason=TOO_FAST)
    assert pools(fast, other) == {("default", "")}
    assert pools(fast, other, flying(3, 0, "validating", model="gpt-5")) == set()
    account = ("default", "")
    asked = refused(1, 2, reason=TOO_FAST, not_before=NOW + dt.timedelta(seconds=10))
    assert closed([asked, other], NOW, lambda batch: 1)[account].probe is None, "the provider said how long to wait"
    asked = refused(1, 2, reason=TOO_FAST, not_before=NOW)
    assert closed([asked, other], NOW, lambda batch: 1)[account].probe == asked

"""Who may try, while others wait for the operator."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from batchdrop.core import blocking
from batchdrop.core.admission import decide
from batchdrop.core.allowance import Allowances
from batchdrop.core.model import Batch
from batchdrop.core.states import BatchState
from tests import samples
from tests.samples import NOW

REASON = "invalid_api_key: no"


def blocked(number: int, minutes: float = 0, **changes: Any) -> Batch:
    """Due ``minutes`` from now."""
    due = NOW + dt.timedelta(minutes=minutes)
    return samples.batch(number, state=BatchState.BLOCKED, next_check_at=due, **{"reason": REASON} | changes)


def flying(number: int, minutes: float, status: str = "in_progress", **changes: Any) -> Batch:
    """Created ``minutes`` ago."""
    rank = {"validating": 1, "in_progress": 2, "failed": 4}[status]
    known: dict[str, Any] = {"in_flight_at": NOW - dt.timedelta(minutes=minutes), "remote_status": status, "rank": rank}
    known |= {"state": BatchState.IN_FLIGHT, "openai_batch_id": f"b{number}"}
    return samples.batch(number, **known | changes)


def test_the_one_that_waits_longest_is_tried_once_the_last_try_is_five_minutes_ago() -> None:
    some = [blocked(1, -1), blocked(2, -9), blocked(3, 0)]
    found = blocking.verdict(some, NOW)
    assert [batch.item for batch in found.probe] == [some[1].item]
    assert not found.free


def test_a_refusal_makes_all_wait() -> None:
    assert not blocking.verdict([blocked(1, -9), blocked(2, 4)], NOW).probe


@pytest.mark.parametrize("state", [BatchState.ADMITTED, BatchState.UPLOADING, BatchState.CREATING])
def test_while_one_tries_no_other_does(state: BatchState) -> None:
    assert not blocking.verdict([blocked(1), samples.batch(2, state=state)], NOW).probe


def test_a_batch_that_is_still_checked_is_waited_for_but_not_for_ever() -> None:
    assert not blocking.verdict([blocked(1), flying(2, 14, "validating")], NOW).probe
    assert blocking.verdict([blocked(1), flying(2, 16, "validating")], NOW).probe


def test_one_that_is_worked_on_frees_all_if_it_was_created_after_the_last_refusal() -> None:
    some = [blocked(1, -5), blocked(2, -9)]
    found = blocking.verdict([*some, flying(3, 9)], NOW)
    assert (found.free, found.closed) == (some, [])
    assert not blocking.verdict([*some, flying(3, 10)], NOW).free, "it was created before"


def test_one_that_failed_its_check_frees_nobody() -> None:
    ended = flying(2, 1, "failed", state=BatchState.ENDED, ended_at=NOW)
    found = blocking.verdict([blocked(1, -5), ended], NOW)
    assert (found.free, found.probe) == ([], []), "its refusal is about to be recorded"


def test_each_reason_is_tried_by_itself() -> None:
    found = blocking.verdict([blocked(1), blocked(2), blocked(3, reason="insufficient_quota: no")], NOW)
    assert len(found.probe) == 2


def test_a_forbidden_model_stops_that_model_alone() -> None:
    found = blocking.verdict([blocked(1, 5, model="big", reason="permission_denied: no")], NOW)
    assert found.stops(samples.batch(2, model="big"))
    assert not found.stops(samples.batch(2, model="small"))
    assert blocking.verdict([blocked(1, 5, model="big")], NOW).stops(samples.batch(2, model="small")), (
        "a key is for all"
    )


def test_another_api_is_not_concerned() -> None:
    assert not blocking.verdict([blocked(1, 5)], NOW).stops(samples.batch(2, api="other"))


@pytest.mark.parametrize(
    "changes", [{"reason": "cannot_fence: look"}, {"reason": "batch_unknown_to_api: no", "openai_batch_id": "b"}]
)
def test_what_may_exist_at_the_provider_is_never_tried_and_stops_nobody(changes: dict[str, Any]) -> None:
    found = blocking.verdict([blocked(1, -5, **changes)], NOW)
    assert not found.probe
    assert not found.free
    assert not found.stops(samples.batch(2))


def test_nothing_is_admitted_while_the_way_is_closed() -> None:
    queued = samples.batch(2)
    assert decide([queued], {}, Allowances({}, {}, NOW)).admitted == [queued]
    assert decide([queued, blocked(1, 5)], {}, Allowances({}, {}, NOW)).admitted == []
    assert decide([queued, blocked(1, -5), flying(3, 1)], {}, Allowances({}, {}, NOW)).admitted == [queued]


def test_ten_thousand_blocked_batches_make_one_try() -> None:
    found = blocking.verdict([blocked(number, -number / 100) for number in range(1, 10_001)], NOW)
    assert len(found.probe) == 1

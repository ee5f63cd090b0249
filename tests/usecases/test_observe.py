"""Looking at the provider, with as few calls as will do."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from batchdrop.core.errors import Misconfigured, RetryLater
from batchdrop.core.housekeeping import Looking
from batchdrop.core.model import Batch, Key
from batchdrop.core.states import BatchState
from batchdrop.usecases import budget
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.observe import Observe, Observed
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World


def look(world: World) -> Observed:
    flying = [batch for batch in world.ledger.batches("reviews-000000000000") if batch.state is BatchState.IN_FLIGHT]
    world.api.calls.clear()
    return observe(world)(flying, Budget(FakeDeadline()))


def observe(world: World) -> Observe:
    return Observe(world.ledger, world.api, world.messages, world.clock)


def test_an_ended_batch_is_recorded_with_its_files_and_sent_to_the_collector(world: World) -> None:
    batch = world.in_flight()
    remote = world.api.finish(batch.openai_batch_id or "")
    assert look(world).ended == 1
    ended = world.read(batch.key)
    assert (ended.state, ended.output_file_id) == (BatchState.ENDED, remote.output_file_id)
    assert world.messages.keys("collect") == [batch.key]


@pytest.mark.parametrize("missing", [None, ""])
def test_completed_without_its_file_ids_is_looked_at_again(world: World, missing: str | None) -> None:
    batch = world.in_flight()
    done = world.api.finish(batch.openai_batch_id or "")
    world.api.change(done.id, output_file_id=missing, error_file_id=missing)
    assert look(world).ended == 0
    assert world.read(batch.key).state is BatchState.IN_FLIGHT
    world.api.change(done.id, output_file_id=done.output_file_id)
    assert look(world).ended == 1


def test_an_end_that_counts_answers_waits_for_the_file_that_holds_them(world: World) -> None:
    batch = world.in_flight()
    expired = world.api.expire(batch.openai_batch_id or "", done=0.5)
    world.api.change(expired.id, output_file_id=None)
    assert look(world).ended == 0


def test_all_requests_failed_ends_without_an_output_file(world: World) -> None:
    batch = world.in_flight()
    world.api.change(batch.openai_batch_id or "", status="completed", failed=2, error_file_id="file-e")
    assert look(world).ended == 1
    assert world.read(batch.key).output_file_id is None


def test_a_look_that_shows_nothing_new_writes_nothing(world: World) -> None:
    world.in_flight()
    before = repr(world.table.items)
    assert look(world) == Observed(calls=1)
    assert repr(world.table.items) == before


def test_progress_is_recorded(world: World) -> None:
    batch = world.in_flight()
    world.api.change(batch.openai_batch_id or "", status="in_progress", completed=1)
    assert look(world).changed == 1
    assert world.read(batch.key).remote_completed == 1


def test_progress_is_recorded_in_twentieths(world: World) -> None:
    batch = world.in_flight(requests=100)
    world.api.change(batch.openai_batch_id or "", status="in_progress", completed=1)
    assert look(world).changed == 1
    world.api.change(batch.openai_batch_id or "", completed=4, failed=1)
    assert look(world).changed == 0
    world.api.change(batch.openai_batch_id or "", completed=5, failed=1)
    assert look(world).changed == 1
    assert world.read(batch.key).remote_completed == 5


def test_an_unknown_status_stays_in_flight_and_is_told(world: World) -> None:
    batch = world.in_flight()
    world.api.change(batch.openai_batch_id or "", status="pondering")
    assert look(world).odd_statuses == ("pondering",)
    assert world.read(batch.key).remote_status == "pondering"


def test_many_young_batches_are_listed_not_asked_for_one_by_one(world: World) -> None:
    for number in range(1, 151):
        world.in_flight(number)
    assert look(world).unseen == 0
    assert world.api.calls["retrieve"] == 0
    assert world.api.calls["page"] == 2


def test_one_old_batch_behind_many_finished_ones_costs_one_call(world: World) -> None:
    old = world.in_flight(1)
    for minute in range(1, 600):
        world.clock.advance(minutes=1)
        world.api.finish(world.in_flight(minute + 1).openai_batch_id or "")
        world.table.items.pop((old.job_id, f"chunk#000001#batch#{minute + 1:04d}"))
    assert look(world).calls == 1


def test_no_more_than_the_allowed_calls_are_made(world: World) -> None:
    for number in range(1, 141):
        world.in_flight(number)
    world.api.batches.clear()
    seen = look(world)
    assert seen.calls == budget.CALLS
    assert len(seen.unknown) + seen.unseen == 140


def test_a_batch_that_the_provider_does_not_know_is_told_and_never_made_again(world: World) -> None:
    batch = world.in_flight()
    del world.api.batches[batch.openai_batch_id or ""]
    assert look(world).unknown == (batch.openai_batch_id,)
    assert world.read(batch.key).state is BatchState.BLOCKED


def test_an_error_file_that_never_comes_is_not_waited_for_for_ever(world: World) -> None:
    batch = world.in_flight()
    done = world.api.finish(batch.openai_batch_id or "")
    world.api.change(done.id, completed=1, failed=1)
    assert look(world).ended == 0
    world.clock.advance(minutes=9)
    assert look(world).ended == 0
    world.clock.advance(minutes=2)
    assert look(world).ended == 1


def test_young_batches_are_looked_at_every_time_and_older_ones_in_rounds(world: World) -> None:
    old = world.in_flight(1)
    world.clock.advance(minutes=15)
    young = world.in_flight(2)
    for batch in (old, young):
        world.api.change(batch.openai_batch_id or "", status="in_progress")
    seen = observe(world)([old, young], Budget(FakeDeadline()), is_round=False)
    assert (seen.calls, seen.changed) == (1, 1)
    assert world.read(young.key).remote_status == "in_progress"
    assert observe(world)([old], Budget(FakeDeadline()), is_round=True).changed == 1


def test_a_look_that_is_cut_short_goes_on_behind_what_it_saw(world: World) -> None:
    world.api.page_size = 2
    batches = [world.in_flight(number) for number in range(1, 21)]
    world.clock.advance(minutes=20)
    for batch in batches:
        world.api.finish(batch.openai_batch_id or "")
    place, ticks = None, 0
    while not ticks or place is not None:
        flying = [batch for batch in map(world.read, keys(batches)) if batch.state is BatchState.IN_FLIGHT]
        seen = observe(world)(flying, Budget(FakeDeadline(), calls=3), place=place)
        place, ticks = seen.place, ticks + 1
        assert seen.calls <= 3
    assert {world.read(batch.key).state for batch in batches} == {BatchState.ENDED}
    assert ticks == 4, "two of them with each of ten pages"


def keys(batches: Iterable[Batch]) -> list[Key]:
    return [batch.key for batch in batches]


def test_young_batches_keep_no_look_at_the_older_ones_from_going_on(world: World) -> None:
    world.api.page_size = 1
    old = world.in_flight(1)
    world.clock.advance(minutes=20)
    young = [world.in_flight(number) for number in range(2, 22)]
    world.api.finish(old.openai_batch_id or "")
    place = Looking(int(world.clock.now().timestamp()) - 60, young[0].openai_batch_id)
    assert observe(world)([old, *young], Budget(FakeDeadline(), calls=4), place=place).ended == 1


def test_trouble_with_one_batch_keeps_no_other_from_being_seen(world: World) -> None:
    batches = [world.in_flight(number) for number in range(1, 8)]
    world.clock.advance(minutes=1)
    for batch in batches:
        world.api.finish(batch.openai_batch_id or "")
    world.api.script("page", RetryLater("down"))
    world.api.script("retrieve", RetryLater("odd"))
    seen = observe(world)(batches, Budget(FakeDeadline()))
    assert (told(seen), seen.ended, seen.unseen, seen.place) == (["down", "odd"], 6, 0, None)


def test_a_call_that_is_forbidden_hides_no_other_batch_and_is_the_operators_to_mend(world: World) -> None:
    batches = [world.in_flight(number) for number in range(1, 8)]
    world.clock.advance(minutes=1)
    for batch in batches:
        world.api.finish(batch.openai_batch_id or "")
    forbidden = Misconfigured("permission_denied", "no")
    world.api.script("page", forbidden)
    world.api.script("retrieve", forbidden)
    seen = observe(world)(batches, Budget(FakeDeadline()))
    assert (seen.troubles, seen.ended, seen.unseen) == ((forbidden,) * 2, 6, 0)


def test_a_key_that_is_refused_is_not_tried_on_every_batch(world: World) -> None:
    batches = [world.in_flight(number) for number in range(1, 4)]
    for method in ("page", "retrieve"):
        world.api.script(method, Misconfigured("invalid_api_key", "no"))
    world.api.calls.clear()
    with pytest.raises(Misconfigured):
        observe(world)(batches, Budget(FakeDeadline()))
    assert world.api.calls.total() == 1


def test_where_nothing_answers_a_look_is_given_up_and_the_next_one_goes_on_from_there(world: World) -> None:
    batches = [world.in_flight(number) for number in range(1, 31)]
    for call in range(2, 30):
        world.api.script("page", RetryLater("down"), call=call)
        world.api.script("retrieve", RetryLater("down"), call=call - 1)
    world.api.page_size = 10
    first = observe(world)(batches, Budget(FakeDeadline()))
    assert (told(first), first.unseen) == (["down"] * 3, 18)
    assert first.place


def told(seen: Observed) -> list[str]:
    return list(map(str, seen.troubles))

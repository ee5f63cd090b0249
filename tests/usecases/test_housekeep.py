"""The rounds beside the ticks: when, by whom, and what becomes of trouble."""

from __future__ import annotations

from msgspec.structs import replace

from batchdrop.core.errors import Misconfigured, RetryLater
from batchdrop.core.housekeeping import Housekeeping
from batchdrop.core.model import Job
from batchdrop.usecases.audit import Audit
from batchdrop.usecases.budget import Budget
from batchdrop.usecases.housekeep import Housekeep, Kept, Turn
from batchdrop.usecases.sweep import Sweep
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World

JOBS = [samples.running()]
DENIED = Misconfigured("access_denied", "denied")


def nobody() -> None:
    raise AssertionError("this round is not due")


def keep(world: World, jobs: list[Job] = JOBS) -> Kept:
    house = Housekeep(
        world.ledger,
        world.clock,
        sweep=lambda: Sweep(world.ledger, world.objects, world.messages, world.clock, "input"),
        audit=lambda: Audit(world.ledger, world.api, world.clock, settle=1_800),
    )
    return kept(house, jobs)


def kept(house: Housekeep, jobs: list[Job] = JOBS) -> Kept:
    turn = Turn(has_jobs=bool(jobs))
    house.take(turn, FakeDeadline())
    return house(turn, jobs, [], Budget(FakeDeadline()))


def test_what_is_not_due_is_known_after_one_read_and_connects_to_nothing(world: World) -> None:
    keep(world)
    before = dict(world.table.items)
    idle = Housekeep(world.ledger, world.clock, sweep=nobody, audit=nobody)  # type: ignore[arg-type]
    assert kept(idle) == Kept()
    assert world.table.items == before


def test_without_open_jobs_the_provider_is_not_asked(world: World) -> None:
    found = keep(world, [])
    assert found.swept.pages == 1
    assert not world.api.calls


def test_two_pollers_do_not_make_the_same_round(world: World) -> None:
    now = world.clock.now()
    world.ledger.claim_housekeeping(Housekeeping(), lease=samples.LATER, now=now)
    assert keep(world) == Kept()
    world.clock.advance(minutes=20)
    assert keep(world).swept.pages == 1


def test_one_round_that_fails_keeps_the_other_from_nothing(world: World) -> None:
    down = RetryLater("down")
    world.api.script("page", down)
    found = keep(world)
    assert (found.swept.pages, found.troubles) == (1, {"audit": down})
    record = world.ledger.housekeeping()
    assert record.sweep.next_at
    assert record.audit.next_at is None
    world.objects.list_versions = _denied  # type: ignore[method-assign, assignment]
    world.clock.advance(minutes=20)
    found = keep(world)
    assert (found.audited.pages, found.troubles) == (1, {"sweep": DENIED})


def _denied(*_: object) -> None:
    raise DENIED


def test_after_trouble_the_next_try_is_made_when_the_lease_is_over(world: World) -> None:
    world.api.script("page", RetryLater("down"))
    keep(world)
    assert keep(world) == Kept()
    world.clock.advance(minutes=17)
    assert keep(world).audited.pages == 1
    assert world.ledger.housekeeping().lease_until is None


def test_who_dies_in_a_round_leaves_it_to_the_next_poller(world: World) -> None:
    record = world.ledger.housekeeping()
    mine = world.ledger.claim_housekeeping(record, lease=samples.LATER, now=world.clock.now())
    assert mine
    world.clock.advance(minutes=20)
    assert keep(world).swept.pages == 1
    assert not world.ledger.note_housekeeping(replace(mine, lease_until=None))

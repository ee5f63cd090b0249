"""A run of a scenario, from its first event to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batchdrop.adapters.ledger.reads import STACK
from tests.simulation.oracle import Expected, Violation, check_rest
from tests.simulation.scenarios import Scenario
from tests.simulation.world import World

AUDIT = 10  #: minutes within which a double is told of
QUIET = 3  #: minutes that a tick is waited for when nothing moves; no multiple of them is five minutes
PATIENCE = 400  #: virtual minutes: a lost create takes half an hour, a lost message a quarter

Drive = Callable[[World], None]
KNOWN: dict[Scenario, Expected] = {}  #: what runs without faults made


@dataclass
class Course:
    """How far a run is, besides its world. ``happened``: so many of its happenings are behind it.

    ``quiet``: minutes that a tick is waited for when nothing moves.
    """

    happened: int = 0
    has_begun: bool = False  #: the present minute
    is_ticked: bool = False  #: in the present minute
    audited: int = 0  #: minutes since all was at rest
    patience: float = PATIENCE  #: minutes after which it is not waited for any longer
    quiet: int = QUIET


def step_by_step(world: World, scenario: Scenario) -> None:
    """One function at a time, a minute at a time, until all is at rest. While nothing happens, minutes are skipped."""
    course = Course(patience=world.minutes() + PATIENCE)
    while goes_on(world, scenario, course):
        pass


def goes_on(world: World, scenario: Scenario, course: Course) -> bool:
    """Whether it was not at rest: then the next function has run, or the next minute has come."""
    if not course.has_begun:
        course.has_begun, course.is_ticked, world.table.writes = True, False, 0
        _happen(world, scenario, course)
    if not course.is_ticked:
        course.is_ticked = True
        world.invoke()
        return True
    return deliver_one(world) or _next_minute(world, scenario, course)


def _happen(world: World, scenario: Scenario, course: Course) -> None:
    for happening in scenario.happenings[course.happened :]:
        if not happening.when(world):
            return
        happening.what(world)
        course.happened += 1


def _next_minute(world: World, scenario: Scenario, course: Course) -> bool:
    if course.happened == len(scenario.happenings) and (course.audited or world.at_rest()):
        if not world.may_double or course.audited == AUDIT:
            return False
        course.audited += 1  # long enough for a round of the audit, and for what it stops to end
    is_quiet = not world.step() and not world.table.writes and not course.audited
    world.clock.advance(minutes=course.quiet if is_quiet else 1)
    if world.minutes() >= course.patience:
        raise still_open(world)
    course.has_begun = False
    return True


def tick(world: World) -> None:
    deliver(world)
    world.invoke()
    deliver(world)


def deliver(world: World) -> None:
    while deliver_one(world):
        pass


def deliver_one(world: World) -> bool:
    """Whether there was a message whose time had come: first what is sent to the poller, then what waits longest."""
    for poke in world.post():
        world.invoke(poke)
        return True
    letter = world.letters.next()
    if letter is None:
        return False
    world.letters.settle(letter, done=world.invoke(letter.call))
    return True


def still_open(world: World) -> Violation:
    left = [f"{name} {item.get('state')}" for (_, name), item in world.table.items.items() if "due" in item]
    return Violation(f"not at rest after {world.minutes():.0f} minutes: {left}, {len(world.letters.waiting)} letters")


def play(scenario: Scenario, world: World, drive: Drive | None = None, *, again: bool = True) -> World:
    """Drop the files, run to rest, check everything; ``again``: ask for everything once more."""
    with world.miniature():
        begin(scenario, world)
        if drive is None:
            step_by_step(world, scenario)
        else:
            drive(world)
        end(scenario, world, again=again)
    return world


def begin(scenario: Scenario, world: World) -> None:
    for key, data in scenario.drops:
        world.letters.send(world.drop(key, data))


def end(scenario: Scenario, world: World, *, again: bool) -> None:
    """Check everything; ``again``: ask for everything once more."""
    check_rest(world, expected(scenario.calm) if scenario.is_same else None)
    world.line.decide = lambda number, site: None
    if again:
        replay(world)


def replay(world: World) -> None:
    """R14: asking for everything once more changes nothing."""
    before = _picture(world)
    for call in list(world.every_call()):
        world.invoke(call)
    if _picture(world) != before:
        raise Violation("asking for everything once more changed something")


def _picture(world: World) -> tuple[Any, ...]:
    items = {key: item for key, item in world.table.items.items() if key[0] != STACK}
    names = world.objects.keys("out")
    versions = {name: len(world.objects.versions("out", name)) for name in names}
    # A write that leaves an item as it was shows in its number alone: here all have the same token.
    return items, list(world.api.batches), names, world.objects.keys("work"), versions, world.table.steps


def expected(scenario: Scenario) -> Expected:
    """What a run without faults makes."""
    if scenario not in KNOWN:
        world = scenario.world()
        with world.miniature():
            begin(scenario, world)
            step_by_step(world, scenario)
        check_rest(world, None)
        KNOWN[scenario] = Expected(world.outputs(), world.counts())
    return KNOWN[scenario]

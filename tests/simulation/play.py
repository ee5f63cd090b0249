"""A run of a scenario, from its first event to rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from batchdrop.adapters.ledger.reads import STACK
from tests.simulation.oracle import Expected, Violation, check_rest
from tests.simulation.scenarios import Scenario
from tests.simulation.world import World

AUDIT = 10  #: minutes within which a double is told of
QUIET = 3  #: minutes that a tick is waited for when nothing moves; no multiple of them is five minutes
PATIENCE = 400  #: virtual minutes: a lost create takes half an hour, a lost message a quarter

Drive = Callable[[World], None]


def step_by_step(world: World, scenario: Scenario) -> None:
    """One function at a time, a minute at a time, until all is at rest. While nothing happens, minutes are skipped."""
    to_come = list(scenario.happenings)
    while world.minutes() < PATIENCE:
        while to_come and to_come[0].when(world):
            to_come.pop(0).what(world)
        before = world.table.writes
        tick(world)
        if not to_come and world.at_rest():
            if world.may_double:
                audit(world)
            return
        is_quiet = not world.step() and world.table.writes == before
        world.clock.advance(minutes=QUIET if is_quiet else 1)
    raise still_open(world)


def audit(world: World) -> None:
    """Long enough for a round of the audit, and for what it stops to end."""
    for _ in range(AUDIT):
        world.clock.advance(minutes=1)
        tick(world)
        world.step()


def tick(world: World) -> None:
    deliver(world)
    world.invoke()
    deliver(world)


def deliver(world: World) -> None:
    while True:
        for poke in list(world.post()):
            world.invoke(poke)
        letters = world.letters.received()
        if not letters:
            return
        for letter in letters:
            world.letters.settle(letter, done=world.invoke(letter.call))


def still_open(world: World) -> Violation:
    left = [f"{name} {item.get('state')}" for (_, name), item in world.table.items.items() if "due" in item]
    return Violation(f"not at rest after {world.minutes():.0f} minutes: {left}, {len(world.letters.waiting)} letters")


def play(scenario: Scenario, world: World, drive: Drive | None = None, *, again: bool = True) -> World:
    """Drop the files, run to rest, check everything; ``again``: ask for everything once more."""
    with scenario.conditions.miniature():
        for key, data in scenario.drops:
            world.letters.send(world.drop(key, data))
        if drive is None:
            step_by_step(world, scenario)
        else:
            drive(world)
        check_rest(world, expected(scenario.calm) if scenario.is_same else None)
        world.line.decide = lambda number, site: None
        if again:
            replay(world)
    return world


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
    return items, list(world.api.batches), names, world.objects.keys("work"), versions


@cache
def expected(scenario: Scenario) -> Expected:
    """What a run without faults makes."""
    world = scenario.world()
    with scenario.conditions.miniature():
        for key, data in scenario.drops:
            world.letters.send(world.drop(key, data))
        step_by_step(world, scenario)
    check_rest(world, None)
    return Expected(world.outputs(), world.counts())

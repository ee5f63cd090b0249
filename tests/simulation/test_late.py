"""How late a provider may list a batch, or carry out a create, before work is paid for twice. R9 of the promises.

Of the runs in which a create went wrong, those with a double: ours beside protocols that lack a rule of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import product

import pytest

from tests.simulation.conditions import Conditions
from tests.simulation.housekeeping_mutants import MUTANTS
from tests.simulation.jobs import TINY
from tests.simulation.mutants import mutated
from tests.simulation.play import begin, step_by_step
from tests.simulation.scenarios import one
from tests.simulation.wire import Fault, Line
from tests.simulation.world import World

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

OURS = "ours"
LAGS = (30, 900, 1_200, 1_800, 3_600)  #: seconds after which the list shows a batch
LATENESS = (600, 1_200, 1_790, 2_400, 7_200)  #: seconds after which a create whose answer was lost is carried out
CREATES = (1, 2)
#: Doubles in four runs (dies, or answer lost, at either create) at each lag; in two at each lateness.
DOUBLES = {
    OURS: ((0, 0, 0, 0, 4), (0, 0, 0, 0, 0)),
    "a lost create is made anew without a fence": ((0, 0, 0, 0, 4), (0, 0, 1, 2, 2)),
    "one negative look is believed": ((0, 4, 4, 4, 4), (0, 0, 0, 0, 0)),
    "it creates first and records afterwards": ((2, 4, 4, 4, 4), (2, 2, 2, 2, 2)),
}


def doubles(world: World) -> bool:
    """Whether two batches worked on the same."""
    worked_on = [work.item for work in world.api.work.values()]
    return len(set(worked_on)) < len(worked_on)


def run(conditions: Conditions, fault: Fault, create: int, late: float = 0) -> World:
    """The answer to that create is lost in that way."""
    line = Line()
    line.decide = lambda number, site: fault if site == "api.create" and line.sites.count(site) == create else None
    scenario = one(TINY, conditions)
    world = World(conditions, line, may_double=True)
    line.late = lambda how: world.api.create_later(world.now + late, how)
    with world.miniature():
        begin(scenario, world)
        step_by_step(world, scenario)
    assert [at.name for _, _, at in line.faults] == [fault.name]
    return world


def by_lag() -> Iterator[int]:
    for lag in LAGS:
        runs = [run(Conditions(list_lag=lag), *how) for how in product((Fault.AFTER, Fault.LOST), CREATES)]
        yield sum(map(doubles, runs))


def by_lateness() -> Iterator[int]:
    for late in LATENESS:
        yield sum(doubles(run(Conditions(), Fault.LATE, create, late)) for create in CREATES)


@pytest.mark.parametrize("protocol", DOUBLES)
def test_how_late_a_provider_may_be(protocol: str) -> None:
    with mutated(protocol) if protocol in MUTANTS else nullcontext():
        assert (tuple(by_lag()), tuple(by_lateness())) == DOUBLES[protocol]

"""Many runs, each with its faults; what was broken by which."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.simulation.oracle import Violation
from tests.simulation.play import play
from tests.simulation.scenarios import Scenario
from tests.simulation.wire import Fault, Line, fitting
from tests.simulation.world import World

SHOWN = 5
ASKED_AGAIN = 5  #: one run of so many is asked for everything once more
Faults = Mapping[int, Fault]
Figures = tuple[float, float, float, float]  #: runs, calls, faults, virtual days
Record = Callable[[str, object], None]  #: pytest's ``record_property``


def knob(name: str, default: int) -> int:
    """A number that a longer run sets in the environment."""
    return int(os.environ.get(name, default))


def tell(story: str) -> None:
    """For who wants to know: ``pytest --log-cli-level=INFO``."""
    logging.getLogger(__name__).info("%s", story)


@dataclass
class Campaign:
    """Runs of the same scenario. ``broken``: the story of each violation."""

    scenario: Scenario
    runs: int = 0
    calls: int = 0
    faults: int = 0
    slowest: float = 0
    minutes: float = 0
    broken: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    sites: Counter[str] = field(default_factory=Counter)

    def clean(self) -> list[str]:
        """The call sites of a run without faults, in their order."""
        world = self.scenario.world()
        self._tell(play(self.scenario, world))
        return world.line.sites

    def run(self, faults: Faults, lateness: float = 0) -> None:
        line = Line(decide=lambda number, site: _fate(faults, number, site))
        world = self.scenario.world(line)
        line.late = lambda how: world.api.create_later(world.now + lateness, how)
        try:
            play(self.scenario, world, again=self.runs % ASKED_AGAIN == 0)
        except Violation as violation:
            told = ", ".join(f"{fault.name} at call {number} {site}" for number, site, fault in line.faults)
            self.broken.append(f"{told} (late by {lateness:.0f} s): {violation}")
        self._tell(world)

    def _tell(self, world: World) -> None:
        self.runs += 1
        self.calls += len(world.line.sites)
        self.faults += len(world.line.faults)
        self.minutes += world.minutes()
        self.slowest = max(self.slowest, world.minutes())
        self.rows += world.table.rows
        self.sites.update(world.line.sites)

    @property
    def figures(self) -> Figures:
        return self.runs, self.calls, self.faults, self.minutes / 1440

    def verdict(self) -> None:
        said = "\n".join(self.broken[:SHOWN])
        tell(f"{self.runs} runs, {self.calls} calls, {self.faults} faults, at rest by {self.slowest:.0f} minutes")
        assert not self.broken, f"{len(self.broken)} of {self.runs} runs broke a promise:\n{said}"


def _fate(faults: Faults, number: int, site: str) -> Fault | None:
    """The planned fault, if it fits the call: after a first fault other calls stand at the later numbers."""
    fault = faults.get(number)
    return fault if fault and fault in fitting(site) else None


def visited(sites: Iterable[str], port: str) -> set[str]:
    """The methods of a port that were called."""
    return {site.partition(" ")[0].removeprefix(port) for site in sites if site.startswith(port)}

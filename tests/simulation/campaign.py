"""Many runs, each with its faults; what was broken by which."""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.simulation.oracle import Violation, excuses
from tests.simulation.play import QUIET, Course, begin, end, goes_on
from tests.simulation.scenarios import Scenario
from tests.simulation.wire import Fault, Line
from tests.simulation.world import World

SHOWN = 5
ASKED_AGAIN = 5  #: one run of so many is asked for everything once more
Faults = Mapping[int, Fault]
Figures = tuple[float, float, float, float]  #: runs, calls, faults, virtual days
Record = Callable[[str, object], None]  #: pytest's ``record_property``


def knob(name: str, default: int) -> int:
    """A number that a longer run sets in the environment."""
    return int(os.environ.get(name, default))


def share(what: Sequence[Any], part: int, parts: int) -> Sequence[Any]:
    """One of so many parts, neighbours together: what they have in common is then run once."""
    return what[len(what) * part // parts : len(what) * (part + 1) // parts]


def tell(story: str) -> None:
    """For who wants to know: ``pytest --log-cli-level=INFO``."""
    logging.getLogger(__name__).info("%s", story)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a run between two functions. ``number``: calls that were made until then."""

    number: int
    state: bytes = field(repr=False)  # a failing test would show gigabytes of them


@dataclass
class Run:
    """What is known of a run. ``after``: the run that it is but for one more fault, at call ``leaves_at``."""

    faults: Faults
    after: Run | None = None
    leaves_at: int = 0
    line: Line = field(default_factory=Line)
    sites: list[str] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list, repr=False)
    minutes: float = 0  #: until all was at rest

    def latest(self, number: int) -> Moment:
        """The last moment before the call of that number."""
        found = bisect_left(self.moments, number, key=lambda moment: moment.number)
        if found:
            return self.moments[found - 1]
        assert self.after is not None, "a run without faults is known from its first moment on"
        return self.after.latest(self.leaves_at)


@dataclass
class Campaign:
    """Runs of the same scenario. ``depth``: faults in a run at the most. ``broken``: the story of each violation.

    ``quiet``: minutes that a tick is waited for when nothing moves.

    No way is gone twice. A run with a fault goes on from the last moment that it has in common with the run without
    it. It is over when it comes to a moment at which another run has been that had no more faults: what happens hangs
    on nothing but the world and the faults to come.
    """

    scenario: Scenario
    depth: int = 1
    quiet: int = QUIET
    runs: int = 0
    calls: int = 0
    faults: int = 0
    slowest: float = 0
    minutes: float = 0
    broken: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    sites: Counter[str] = field(default_factory=Counter)
    _known: list[dict[Any, Run]] = field(
        default_factory=list
    )  #: who was at a moment, by the number of faults before it

    @cached_property
    def clean(self) -> Run:
        """The run without faults."""
        run = Run({})
        self._go(run, self.scenario.world(run.line), Course(quiet=self.quiet))
        return run

    def run(self, number: int, fault: Fault, lateness: float = 0, after: Run | None = None) -> Run:
        """The run that is ``after`` (or the one without faults) but for a fault at that call; a late one by seconds."""
        after = after or self.clean
        run = Run({**after.faults, number: fault}, after, number)
        moment = after.latest(number)
        line = run.line
        line.decide = lambda number, site: run.faults.get(number)
        line.sites += after.sites[: moment.number]
        line.faults += [told for told in after.line.faults if told[0] <= moment.number]
        world = self.scenario.world(line)
        course = world.resumed(moment.state)
        line.late = lambda how: world.api.create_later(world.now + lateness, how)
        try:
            self._go(run, world, course)
        except Violation as violation:
            told = ", ".join(f"{fault.name} at call {number} {site}" for number, site, fault in line.faults)
            self.broken.append(f"{told} (late by {lateness:.0f} s): {violation}")
        return run

    def _go(self, run: Run, world: World, course: Course) -> None:
        begun, first = world.minutes(), len(run.line.sites)
        try:
            with world.miniature():
                if not run.faults:
                    begin(self.scenario, world)
                self._follow(run, world, course)
        finally:
            self._tell(world, begun, first)

    def _follow(self, run: Run, world: World, course: Course) -> None:
        """To its end, or to where it is known how it ends."""
        while True:
            run.sites = list(run.line.sites)
            if self._is_kept(run, world, course):
                moment = Moment(len(run.sites), world.saved(course))
                if other := self._who_was_at(moment, run):
                    run.minutes = other.minutes
                    return
                run.moments.append(moment)
            if not goes_on(world, self.scenario, course):
                break
        run.minutes = world.minutes()
        end(self.scenario, world, again=self.runs % ASKED_AGAIN == 0)

    def _is_kept(self, run: Run, world: World, course: Course) -> bool:
        """Once nothing is to come: every moment if another run may leave it there; else the first, and some minutes.

        To keep one costs a quarter of what a minute does: all but as many runs meet at every second one.
        """
        if len(run.sites) < max(run.faults, default=0):
            return False
        if len(run.faults) < self.depth or not run.moments:
            return True
        return not course.has_begun and round(world.minutes()) % 2 == 0

    def _who_was_at(self, moment: Moment, run: Run) -> Run | None:
        """A run that was there with no more faults than this one. From now on, this one was."""
        level, what = len(run.faults), (hash(moment.state), frozenset(excuses(run.line)))
        self._known += [{} for _ in range(len(self._known), level + 1)]
        other = next((known[what] for known in self._known[: level + 1] if what in known), None)
        if other is None:
            self._known[level][what] = run
        return other

    def _tell(self, world: World, begun: float, first: int) -> None:
        self.runs += 1
        self.calls += len(world.line.sites) - first
        self.faults += len(world.line.faults)
        self.minutes += world.minutes() - begun
        self.slowest = max(self.slowest, world.minutes())
        self.rows += world.table.rows
        self.sites.update(world.line.sites[first:])

    @property
    def calls_to_hurt(self) -> list[tuple[int, str]]:
        """The calls of the run without faults, with their numbers."""
        return list(enumerate(self.clean.sites, 1))

    @property
    def figures(self) -> Figures:
        return self.runs, self.calls, self.faults, self.minutes / 1440

    def verdict(self) -> None:
        said = "\n".join(self.broken[:SHOWN])
        tell(f"{self.runs} runs, {self.calls} calls, {self.faults} faults, at rest by {self.slowest:.0f} minutes")
        assert not self.broken, f"{len(self.broken)} of {self.runs} runs broke a promise:\n{said}"


def visited(sites: Iterable[str], port: str) -> set[str]:
    """The methods of a port that were called."""
    return {site.partition(" ")[0].removeprefix(port) for site in sites if site.startswith(port)}

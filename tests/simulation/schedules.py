"""Random schedules: functions overlap at every call, die, are repeated and forgotten. One seed, one schedule."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import greenlet

from tests.simulation.jobs import REFUSED, SMALL, WHOLE, Drops, play, still_open
from tests.simulation.oracle import Violation
from tests.simulation.wire import Fault, Invocation, Line, fitting
from tests.simulation.world import LIFE, Call, Conditions, Letter, World, lifetime

ROUGH_MINUTES = 100  #: after that nothing goes wrong any more, and everything must come to rest
PATIENCE = 500
#: Calls at which a fault hurts most have more of them.
PRONE = {"api.create": 10, "table.commit B4": 8, "table.commit B8": 8, "table.commit B7.refused": 8}
SURELY_LISTED = 1_700  #: seconds within which a create is in the list, however late it comes


@dataclass(frozen=True)
class Weather:
    """How likely each mishap is."""

    faults: float
    dropped: float
    doubled: float
    overlapping: float
    calls_a_round: tuple[int, ...]
    rounds: tuple[int, ...]  #: seconds between two ticks of the poller


@dataclass
class Running:
    """An invocation under way."""

    body: greenlet.greenlet
    invocation: Invocation
    ends_at: float


@dataclass
class Schedule:
    """One world and its mishaps, all of them from ``seed``."""

    seed: int
    conditions: Conditions = field(init=False)
    drops: Drops = field(init=False)

    def __post_init__(self) -> None:
        self.chance = chance = random.Random(self.seed)
        self.conditions = Conditions(
            requests_per_batch=chance.choice([1, 2, 3, 5]),
            batches_per_chunk=chance.choice([1, 2, 3, 8]),
            attempts=3,
            create_lease=chance.choice([1, 30, 90, 300]),
            page_size=chance.choice([1, 2, 5, 100]),
            list_lag=chance.choice([0, 0, 20, 300, 800]),
            plain_bytes=chance.choice([0, 16 * 2**20]),
            lenient=chance.random() < 0.3,
        )
        self.weather = Weather(
            faults=chance.choice([0.0, 0.003, 0.01, 0.03]),
            dropped=chance.choice([0.0, 0.1, 0.5, 1.0]),
            doubled=chance.choice([0.0, 0.1, 0.5]),
            overlapping=chance.choice([0.0, 0.3, 1.0]),
            calls_a_round=chance.choice([(10, 60), (40, 400), (1000,)]),
            rounds=chance.choice([(60,), (60,), (10, 30, 60)]),
        )
        self.drops = {"a.jsonl": chance.choice([SMALL, SMALL, WHOLE, REFUSED])}
        if chance.random() < 0.2:
            self.drops["b.jsonl"] = SMALL
        self.running: list[Running] = []
        self.is_calm = False

    def run(self) -> World:
        line = Line(decide=self._decide, pause=_pause)
        self.world = World(self.conditions, line)
        line.late = self._late
        return play(self.drops, self.conditions, line, drive=lambda _: self._drive(), world=self.world)

    def _drive(self) -> None:
        world, chance = self.world, self.chance
        while world.minutes() < PATIENCE:
            self.is_calm = world.minutes() >= ROUGH_MINUTES
            self._start_what_is_due()
            self._let_run()
            if not self.running and world.at_rest():
                self.is_calm = True
                return
            if self.is_calm or chance.random() < 0.8:
                world.api.step()
            world.clock.advance(60 if self.is_calm else chance.choice(self.weather.rounds))
        raise still_open(world)

    def _start_what_is_due(self) -> None:
        world = self.world
        for letter in world.received():
            self._start(letter.call, letter)
            if self._happens(self.weather.doubled):
                self._start(letter.call)
        self._start(None)
        if self._happens(self.weather.overlapping):
            self._start(None)

    def _start(self, call: Call | None, letter: Letter | None = None) -> None:
        world, invocation = self.world, Invocation(self.world.line)

        def body() -> None:
            done = world.invoke(call, invocation)
            if letter is not None:
                world.settle(letter, done=done)

        self.running.append(Running(greenlet.greenlet(body), invocation, world.now + lifetime(call)))

    def _let_run(self) -> None:
        """So many calls of whoever's turn it is; in calm weather, everybody to the end."""
        left = 10**9 if self.is_calm else self.chance.choice(self.weather.calls_a_round)
        while self.running and left:
            left -= 1
            one = self.chance.choice(self.running)
            if self.world.now >= one.ends_at:
                one.invocation.dead = True
            one.body.switch()
            if one.body.dead:
                self.running.remove(one)
            self._post()

    def _post(self) -> None:
        """Hand over what was sent, but for what gets lost."""
        world, queued = self.world, len(self.world.letters)
        for tick in world.post():
            if not self._happens(self.weather.dropped):
                self._start(tick)
        for letter in world.letters[queued:]:
            if self._happens(self.weather.dropped):
                world.letters.remove(letter)

    def _happens(self, probability: float) -> bool:
        return not self.is_calm and self.chance.random() < probability

    def _decide(self, number: int, site: str) -> Fault | None:
        prone = PRONE.get(site, 1)
        if self.is_calm or self.chance.random() >= self.weather.faults * prone:
            return None
        return self.chance.choice(fitting(site))

    def _late(self, how: Any) -> None:
        """Where lists are up to date a create may be as late as it likes; else it is listed within the promised time.

        The function may have waited before it sent the call, for as long as it lives.
        """
        lag = self.conditions.list_lag
        latest = 2 * SURELY_LISTED if not lag else max(0, SURELY_LISTED - lag - LIFE)
        self.world.api.create_later(self.world.now + self.chance.uniform(0, latest), how)


def _pause() -> None:
    parent = greenlet.getcurrent().parent
    if parent is not None:
        parent.switch()


@dataclass
class Tally:
    """What many schedules came to. ``broken``: seed and story of each that broke a promise."""

    schedules: int = 0
    calls: int = 0
    faults: int = 0
    minutes: float = 0
    broken: dict[int, str] = field(default_factory=dict)

    def run(self, seed: int, watch: Callable[[World], None] = lambda world: None) -> bool:
        """Whether the schedule of this seed kept every promise."""
        schedule = Schedule(seed)
        try:
            watch(schedule.run())
        except Violation as violation:
            self.broken[seed] = str(violation)
        self.schedules += 1
        self.calls += len(schedule.world.line.sites)
        self.faults += len(schedule.world.line.faults)
        self.minutes += schedule.world.minutes()
        return seed not in self.broken

    def told(self) -> str:
        return (
            f"{self.schedules} schedules, {self.calls} calls, {self.faults} faults, {self.minutes / 1440:.0f} days, "
            f"{len(self.broken)} broken"
        )

"""Random schedules: functions overlap at every call, die, are repeated and forgotten. One seed, one schedule."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import greenlet

from tests.fakes.messages import Message
from tests.simulation.campaign import Figures
from tests.simulation.conditions import Conditions
from tests.simulation.jobs import REFUSED, SMALL, TINY, WHOLE
from tests.simulation.letters import LIFE, Letter, lifetime
from tests.simulation.oracle import Violation
from tests.simulation.play import QUIET, play, still_open
from tests.simulation.scenarios import Scenario
from tests.simulation.wire import Fault, Invocation, Line, fitting
from tests.simulation.world import TICK, World

PATIENCE = 500
MENU = (16, 4, 1, 1)  #: how often a tiny, a small, a whole and a refused job is dropped
AGAIN = 5  #: one schedule of so many is asked for everything once more
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
    calls_a_turn: int  #: at most, before another invocation has its turn
    rounds: tuple[int, ...]  #: seconds between two ticks of the poller
    minutes: int  #: after that nothing goes wrong any more, and everything must come to rest


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
    menu: tuple[int, ...] = MENU
    scenario: Scenario = field(init=False)

    def __post_init__(self) -> None:
        self.chance = chance = random.Random(self.seed)
        conditions = Conditions(
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
            faults=chance.choice([0.0, 0.005, 0.02, 0.05]),
            dropped=chance.choice([0.0, 0.0, 0.1, 0.1, 0.5, 1.0]),
            doubled=chance.choice([0.0, 0.1, 0.5]),
            overlapping=chance.choice([0.0, 0.3, 1.0]),
            calls_a_round=chance.choice([(10, 60), (40, 400), (1000,)]),
            calls_a_turn=chance.choice([1, 4, 15]),
            rounds=chance.choice([(60,), (60, 180), (60, 120, 300), (10, 30, 60)]),
            minutes=chance.choice([15, 40, 100]),
        )
        drops = [("a.jsonl", chance.choices([TINY, SMALL, WHOLE, REFUSED], self.menu)[0])]
        if chance.random() < 0.1:
            drops.append(("b.jsonl", TINY))
        self.scenario = Scenario(tuple(drops), conditions)
        self.running: list[Running] = []
        self.turn = 0
        self.is_calm = False

    def run(self) -> World:
        line = Line(decide=self._decide, pause=self._pause)
        self.world = World(self.scenario.conditions, line, orphans_are_fine=True)
        line.late = self._late
        try:
            return play(self.scenario, self.world, self._drive, again=self.seed % AGAIN == 0)
        finally:
            self._kill()

    def _kill(self) -> None:
        """Nobody outlives the schedule: what is left of an invocation would run when its memory is freed."""
        self.world.line.pause = lambda: None
        for one in self.running:
            one.invocation.dead = True
            one.body.throw()
        self.running.clear()

    def _drive(self, world: World) -> None:
        chance = self.chance
        while world.minutes() < PATIENCE:
            self.is_calm = world.minutes() >= self.weather.minutes
            before = world.table.writes
            self._start_what_is_due()
            self._let_run()
            if not self.running and world.at_rest():
                self.is_calm = True
                return
            works = (self.is_calm or chance.random() < 0.8) and world.step()
            is_quiet = not works and not self.running and world.table.writes == before
            rounds = (60 * QUIET,) if is_quiet else (60,) if self.is_calm else self.weather.rounds
            world.clock.advance(chance.choice(rounds))
        raise still_open(world)

    def _start_what_is_due(self) -> None:
        world = self.world
        for letter in world.letters.received():
            self._start(letter.call, letter)
            if self._happens(self.weather.doubled):
                self._start(letter.call)
        self._start(TICK)
        if self._happens(self.weather.overlapping):
            self._start(TICK)

    def _start(self, call: Message, letter: Letter | None = None) -> None:
        world, invocation = self.world, Invocation(self.world.line)

        def body() -> None:
            done = world.invoke(call, invocation)
            if letter is not None:
                world.letters.settle(letter, done=done)

        self.running.append(Running(greenlet.greenlet(body), invocation, world.now + lifetime(call)))

    def _let_run(self) -> None:
        """So many calls of whoever's turn it is; in calm weather, everybody to the end."""
        left = 10**9 if self.is_calm else self.chance.choice(self.weather.calls_a_round)
        while self.running and left > 0:
            self.turn = self.chance.randint(1, self.weather.calls_a_turn)
            left -= self.turn
            one = self.chance.choice(self.running)
            if self.world.now >= one.ends_at:
                one.invocation.dead = True
            one.body.switch()
            if one.body.dead:
                self.running.remove(one)
            self._post()

    def _pause(self) -> None:
        """Before each call: perhaps it is another's turn."""
        self.turn -= 1
        if self.turn <= 0 and (parent := greenlet.getcurrent().parent):
            parent.switch()

    def _post(self) -> None:
        """Hand over what was sent, but for what gets lost."""
        if not self.world.messages.pending:
            return
        world, waiting = self.world, self.world.letters.waiting
        queued = len(waiting)
        for tick in world.post():
            if not self._happens(self.weather.dropped):
                self._start(tick)
        for letter in waiting[queued:]:
            if self._happens(self.weather.dropped):
                waiting.remove(letter)

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
        lag = self.scenario.conditions.list_lag
        latest = 2 * SURELY_LISTED if not lag else max(0, SURELY_LISTED - lag - LIFE)
        self.world.api.create_later(self.world.now + self.chance.uniform(0, latest), how)


@dataclass
class Tally:
    """What many schedules came to. ``broken``: seed and story of each that broke a promise."""

    menu: tuple[int, ...] = MENU
    schedules: int = 0
    calls: int = 0
    faults: int = 0
    minutes: float = 0
    broken: dict[int, str] = field(default_factory=dict)

    def run(self, seed: int, watch: Callable[[World], None] = lambda world: None) -> bool:
        """Whether the schedule of this seed kept every promise."""
        schedule = Schedule(seed, self.menu)
        try:
            watch(schedule.run())
        except Violation as violation:
            self.broken[seed] = str(violation)
        self.schedules += 1
        self.calls += len(schedule.world.line.sites)
        self.faults += len(schedule.world.line.faults)
        self.minutes += schedule.world.minutes()
        return seed not in self.broken

    @property
    def figures(self) -> Figures:
        return self.schedules, self.calls, self.faults, self.minutes / 1440

"""Random schedules: functions overlap at every call, die, are repeated and forgotten. One seed, one schedule."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import greenlet

from batchdrop.core.allowance import Named
from tests.fakes.messages import Message
from tests.simulation.conditions import Conditions
from tests.simulation.jobs import REFUSED, SMALL, TINY, WHOLE
from tests.simulation.letters import LIFE, Letter, lifetime
from tests.simulation.play import QUIET, play, still_open
from tests.simulation.provider import FLAKY
from tests.simulation.removed import forget_input, is_at_work, removal
from tests.simulation.scenarios import Scenario
from tests.simulation.weather import (
    CANCELLED,
    HOSTILE_CANCELLED,
    HOSTILE_MENU,
    LIMITED,
    MENU,
    PRONE,
    Mishap,
    drawn,
)
from tests.simulation.wire import Fault, Line, Process, fitting
from tests.simulation.world import TICK, World

PATIENCE = 500
AGAIN = 5  #: one schedule of so many is asked for everything once more
NO_END = 10**9  #: of a turn
SURELY_LISTED = 1_700  #: seconds within which a create is in the list, however late it comes


@dataclass
class Running:
    """An invocation under way."""

    body: greenlet.greenlet
    process: Process
    ends_at: float


@dataclass
class Schedule:
    """One world and its mishaps, all of them from ``seed``."""

    seed: int
    is_hostile: bool = False
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
            prompt=self.seed % 4 == 3,
        )
        self.weather = drawn(chance, is_hostile=self.is_hostile)
        self.remove_at = removal(self.seed)
        menu = HOSTILE_MENU if self.is_hostile or self.remove_at is not None else MENU
        drops = [("a.jsonl", chance.choices([TINY, SMALL, WHOLE, REFUSED], menu)[0])]
        if chance.random() < 0.1:
            drops.append(("b.jsonl", TINY))
        cancelled = chance.random() < (HOSTILE_CANCELLED if self.is_hostile else CANCELLED)
        self.cancel_at = chance.choice([0, chance.uniform(1, 20)]) if cancelled else None
        self.limit = chance.choice([1, 60]) if chance.random() < LIMITED else None
        self.scenario = Scenario(tuple(drops), conditions, is_same=self.cancel_at is self.remove_at is None)
        self.running: list[Running] = []
        self.turn = 0
        self.mishaps: Counter[Mishap] = Counter()  #: besides faults at calls, by their kind
        self.quiet = 0  #: rounds in which nothing happened, one after the other
        self.is_calm = False

    def run(self) -> World:
        line = Line(decide=self._decide, pause=self._pause)
        self.world = World(self.scenario.conditions, line, orphans_are_fine=True)
        line.late = self._late
        self.world.api.is_stale = lambda: self._happens(self.weather.stale, Mishap.STALE)
        if self.limit:
            self.world.ledger.learn_limit(("default", FLAKY), Named(tokens=self.limit))
        try:
            return play(self.scenario, self.world, self._drive, again=self.seed % AGAIN == 0)
        finally:
            self._kill()

    def _kill(self) -> None:
        """Nobody outlives the schedule: what is left of an invocation would run when its memory is freed."""
        self.world.line.pause = lambda: None
        for one in self.running:
            one.process.dead = True
            one.body.throw()
        self.running.clear()

    def _drive(self, world: World) -> None:
        chance = self.chance
        self._lose(0)
        while world.minutes() < PATIENCE:
            self._calm_down(world)
            before = world.table.rows.total()
            self._meddle(world)
            self._end_what_is_out_of_time()
            self._start_what_is_due()
            self._let_run()
            if self.is_calm:
                world.table.check_progress()
            if self.cancel_at is None and not self.running and world.at_rest():
                self.is_calm = True
                return
            works = (self.is_calm or chance.random() < 0.8) and world.step()
            is_quiet = not works and not self.running and world.table.rows.total() == before
            self.quiet = min(self.quiet + 1, 3) if is_quiet else 0
            usual = (60,) if self.is_calm else self.weather.rounds
            self._pass(60 * QUIET * self.quiet or chance.choice(usual))
        raise still_open(world)

    def _pass(self, seconds: float) -> None:
        """Time passes. A create that is under way arrives when it is to, and not when somebody looks."""
        world = self.world
        until = world.now + seconds
        while moments := [moment for moment, _ in world.api.pending if moment <= until]:
            world.clock.advance(max(0, min(moments) - world.now))
            world.api.arrive()
        world.clock.advance(until - world.now)

    def _calm_down(self, world: World) -> None:
        is_calm = world.minutes() >= self.weather.minutes
        if is_calm and not self.is_calm:
            world.table.moved_at = world.clock.now()
        self.is_calm = is_calm

    def _end_what_is_out_of_time(self) -> None:
        """Before anybody else runs, who may take its work over, and count a crash."""
        for one in [one for one in self.running if self.world.now >= one.ends_at]:
            self.mishaps[Mishap.OUT_OF_TIME] += 1
            self._end(one)
            self.running.remove(one)

    def _end(self, one: Running) -> None:
        """It dies at its next call; what it calls on its way out comes to nothing either."""
        one.process.dead = True
        self.turn = NO_END
        while not one.body.dead:
            one.body.switch()

    def _start_what_is_due(self) -> None:
        world = self.world
        for letter in world.letters.received():
            self._start(letter.call, letter)
            what = Mishap.DOUBLED_EVENT if letter.call.to == "drop" else Mishap.DOUBLED_MESSAGE
            if self._happens(self.weather.doubled, what):
                self._start(letter.call)
        self._start(TICK)
        if self._happens(self.weather.overlapping, Mishap.OVERLAPPING):
            self._start(TICK)

    def _start(self, call: Message, letter: Letter | None = None) -> None:
        world, process = self.world, self.world.process()

        def body() -> None:
            done = world.invoke(call, process)
            if letter is not None:
                world.letters.settle(letter, done=done)

        self.running.append(Running(greenlet.greenlet(body), process, world.now + lifetime(call)))

    def _let_run(self) -> None:
        """So many calls of whoever's turn it is; in calm weather, everybody to the end."""
        chance, running = self.chance.random, self.running
        left = NO_END if self.is_calm else self.chance.choice(self.weather.calls_a_round)
        while running and left > 0:
            turn = left if len(running) == 1 else min(left, 1 + int(chance() * self.weather.calls_a_turn))
            self.turn = turn
            one = running[int(chance() * len(running))]
            one.body.switch()
            left -= turn - max(self.turn, 0)
            if one.body.dead:
                running.remove(one)
            if not self.is_calm and chance() < self.weather.moves:
                self.world.step()
            self._post()

    def _pause(self) -> None:
        """Before each call: it is another's turn, or somebody is to be told of what was sent."""
        if (self.turn <= 0 or self.world.messages.pending) and (parent := greenlet.getcurrent().parent):
            parent.switch()
        self.turn -= 1

    def _post(self) -> None:
        """Hand over what was sent, but for what gets lost."""
        if not self.world.messages.pending:
            return
        world, waiting = self.world, self.world.letters.waiting
        queued = len(waiting)
        for tick in world.post():
            if not self._happens(self.weather.dropped, Mishap.LOST_MESSAGE):
                self._start(tick)
        self._lose(queued)

    def _lose(self, first: int) -> None:
        """Letters from that one on: some never arrive."""
        waiting = self.world.letters.waiting
        for letter in waiting[first:]:
            if self._happens(
                self.weather.dropped, Mishap.LOST_EVENT if letter.call.to == "drop" else Mishap.LOST_MESSAGE
            ):
                waiting.remove(letter)

    def _meddle(self, world: World) -> None:
        """Cancel or remove when it is time; the provider forgets for a round what it has told us of."""
        if self.cancel_at is not None and world.minutes() >= self.cancel_at:
            self.cancel_at, queued = None, len(world.letters.waiting)
            world.clock.advance(1)
            world.letters.send(world.drop("a.jsonl.cancel"))
            self._lose(queued)
        if self.remove_at is not None and world.minutes() >= self.remove_at and is_at_work(world, "a.jsonl"):
            self.remove_at = None
            self.mishaps[Mishap.REMOVED] += 1
            forget_input(world, "a.jsonl")
        world.api.hidden.clear()
        ours = {item["openai_batch_id"] for item in world.table.items.values() if "openai_batch_id" in item}
        if ours and self._happens(self.weather.hidden, Mishap.DENIED):
            world.api.hidden.update(ours)

    def _happens(self, probability: float, what: Mishap) -> bool:
        happens = not self.is_calm and self.chance.random() < probability
        self.mishaps[what] += happens
        return happens

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

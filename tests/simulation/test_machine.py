"""Whatever is done in whatever order: Hypothesis looks for the shortest way to break a promise.

``SIMULATED_EXAMPLES=2000`` for a long run.
"""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.simulation import jobs
from tests.simulation.campaign import knob
from tests.simulation.conditions import Conditions
from tests.simulation.housekeeping_mutants import mutated
from tests.simulation.oracle import Violation, check_bought_once, check_rest
from tests.simulation.play import deliver, replay, step_by_step
from tests.simulation.scenarios import Scenario
from tests.simulation.wire import Fault, fitting
from tests.simulation.world import World

EXAMPLES = knob("SIMULATED_EXAMPLES", 200)
STEPS = 30
CONDITIONS = Conditions(requests_per_batch=1, create_lease=30, page_size=2)
NOTHING = Scenario((), CONDITIONS)


class Service(RuleBasedStateMachine):
    """The model is the oracle: the table judges every write, the end judges what was delivered."""

    KEYS: ClassVar = ("a.jsonl", "b.jsonl")

    @initialize()
    def deploy(self) -> None:
        self.world = World(CONDITIONS, orphans_are_fine=True)
        self.small = self.world.miniature()
        self.small.__enter__()
        self.world.line.decide = self._fate
        self.world.line.late = lambda how: self.world.api.create_later(self.world.now + 600, how)
        self.world.letters.send(self.world.drop(self.KEYS[0], jobs.TINY))
        self.faults: dict[int | str, Fault] = {}  #: by the number of a call, or its site

    def _fate(self, number: int, site: str) -> Fault | None:
        fault = self.faults.pop(number, None) or self.faults.pop(site, None)
        return fault if fault in fitting(site) else None

    @rule(key=st.sampled_from(KEYS), data=st.sampled_from([jobs.TINY, jobs.SMALL]), is_told=st.booleans())
    @precondition(lambda self: len(self.world.drops) < 3)
    def drop(self, key: str, data: bytes, is_told: bool) -> None:
        self.world.clock.advance(1)
        event = self.world.drop(key, data)
        if is_told:
            self.world.letters.send(event)

    @rule(key=st.sampled_from(KEYS), is_told=st.booleans())
    @precondition(lambda self: self.world.drops)
    def cancel(self, key: str, is_told: bool) -> None:
        self.world.clock.advance(1)
        event = self.world.drop(f"{key}.cancel")
        if is_told:
            self.world.letters.send(event)

    @rule(ahead=st.integers(1, 40), fault=st.sampled_from(Fault))
    def something_goes_wrong_soon(self, ahead: int, fault: Fault) -> None:
        self.faults[len(self.world.line.sites) + ahead] = fault

    @rule(fault=st.sampled_from(Fault))
    def the_next_create_goes_wrong(self, fault: Fault) -> None:
        self.faults["api.create"] = fault

    @rule()
    def tick(self) -> None:
        self.world.invoke()

    @rule()
    def deliver(self) -> None:
        deliver(self.world)

    @rule()
    def lose_what_was_sent(self) -> None:
        self.world.messages.pending.clear()

    @rule(seconds=st.sampled_from([1, 60, 300, 1_000, 2_000]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def provide(self) -> None:
        self.world.step()

    @invariant()
    def nothing_is_bought_twice(self) -> None:
        if hasattr(self, "world"):
            check_bought_once(self.world)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.faults.clear()
            step_by_step(self.world, NOTHING)
            check_rest(self.world, None)
            replay(self.world)
        finally:
            self.small.__exit__(None, None, None)


Service.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.no_cover
class TestWhateverIsDoneEveryPromiseIsKept(Service.TestCase):  # type: ignore[misc, valid-type]
    """Its one test is ``runTest``."""


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["it creates first and records afterwards", "nobody sweeps"])
def test_a_wrong_protocol_is_falsified(name: str) -> None:
    generate = settings(Service.TestCase.settings, max_examples=EXAMPLES, phases=[Phase.generate])
    with mutated(name), pytest.raises(Violation):
        run_state_machine_as_test(Service, settings=generate)

"""Admission at length: five thousand small batches, a tick a minute."""

from __future__ import annotations

import datetime as dt
import random

import msgspec
import pytest

from batchdrop.core import limits
from batchdrop.core.model import Batch, Job, attributes
from batchdrop.core.states import BatchState
from batchdrop.usecases.admit import Admit
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import World

HOUR = dt.timedelta(hours=1)


class Submitters:
    """They create what they are told of, each message some minutes late by chance; what is created ends soon."""

    def __init__(self, world: World, batches: list[Batch]) -> None:
        self.world, self.chance = world, random.Random(5)
        self.open = {batch.key: batch for batch in batches}
        self.created: list[dt.datetime] = []

    def work(self) -> None:
        if self.chance.random() < 0.2:
            return
        while message := self.world.messages.pop("submit"):
            assert message.key
            del self.open[message.key]
            self.created.append(self.world.clock.now())

    def look(self) -> list[Batch]:
        """The open batches, as the index shows them."""
        waiting = set(self.world.messages.keys("submit"))
        return [
            msgspec.structs.replace(batch, state=BatchState.ADMITTED) if key in waiting else batch
            for key, batch in self.open.items()
        ]


@pytest.mark.no_cover
def test_five_thousand_small_batches_never_exceed_two_thousand_creates_in_sixty_minutes() -> None:
    world = World()
    jobs: dict[str, Job] = {}
    batches: list[Batch] = []
    for name in "abcde":
        jobs[name] = samples.running(job_id=name)
        batches += [samples.batch(number, job_id=name) for number in range(1, 1_001)]
    for item in (*jobs.values(), *batches):
        world.table.items[item.job_id, item.item] = attributes(item)
    submitters = Submitters(world, batches)
    for tick in range(300):
        Admit(world.ledger, world.messages, world.clock, name=f"poller-{tick}")(jobs, submitters.look(), FakeDeadline())
        submitters.work()
        if not submitters.open:
            break
        world.clock.advance(minutes=1)
    created = submitters.created
    assert len(created) == 5_000
    first = 0
    for last, moment in enumerate(created):
        while created[first] <= moment - HOUR:
            first += 1
        assert last - first < limits.CREATES_PER_HOUR
    assert created[-1] - created[0] < 5_000 / 1_600 * HOUR


def test_a_poller_that_dies_between_paying_and_admitting_has_paid_for_too_many() -> None:
    world = World()
    queued = [world.batch(number) for number in range(1, 4)]
    admit = Admit(world.ledger, world.messages, world.clock, name="one")

    def dies(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    world.ledger.admit = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        admit({}, queued, FakeDeadline())
    paid = world.ledger.paid_creates()
    assert paid is not None
    assert paid > world.clock.now()


def test_one_whose_lease_is_over_admits_nothing_more() -> None:
    world = World()
    queued = [world.batch(1)]
    pay = world.ledger.pay_creates

    def overtaken(name: str, *, until: dt.datetime) -> bool:
        later = world.clock.now() + HOUR
        world.ledger.lead("two", lease=later + HOUR, now=later)
        return pay(name, until=until)

    world.ledger.pay_creates = overtaken  # type: ignore[method-assign]
    assert Admit(world.ledger, world.messages, world.clock, name="one")({}, queued, FakeDeadline()) == 0
    assert world.read(queued[0].key).state is BatchState.QUEUED

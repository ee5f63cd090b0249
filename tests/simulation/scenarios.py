"""What is dropped, under what conditions, and what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from batchdrop.core.allowance import Named
from batchdrop.core.errors import OutcomeUnknown, RetryLater
from batchdrop.core.model import Key
from tests.fakes.messages import Message
from tests.simulation import jobs
from tests.simulation.conditions import Conditions
from tests.simulation.provider import PLAIN, STRICT
from tests.simulation.removed import forget_input, lose_input_at
from tests.simulation.wire import Fault, Line
from tests.simulation.world import World

Drops = tuple[tuple[str, bytes], ...]
HALF_AN_HOUR, AN_HOUR = 30, 60
#: A lost create is not looked for as long, which saves many ticks; and what it made runs although its file is deleted.
SOON = Conditions(settle=300, prompt=True)


@dataclass(frozen=True)
class Happening:
    """Done once, at the beginning of the first minute in which ``when`` holds; one after the other.

    Where a fault keeps that from coming about, the end of the job has to do.
    """

    when: Callable[[World], bool]
    what: Callable[[World], object]


@dataclass(frozen=True)
class Scenario:
    """``is_same``: faults change nothing about outputs and counts. ``minutes``: that it takes without any.

    ``meanwhile`` is done before every call, which it is told of, within whatever makes it.
    """

    drops: Drops
    conditions: Conditions = field(default_factory=Conditions)
    happenings: tuple[Happening, ...] = ()
    is_same: bool = True
    minutes: float = 10
    may_double: bool = False
    is_cursed: Callable[[Message], bool] = lambda call: False
    meanwhile: Callable[[World, str], None] | None = None

    def world(self, line: Line | None = None) -> World:
        world = World(self.conditions, line or Line(), is_cursed=self.is_cursed, may_double=self.may_double)
        if meanwhile := self.meanwhile:
            decide = world.line.decide

            def deciding(number: int, site: str) -> Fault | None:
                meanwhile(world, site)
                return decide(number, site)

            world.line.decide = deciding
        return world

    @property
    def calm(self) -> Scenario:
        """The same as far as it may show in the outputs and the counts."""
        return replace(self, conditions=self.conditions.calm)


def one(data: bytes, conditions: Conditions | None = None) -> Scenario:
    return Scenario((("a.jsonl", data),), conditions or Conditions())


def _is_there(world: World, *states: str) -> bool:
    """Whether items are in all these states at once."""
    return set(states) <= {item.get("state") for item in world.table.items.values()}


def _number(world: World, state: str) -> int:
    return sum(item.get("state") == state for item in world.table.items.values())


def _limit(tokens: int, model: str) -> Happening:
    limit = Named(tokens=tokens)
    return Happening(lambda world: True, lambda world: world.ledger.learn_limit(("default", model), limit))


def _lose_a_create(world: World, number: int, times: int = 1) -> None:
    """The answer of that create from now is lost; ``times``: how many batches it made."""
    world.api.script("create", OutcomeUnknown("the answer was lost"), call=number, after=True)
    world.api.executes[world.api.calls["create"] + number] = times


def _make_a_create_late(world: World, number: int) -> None:
    """The answer of that create from now is lost, and it is carried out at its fence."""
    world.api.script("create", OutcomeUnknown("the answer was lost"), call=number)
    world.api.executes[world.api.calls["create"] + number] = 0


def _use_a_key(world: World, version: str, project: str) -> None:
    world.api.key, world.api.project = version, project


def _move_the_key(world: World) -> None:
    """To another project; and the first delete there goes wrong."""
    _use_a_key(world, "2", "another")
    world.api.script("delete_file", RetryLater("reset"))


def _look_for_the_blocked(world: World) -> None:
    """What the operator does about a batch that is not there, as docs/operations.md says."""
    made, now = {batch.input_file_id for batch in world.api.batches.values()}, world.clock.now()
    for name, item in world.table.items.items():
        if item.get("state") == "blocked" and item["file_id"] not in made:
            world.api.delete_file(item["file_id"])
            item["reason"] = "no such batch at OpenAI"
            blocked = world.ledger.get(Key(*name))
            assert blocked
            world.ledger.release(blocked, now=now)


def _drop_cancel(world: World) -> None:
    world.clock.advance(seconds=1)
    world.letters.send(world.drop("a.jsonl.cancel"))


def _cancel_in_vain(world: World) -> None:
    world.api.deaf = True
    _drop_cancel(world)


#: Where a fault keeps the input from being missed, what never ends by itself has to be stopped.
_IN_THE_END = Happening(
    lambda world: world.at_rest() or world.minutes() > HALF_AN_HOUR,
    lambda world: None if world.at_rest() else _drop_cancel(world),
)
_LOST_UNSEEN = (
    Happening(lambda world: True, lambda world: _lose_a_create(world, 2)),
    Happening(lambda world: _is_there(world, "in_flight", "creating") or world.minutes() > HALF_AN_HOUR, forget_input),
    _IN_THE_END,
)
_CANCEL_RUNNING = (
    _limit(1, STRICT),
    Happening(lambda world: True, lambda world: _lose_a_create(world, 2)),
    Happening(lambda world: _is_there(world, "creating", "in_flight", "queued") or world.at_rest(), _drop_cancel),
)
_FORGOTTEN = (
    Happening(lambda world: _is_there(world, "in_flight"), lambda world: world.api.hidden.update(world.api.batches)),
    Happening(lambda world: _is_there(world, "blocked"), lambda world: None),
    Happening(lambda world: True, lambda world: world.api.hidden.clear()),
)
_IN_VAIN = (
    Happening(lambda world: _is_there(world, "in_flight"), _cancel_in_vain),
    Happening(
        lambda world: _is_there(world, "cancelled") or world.at_rest(), lambda world: setattr(world.api, "deaf", False)
    ),
)
_MOVED = (
    Happening(lambda world: True, lambda world: _lose_a_create(world, 1)),
    Happening(lambda world: _is_there(world, "creating") or world.at_rest(), _move_the_key),
    Happening(
        lambda world: _is_there(world, "blocked") or world.at_rest(), lambda world: _use_a_key(world, "1", "ours")
    ),
    Happening(lambda world: not _is_there(world, "blocked") or world.minutes() > AN_HOUR, _look_for_the_blocked),
)
_LATE = (Happening(lambda world: True, lambda world: _make_a_create_late(world, 1)),)
_ROTATED = (
    *_LATE,
    Happening(
        lambda world: _is_there(world, "creating") or world.at_rest(), lambda world: _use_a_key(world, "2", "ours")
    ),
)
_UNSEEN = (
    Happening(lambda world: _is_there(world, "in_flight"), lambda world: world.api.hidden.update(world.api.batches)),
    Happening(lambda world: _is_there(world, "blocked"), _drop_cancel),
    Happening(lambda world: "cancel_requested_at" in world.jobs()[0], lambda world: None),
    Happening(lambda world: True, lambda world: world.api.hidden.clear()),
)
_MENDED_LATE = (
    Happening(lambda world: True, lambda world: setattr(world.api, "refuses_key", True)),
    Happening(
        lambda world: _number(world, "blocked") == 2 or world.minutes() > HALF_AN_HOUR,
        lambda world: setattr(world.api, "refuses_key", False),
    ),
)
SCENARIOS = {
    "whole": one(jobs.WHOLE),
    "refused": one(jobs.REFUSED, Conditions(plain_bytes=0)),
    "rejected": one(jobs.NOTHING_VALID),
    "parts": one(jobs.MANY, Conditions(requests_per_batch=1, batches_per_chunk=1, plain_bytes=0, smallest_part=700)),
    "cancelled while it runs": replace(
        one(jobs.CANCELLED, Conditions(requests_per_batch=1, batches_per_chunk=8)),
        happenings=_CANCEL_RUNNING,
        is_same=False,
    ),
    "cancelled while it is planned": replace(
        one(jobs.MANY, Conditions(requests_per_batch=1, batches_per_chunk=1, plan_seconds=100)),
        happenings=(Happening(lambda world: _is_there(world, "planning", "queued"), _drop_cancel),),
        is_same=False,
    ),
    "cancelled in vain": replace(one(jobs.SMALL), happenings=_IN_VAIN, is_same=False, minutes=70),
    "cancelled while forgotten": replace(one(jobs.SMALL), happenings=_UNSEEN, is_same=False),
    "locked out": replace(one(jobs.LOCKED_OUT, Conditions(requests_per_batch=1)), happenings=_MENDED_LATE, minutes=12),
    "split": replace(one(jobs.SPLIT, Conditions(requests_per_batch=4)), happenings=(_limit(60, PLAIN),)),
    "forgotten for a while": replace(one(jobs.SMALL), happenings=_FORGOTTEN),
    "input lost": replace(
        one(jobs.SMALL),
        happenings=(Happening(lambda world: _is_there(world, "in_flight"), forget_input),),
        is_same=False,
    ),
    "input lost, and the answer to a create": replace(
        one(jobs.BESIDE, Conditions(requests_per_batch=4, batches_per_chunk=1, list_lag=600)),
        happenings=_LOST_UNSEEN,
        is_same=False,
        minutes=20,
    ),
    "input lost within an upload": replace(
        one(jobs.BESIDE, Conditions(requests_per_batch=4, batches_per_chunk=1)),
        happenings=(_IN_THE_END,),
        meanwhile=lose_input_at("table.commit B3"),
        is_same=False,
    ),
    "input lost within a split": replace(
        one(jobs.BESIDE, Conditions(requests_per_batch=4, batches_per_chunk=1)),
        happenings=(_limit(60, PLAIN), _IN_THE_END),
        meanwhile=lose_input_at("table.commit B13+B0"),
        is_same=False,
    ),
    "mended": replace(
        one(jobs.BROKEN),
        happenings=(Happening(World.at_rest, lambda world: world.letters.send(world.drop("a.jsonl", jobs.TINY))),),
    ),
    "poisoned": replace(
        one(jobs.SMALL, Conditions(requests_per_batch=1)),
        is_cursed=lambda call: call.to == "submit" and call.key is not None and call.key.item.endswith("#batch#0001"),
        is_same=False,
        minutes=120,
    ),
    "made at its fence": replace(one(jobs.SINGLE, SOON), happenings=_LATE, minutes=18),
    "made at its fence, under a new key": replace(one(jobs.SINGLE, SOON), happenings=_ROTATED, minutes=18),
    "the key is of another project for a while": replace(
        one(jobs.SINGLE, replace(SOON, list_lag=240)), happenings=_MOVED, minutes=18
    ),
    "made twice": replace(
        one(jobs.TINY),
        happenings=(Happening(lambda world: True, lambda world: _lose_a_create(world, 1, times=2)),),
        may_double=True,
    ),
}

"""What is dropped, and a run of it from the first event to rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tests.main_job.service import request
from tests.simulation.oracle import Expected, Violation, check_rest
from tests.simulation.provider import CROWDED, FLAKY, LOCKED, PUZZLED, SLOW, STRICT, UNKNOWN_MODEL
from tests.simulation.wire import Line
from tests.simulation.world import Conditions, World

PATIENCE = 400  #: virtual minutes: a lost create takes half an hour, a lost message a quarter


def _lines(*requests: bytes) -> bytes:
    return b"".join(line + b"\n" for line in requests)


def _some(model: str, *names: str) -> list[bytes]:
    return [request(name, model=model) for name in names]


#: Two chunks, the second staged with mixed models: a retry wave, an expired batch, the token limit, an invalid line.
WHOLE = _lines(
    *_some(FLAKY, "f1", "f2", "f3"),
    *_some(SLOW, "s1", "s2"),
    b"oops",
    *_some(CROWDED, "c1"),
)
#: Refused lines, a batch refused for nobody knows what, a model that is not there, a key that is refused at first.
REFUSED = _lines(
    *_some(STRICT, "t1", "t-wrong"),
    *_some(PUZZLED, "p1", "p2"),
    *_some(UNKNOWN_MODEL, "u1"),
    *_some(LOCKED, "k1", "k1"),
)
#: One chunk, one batch, one wave.
SMALL = _lines(*_some(FLAKY, "f1", "f2"))
#: Outputs made by an upload in parts.
PARTS = Conditions(plain_bytes=0)

Drops = dict[str, bytes]
Drive = Callable[[World], None]


def step_by_step(world: World) -> None:
    """One function at a time, a minute at a time, until all is at rest."""
    for _ in range(PATIENCE):
        _deliver(world)
        world.invoke(None)
        _deliver(world)
        if world.at_rest():
            return
        world.api.step()
        world.clock.advance(minutes=1)
    raise still_open(world)


def _deliver(world: World) -> None:
    while True:
        for tick in list(world.post()):
            world.invoke(tick)
        letters = world.received()
        if not letters:
            return
        for letter in letters:
            world.settle(letter, done=world.invoke(letter.call))


def still_open(world: World) -> Violation:
    left = [f"{name} {item.get('state')}" for (_, name), item in world.table.items.items() if "due" in item]
    return Violation(f"not at rest after {world.minutes():.0f} minutes: {left}, {len(world.letters)} letters")


def play(
    drops: Drops,
    conditions: Conditions,
    line: Line | None = None,
    drive: Drive = step_by_step,
    world: World | None = None,
    *,
    again: bool = True,
) -> World:
    """Drop the files, run to rest, check everything; ``again``: ask for everything once more."""
    world = world or World(conditions, line or Line())
    with world.miniature():
        for key, data in drops.items():
            world.send(world.drop(key, data))
        drive(world)
        check_rest(world, expected(tuple(drops.items()), conditions.calm) if line else None)
        world.line.decide = lambda number, site: None
        if again:
            replay(world)
    return world


def replay(world: World) -> None:
    before = dict(world.table.items), list(world.api.batches), world.objects.keys("out"), world.objects.keys("work")
    versions = {key: len(world.objects.versions("out", key)) for key in world.objects.keys("out")}
    for call in list(world.every_call()):
        world.invoke(call)
    after = dict(world.table.items), list(world.api.batches), world.objects.keys("out"), world.objects.keys("work")
    if after != before or versions != {key: len(world.objects.versions("out", key)) for key in versions}:
        raise Violation("asking for everything once more changed something")


@cache
def expected(drops: tuple[tuple[str, bytes], ...], conditions: Conditions) -> Expected:
    """What a run without faults makes."""
    world = play(dict(drops), conditions)
    counts = {job_id: item["counts"] for (job_id, name), item in world.table.items.items() if name == "job"}
    return Expected(world.outputs(), counts)

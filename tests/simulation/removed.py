"""The input is removed while its job runs."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.simulation.watched import FINAL
from tests.simulation.world import TICK, World

REMOVED = 0.1  #: how often a schedule loses its input


def removal(seed: int) -> float | None:
    """When the first input of that schedule is removed, in minutes from the beginning, if it is."""
    chance = random.Random(f"removal {seed}")
    return chance.uniform(0, 15) if chance.random() < REMOVED else None


def is_at_work(world: World, key: str) -> bool:
    """Whether there is a job for it that has not ended."""
    states = [job["state"] for job in world.jobs() if job["input_key"] == key]
    return bool(states) and not set(states) & FINAL


def forget_input(world: World, *keys: str) -> None:
    """Its versions are gone; without ``keys``, those of every input."""
    for key in keys or world.objects.keys("in"):
        world.objects._buckets["in"].pop(key)


def lose_input_at(site: str) -> Callable[[World, str], None]:
    """Within that call the other batch ends, whose fetch finds the input gone and ends the job, which is cleaned."""

    def lose(world: World, at: str) -> None:
        if at != site or not world.objects.keys("in") or not _may_be_missed(world):
            return
        forget_input(world)
        for _ in range(3):
            world.step()
        for call in (TICK, *(call for call in world.every_call() if call.to == "collect")):
            world.invoke(call, world._started())

    return lose


def _may_be_missed(world: World) -> bool:
    """Whether there is a batch whose answers cannot be placed without it."""
    return {"running", "in_flight"} <= {item.get("state") for item in world.table.items.values()}

"""The input is removed while its job runs."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.world import TICK, World


def forget_input(world: World) -> None:
    for key in world.objects.keys("in"):
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

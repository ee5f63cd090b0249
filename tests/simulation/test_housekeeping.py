"""What lies beyond the promises: doubles that a provider makes, work that kills, events that never come."""

from __future__ import annotations

from dataclasses import replace

from batchdrop.ports import RemoteBatch
from tests.simulation import jobs
from tests.simulation.conditions import Conditions
from tests.simulation.oracle import check_doubles_told, check_rest
from tests.simulation.play import AUDIT, play, tick
from tests.simulation.provider import SLOW
from tests.simulation.scenarios import SCENARIOS, Scenario, one
from tests.simulation.wire import Fault, Line
from tests.simulation.world import World

LATE_LIST = Conditions(settle=300, list_lag=3_600, create_lease=30)
HEALTHY = ("b.jsonl", jobs.SMALL)


def lost_creates() -> Line:
    """The answer to the first create is lost."""
    line = Line()
    line.decide = lambda number, site: Fault.LOST if site == "api.create" and line.sites.count(site) == 1 else None
    return line


def test_a_double_that_the_provider_listed_too_late_is_told_of_within_one_round_of_the_audit() -> None:
    world = World(LATE_LIST, lost_creates(), may_double=True)
    with world.miniature():
        world.letters.send(world.drop("a.jsonl", jobs.TINY))
        while not (world.jobs() and world.at_rest()):
            tick(world)
            world.step()
            world.clock.advance(minutes=1)
        workers = [work.item for work in world.api.work.values()]
        assert len(workers) == len(set(workers)) + 1, "the provider was to be worse than promised, and was not"
        listed_at = world.start.timestamp() + LATE_LIST.list_lag
        while world.now <= listed_at + 60 * AUDIT:
            tick(world)
            world.clock.advance(minutes=1)
        check_doubles_told(world)


def bought_twice(world: World) -> tuple[RemoteBatch, RemoteBatch]:
    """A batch of ours, and another one of the same file."""
    world.letters.send(world.drop("a.jsonl", jobs.TINY))
    tick(world)
    (mine,) = world.api.batches.values()
    return mine, world.api.create(
        file_id=mine.input_file_id, endpoint="", completion_window="24h", metadata=mine.metadata
    )


def test_a_double_that_still_runs_is_stopped() -> None:
    world = World(may_double=True)
    with world.miniature():
        mine, double = bought_twice(world)
        for _ in range(AUDIT):
            world.clock.advance(minutes=1)
            tick(world)
        assert world.api.batches[double.id].status == "cancelling"
        assert world.api.batches[mine.id].status == "validating"


def test_a_double_whose_finder_dies_before_it_tells_anybody_is_told_of_by_the_next_round() -> None:
    world = World(may_double=True)
    with world.miniature():
        _, double = bought_twice(world)
        sites = world.line.sites
        world.line.decide = lambda number, site: (
            Fault.AFTER if site == "api.cancel" and sites.count(site) == 1 else None
        )
        noted = "stack", f"orphan#{double.id}"
        while not world.line.faults:
            world.clock.advance(minutes=1)
            tick(world)
        assert world.table.items[noted]["untold"]
        for _ in range(AUDIT):
            world.clock.advance(minutes=1)
            tick(world)
        assert "told_at" in world.table.items[noted]


def minutes_of_the_healthy(*others: tuple[str, bytes]) -> float:
    """When the healthy job is told of, beside ``others`` whose work kills whoever takes it up."""
    world = World(Conditions(requests_per_batch=1))
    world.is_cursed = lambda call: call.key is not None and call.key.job_id.startswith("a-")
    with world.miniature():
        for key, data in (HEALTHY, *others):
            world.letters.send(world.drop(key, data))
        while not any(job.input_key == HEALTHY[0] for job in world.messages.ended):
            tick(world)
            world.step()
            world.clock.advance(minutes=1)
    return world.minutes()


def test_work_that_kills_delays_no_other_job_by_a_single_tick() -> None:
    assert minutes_of_the_healthy(("a.jsonl", jobs.WHOLE)) == minutes_of_the_healthy()


def test_work_that_kills_is_given_up_after_five_deaths_and_its_job_ends() -> None:
    world = play(SCENARIOS["poisoned"], SCENARIOS["poisoned"].world())
    (job,) = world.jobs()
    assert (job["state"], job["counts"]["quarantined"]) == ("completed", 1)


def test_drops_whose_events_are_all_lost_get_their_jobs_within_a_quarter_of_an_hour() -> None:
    world = World()
    with world.miniature():
        for number in range(5):
            world.drop(f"{number}.jsonl", jobs.TINY)
        for _ in range(15):
            tick(world)
            world.clock.advance(minutes=1)
        assert len(world.jobs()) == 5


def test_a_cancel_whose_event_is_lost_still_stops_the_job() -> None:
    slow = Scenario((("a.jsonl", jobs._lines(*jobs._some(SLOW, "s1"))),), is_same=False)
    world = slow.world()
    with world.miniature():
        world.letters.send(world.drop("a.jsonl", slow.drops[0][1]))
        tick(world)
        world.clock.advance(minutes=1)
        world.drop("a.jsonl.cancel")
        for _ in range(40):
            tick(world)
            world.clock.advance(minutes=1)
            if world.now > world.start.timestamp() + 25 * 60:
                world.step()
        (job,) = world.jobs()
        assert job["state"] == "cancelled"
        check_rest(world, None)


def test_the_audit_leaves_alone_what_is_recorded() -> None:
    scenario = replace(one(jobs.WHOLE), minutes=60)
    world = scenario.world()
    play(scenario, world)
    assert world.line.sites.count("api.cancel") == 0
    assert not [name for _, name in world.table.items if name.startswith("orphan#")]

"""A campaign goes no way twice, and says the same of every run as if it had gone each from its beginning."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from batchdrop.core.change import Change
from batchdrop.core.model import Key
from tests.simulation.campaign import Campaign
from tests.simulation.jobs import TINY
from tests.simulation.oracle import Violation, check_answered_once, check_left_over
from tests.simulation.play import Course, play, replay
from tests.simulation.provider import Work
from tests.simulation.scenarios import one
from tests.simulation.watched import Item
from tests.simulation.wire import Fault, Line, fitting

SCENARIO = one(TINY)


def fate(faults: dict[int, Fault]) -> Line:
    return Line(decide=lambda number, site: faults.get(number))


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_goes_on_from_a_moment_ends_as_the_one_from_the_beginning(seed: int) -> None:
    chance, campaign = random.Random(seed), Campaign(SCENARIO, depth=3)
    number, site = chance.choice([call for call in campaign.calls_to_hurt if len(fitting(call[1])) > 1])
    first = campaign.run(number, chance.choice(fitting(site)))
    later = chance.choice([at for at, other in enumerate(first.sites, 1) if at > number and len(fitting(other)) > 1])
    second = campaign.run(later, chance.choice(fitting(first.sites[later - 1])), after=first)
    assert second.moments, "it came to a moment that was known: choose other seeds"

    world = SCENARIO.world(fate(dict(second.faults)))
    play(SCENARIO, world, again=False)
    last = SCENARIO.world()
    last.resumed(second.moments[-1].state)
    assert world.line.sites == second.sites
    assert (world.table.items, world.outputs(), world.minutes()) == (last.table.items, last.outputs(), last.minutes())


def test_what_two_runs_have_in_common_is_run_once() -> None:
    campaign = Campaign(SCENARIO)
    number = campaign.clean.sites.index("table.commit B4") + 1
    before = campaign.calls
    campaign.run(number - 1, Fault.AFTER)
    to_its_end = campaign.calls - before
    campaign.run(number, Fault.BEFORE)
    assert campaign.calls - before - to_its_end < to_its_end / 4


def test_a_broken_promise_is_found_wherever_a_run_was_left() -> None:
    campaign = Campaign(SCENARIO, depth=2)
    first = campaign.run(*next((at, Fault.AFTER) for at, site in campaign.calls_to_hurt if site == "api.upload"))
    moment = first.moments[-1]
    world = SCENARIO.world()
    course = world.resumed(moment.state)
    assert isinstance(course, Course)
    job = next(iter(world.jobs()))
    world.table.items[job["job_id"], "job"] = job | {"counts": job["counts"] | {"completed": 0}}
    first.moments.append(type(moment)(moment.number, world.saved(course)))
    campaign.run(moment.number + 1, Fault.ERROR, after=first)
    assert campaign.broken


def test_a_file_is_excused_by_a_fault_of_its_own_item_alone() -> None:
    world = SCENARIO.world()
    for item in ("one", "two"):
        file_id = world.api.upload(f"{item}.jsonl", io.BytesIO(b"{}"))
        world.table.files[file_id] = f"job {item}"
    world.line.faults.append((1, "table.commit B8 job one", Fault.AFTER))
    with pytest.raises(Violation, match=r"left at the provider: \['file-000002'\]"):
        check_left_over(world)


def test_a_request_that_is_answered_in_two_batches_of_its_chunk_is_found() -> None:
    world = SCENARIO.world()
    for name in ("0001", "0001.r"):
        failed = Counter("b" if name == "0001" else "")
        world.api.work[name] = Work(("job", f"chunk#000001#batch#{name}"), Counter("ab"[name != "0001" :]), failed)
    check_answered_once(world)
    world.api.work["0001.r"].ran["a"] += 1
    with pytest.raises(Violation, match=r"executed once more: .*'a'"):
        check_answered_once(world)


def test_asking_once_more_finds_a_write_that_changes_nothing() -> None:
    world = play(SCENARIO, SCENARIO.world())
    job = world.jobs()[0]
    again = Change(Key(job["job_id"], "job"), assign={("state",): job["state"]})
    look = world.table.due

    def due() -> Iterator[Item]:
        world.table.commit([again])
        return look()

    world.table.due = due  # type: ignore[method-assign]
    world._warm.clear()  # whose ports are the former ones
    with pytest.raises(Violation, match="changed something"):
        replay(world)

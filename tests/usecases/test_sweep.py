"""What was dropped and never told of."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from batchdrop.core import naming
from batchdrop.core.events import Dropped
from batchdrop.core.housekeeping import Sweeping, VersionCursor
from batchdrop.core.model import Job
from batchdrop.core.states import JobState
from batchdrop.usecases import sweep
from batchdrop.usecases.sweep import Sweep, Swept
from tests import samples
from tests.fakes.clock import FakeDeadline
from tests.fakes.objects import InMemoryObjects
from tests.usecases.world import World

HOUR = 3_600


@pytest.fixture
def world() -> World:
    """An empty bucket of a stack that was deployed an hour ago."""
    world = World()
    world.table.items.clear()
    world.objects = InMemoryObjects(world.clock, versioned=["input", "output"], plain=["work"], page=3)
    world.ledger.stack(world.clock.now())
    world.clock.advance(HOUR)
    return world


def swept(world: World, at: Sweeping | None = None, *jobs: Job, deadline: FakeDeadline | None = None) -> Sweeping:
    use_case = Sweep(world.ledger, world.objects, world.messages, world.clock, "input")
    _, came = use_case(at or Sweeping(), jobs, deadline or FakeDeadline())
    return came


def told(world: World) -> list[Dropped]:
    """What was sent since the last look."""
    found = [message.dropped for message in world.messages.pending if message.dropped]
    world.messages.pending.clear()
    return found


def drop(world: World, key: str, minutes_ago: float = 10) -> Dropped:
    """Put an object so many minutes ago; nobody hears of it."""
    now = world.clock.now()
    world.clock.set(now - dt.timedelta(minutes=minutes_ago))
    info = world.objects.put("input", key, b"x")
    world.clock.set(now)
    return Dropped("input", key, info.version_id)


def job_of(world: World, drop: Dropped, **changes: Any) -> Job:
    """The job of a drop, in the table."""
    job_id = naming.job_id(drop.bucket, drop.key, drop.version_id or "")
    info = world.objects.head(drop.bucket, drop.key, drop.version_id)
    assert info
    job = samples.running(job_id=job_id, input_key=drop.key, last_modified=info.last_modified, **changes)
    world.put(job)
    return job


def test_an_input_without_a_job_is_sent_to_the_submitter(world: World) -> None:
    lost, known = drop(world, "a.jsonl"), drop(world, "b.jsonl")
    job_of(world, known)
    swept(world)
    assert told(world) == [lost]


def test_every_version_of_a_key_is_a_job_of_its_own_though_it_was_deleted_since(world: World) -> None:
    versions = [drop(world, "a.jsonl", 20), drop(world, "a.jsonl", 10)]
    world.objects.delete("input", "a.jsonl")
    swept(world)
    assert sorted(map(repr, told(world))) == sorted(map(repr, versions))


@pytest.mark.parametrize("key", ["a.jsonl.tmp", "folder/", "._a.jsonl", "_SUCCESS", "a.jsonl.cancel"])
def test_what_the_planner_would_not_take_is_left_alone(world: World, key: str) -> None:
    drop(world, key)
    swept(world)
    assert told(world) == []


def test_a_name_of_the_wrong_kind_is_told_of_for_its_owner_must_hear_why(world: World) -> None:
    lost = drop(world, "a.csv")
    swept(world)
    assert told(world) == [lost]


def test_inputs_older_than_the_stack_are_not_ours_to_run(world: World) -> None:
    drop(world, "a.jsonl", minutes_ago=61)
    swept(world)
    assert told(world) == []


def test_a_young_input_is_left_to_its_own_event_and_found_by_the_next_pass(world: World) -> None:
    young = drop(world, "a.jsonl", minutes_ago=2)
    at = swept(world)
    assert told(world) == []
    world.clock.advance(minutes=10)
    swept(world, at)
    assert told(world) == [young]


def test_what_is_checked_once_is_not_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_of(world, drop(world, "a.jsonl"))
    at = swept(world)
    world.clock.advance(2 * HOUR)
    at = swept(world, at)
    world.clock.advance(HOUR)
    monkeypatch.setattr(type(world.ledger), "job", None)
    swept(world, at)


def test_what_was_sent_is_sent_again_until_its_job_is_there(world: World) -> None:
    lost = drop(world, "a.jsonl")
    at = Sweeping()
    for _ in range(30):
        at = swept(world, at)
        assert told(world) == [lost], "for that message may be lost, too"
        world.clock.advance(sweep.EVERY.total_seconds())
    job_of(world, lost)
    at = swept(world, at)
    assert told(world) == []
    assert at.checked_until == world.clock.now()


def test_an_upload_in_parts_is_found_days_after_it_was_begun(world: World) -> None:
    upload_id = world.objects.start_upload("input", "a.jsonl", metadata={}, content_type="text/plain")
    part = world.objects.upload_part("input", "a.jsonl", upload_id, 1, b"x")
    begun = world.clock.now()
    at = swept(world)
    now = world.clock.advance(hours=6 * 24)
    at = swept(world, at)
    world.clock.set(begun)  # S3 dates it by its beginning
    world.objects.complete_upload("input", "a.jsonl", upload_id, [part], only=None)
    world.clock.set(now)
    swept(world, at)
    assert [one.key for one in told(world)] == ["a.jsonl"]


def test_a_large_bucket_is_swept_in_rounds_from_a_saved_cursor(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "PAGES", 2)
    lost = [drop(world, f"{number:02}.jsonl") for number in range(20)]
    at, found = Sweeping(), []
    for _ in range(4):
        before, at = at, swept(world, at)
        now = told(world)
        assert len(now) <= 6
        found += now
        assert sweep.is_due(before, world.clock.now())
        world.clock.advance(sweep.EVERY.total_seconds())
    assert found == lost
    assert at.cursor is None


def test_what_comes_behind_the_cursor_is_found_by_the_next_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "PAGES", 1)
    for number in range(5):
        job_of(world, drop(world, f"m{number}.jsonl"))
    at = swept(world)
    assert at.cursor
    behind = drop(world, "a.jsonl", minutes_ago=0)
    for _ in range(2):
        world.clock.advance(sweep.EVERY.total_seconds())
        at = swept(world, at)
    assert told(world) == [behind]


def test_a_round_ends_in_time_and_goes_on_with_the_next_tick_where_it_was(world: World) -> None:
    lost = [drop(world, f"{number:02}.jsonl") for number in range(12)]
    at, found = Sweeping(), []
    for _ in range(12):
        at = swept(world, at, deadline=FakeDeadline(10, each=1))
        found += told(world)
        if at.cursor is None and at.checked_until:
            break
        assert sweep.is_due(at, world.clock.now())
    assert set(map(repr, found)) == set(map(repr, lost))
    assert at.next_at == world.clock.now() + sweep.EVERY


def test_a_page_that_takes_longer_than_a_round_has_is_gone_through_in_several(world: World) -> None:
    world.objects = InMemoryObjects(world.clock, versioned=["input"], plain=["output", "work"], page=100)
    for number in range(30):
        job_of(world, drop(world, f"{number:02}.jsonl"), state=JobState.COMPLETED)
    lost, at = drop(world, "z.jsonl"), Sweeping()
    for _ in range(4):
        at = swept(world, at, deadline=FakeDeadline(20, each=1))
    assert told(world) == [lost]
    assert at.checked_until


def test_a_round_that_ends_within_a_page_goes_on_behind_a_version_without_an_id(world: World) -> None:
    world.objects = InMemoryObjects(world.clock, versioned=[], plain=["input", "output", "work"], page=100)
    lost = [drop(world, f"{number:02}.jsonl") for number in range(12)]
    at, found = Sweeping(), []
    for _ in range(2):
        at = swept(world, at, deadline=FakeDeadline(12, each=1))
        found += told(world)
    assert found == lost


def test_the_next_round_is_due_after_ten_minutes(world: World) -> None:
    at = swept(world)
    assert not sweep.is_due(at, world.clock.advance(minutes=9))
    assert sweep.is_due(at, world.clock.advance(minutes=1))


def test_a_round_says_what_it_did(world: World) -> None:
    for number in range(4):
        drop(world, f"{number}.jsonl")
    use_case = Sweep(world.ledger, world.objects, world.messages, world.clock, "input")
    assert use_case(Sweeping(), [], FakeDeadline())[0] == Swept(pages=2, resent=4)


# ── cancels ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_that_nobody_heard_of_is_told_until_the_job_shows_it(world: World) -> None:
    job = job_of(world, drop(world, "a.jsonl", 30))
    cancel = drop(world, "a.jsonl.cancel", 10)
    at = swept(world, None, job)
    assert told(world) == [cancel]
    world.clock.advance(2 * HOUR)
    at = swept(world, at, job)
    assert told(world) == [cancel]
    swept(world, at, replace(job, cancel_requested_at=world.clock.now()))
    assert told(world) == []


@pytest.mark.parametrize("state", [JobState.ASSEMBLING, JobState.COMPLETED])
def test_a_cancel_that_comes_too_late_is_not_told_of(world: World, state: JobState) -> None:
    job = job_of(world, drop(world, "a.jsonl", 30), state=state)
    drop(world, "a.jsonl.cancel", 10)
    swept(world, None, job)
    assert told(world) == []


def test_a_cancel_is_for_older_inputs_of_its_key_alone(world: World) -> None:
    newer, other = job_of(world, drop(world, "a.jsonl", 10)), job_of(world, drop(world, "b.jsonl", 30))
    drop(world, "a.jsonl.cancel", 20)
    swept(world, None, newer, other)
    assert told(world) == []


# ── buckets without versions ────────────────────────────────────────────────────────────────────────────────────────


def test_an_input_without_a_version_is_told_of_for_its_job_says_what_is_wrong(world: World) -> None:
    world.objects = InMemoryObjects(world.clock, versioned=[], plain=["input"])
    lost = drop(world, "a.jsonl")
    assert lost.version_id is None
    swept(world)
    assert told(world) == [lost]
    world.put(samples.job(job_id=naming.job_id("input", "a.jsonl", "null"), state=JobState.FAILED))
    swept(world)
    assert told(world) == []


def test_one_without_a_version_that_a_newer_one_hides_can_never_be_read(world: World) -> None:
    world.objects = InMemoryObjects(world.clock, versioned=[], plain=["input"])
    drop(world, "a.jsonl")
    world.objects.versioned = frozenset({"input"})
    known = drop(world, "a.jsonl")
    job_of(world, known)
    swept(world)
    assert told(world) == []


def test_a_cursor_of_a_key_that_is_gone_does_no_harm(world: World) -> None:
    lost = drop(world, "b.jsonl")
    at = Sweeping(cursor=VersionCursor("a.jsonl", "v1"), began_at=world.clock.now())
    swept(world, at)
    assert told(world) == [lost]

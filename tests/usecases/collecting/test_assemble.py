"""The outputs of a job: put together once, under the right name, whoever finishes when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchdrop.core import assembly
from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Job
from batchdrop.core.states import BatchState, JobState
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.assembling import MIB, assemble, joined, large
from tests.usecases.collecting.world import World, rows
from tests.usecases.mortal import Died, Fate, lives


def test_the_status_and_the_event_come_after_the_results(world: World) -> None:
    job = joined(world, "a")

    ended = assemble(world, job)

    assert ended is not None
    told = [told.job_id for told in (*world.published, *world.messages.ended)]
    assert told == [ended.job_id, ended.job_id]
    assert ended.announced_at == world.clock.now()
    assert ended.ended_at == world.clock.now()


def test_a_job_with_open_chunks_is_left_alone(world: World) -> None:
    job, _ = world.run(["a"])

    assert assemble(world, job) is None
    assert world.job(job).state is JobState.RUNNING


def test_large_parts_are_copied_and_small_neighbours_sent_in_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job, whole = large(world, 7 * MIB, 100, 200, 12 * MIB, 3, 9)
    copied: list[int] = []
    copy_part = world.objects.copy_part

    def noted(*args: Any) -> Any:
        copied.append(args[4].end_byte - args[4].first_byte)
        return copy_part(*args)

    monkeypatch.setattr(world.objects, "copy_part", noted)

    ended = assemble(world, job)

    assert ended is not None
    assert world.output("large.results.jsonl") == whole
    assert sorted(copied) == [7 * MIB, 7 * MIB + 300], "all but what fills up the small ones to 5 MiB"
    assert world.objects.uploads == {}


def test_an_upload_goes_on_where_an_earlier_call_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchdrop.usecases.concatenate.WINDOW", 1)
    job, whole = large(world, *[6 * MIB] * 5)
    numbers: list[int] = []
    copy_part = world.objects.copy_part

    def noted(*args: Any) -> Any:
        numbers.append(args[3])
        return copy_part(*args)

    monkeypatch.setattr(world.objects, "copy_part", noted)
    deadline = FakeDeadline(300, each=80)

    assert world.collector().assemble(job, deadline) is None
    assert len(numbers) == 2, "the copies of two parts fitted in"
    assert len(world.objects.uploads) == 1
    world.clock.advance(minutes=20)
    assert assemble(world, job) is not None

    assert sorted(numbers) == [1, 2, 3, 4, 5], "none is copied twice"
    assert world.output("large.results.jsonl") == whole
    assert world.objects.uploads == {}


def test_an_upload_that_is_gone_is_begun_anew(world: World) -> None:
    job, whole = large(world, *[6 * MIB] * 3)
    assert assemble(world, job, seconds=100) is None
    world.objects.uploads.clear()
    world.clock.advance(minutes=20)

    assert assemble(world, job) is not None

    assert world.output("large.results.jsonl") == whole


def test_who_read_the_job_before_its_upload_was_noted_begins_no_other_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, whole = large(world, *[6 * MIB] * 3)
    start, copy_part = world.objects.start_upload, world.objects.copy_part
    read: list[Job] = []

    def reading(*args: Any, **how: Any) -> Any:
        read.append(world.job(job))
        return start(*args, **how)

    def busy(*_: Any) -> Any:
        raise RetryLater("busy")

    monkeypatch.setattr(world.objects, "start_upload", reading)
    monkeypatch.setattr(world.objects, "copy_part", busy)
    with pytest.raises(RetryLater):
        assemble(world, job)
    monkeypatch.setattr(world.objects, "copy_part", copy_part)
    (stale,) = read
    assert world.collector().assemble(stale, FakeDeadline(900)) is None
    assert assemble(world, job) is not None

    assert world.output("large.results.jsonl") == whole
    assert (len(read), world.objects.uploads) == (1, {})


def test_who_lost_the_job_before_its_upload_was_noted_drops_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job, whole = large(world, 7 * MIB, 12 * MIB)
    start_upload = world.objects.start_upload

    def overtaken(*args: Any, **how: Any) -> str:
        """Another one, who took the claim for his own, is first in all that follows."""
        monkeypatch.setattr(world.objects, "start_upload", start_upload)
        upload_id = start_upload(*args, **how)
        world.ledger.note_upload(world.job(job), {}, job.stem)
        return upload_id

    monkeypatch.setattr(world.objects, "start_upload", overtaken)
    assert assemble(world, job) is None
    assert world.objects.uploads == {}
    world.clock.advance(minutes=20)
    assert assemble(world, world.job(job)) is not None
    assert world.output("large.results.jsonl") == whole


def test_more_parts_than_an_upload_takes_are_merged_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "MOST_PARTS", 3)
    monkeypatch.setattr(assembly, "MERGED", 1)
    job, whole = large(world, *[6 * MIB] * 8)
    held: list[int] = []
    complete = world.objects.complete_upload

    def noted(bucket: str, key: str, upload_id: str, parts: Any, **how: Any) -> Any:
        held.append(len(parts))
        return complete(bucket, key, upload_id, parts, **how)

    monkeypatch.setattr(world.objects, "complete_upload", noted)

    assert assemble(world, job) is not None

    assert world.output("large.results.jsonl") == whole
    assert held == [3, 3, 3], "two runs of neighbours, what is left in one go, then those three"
    assert world.objects.uploads == {}


@pytest.mark.no_cover
def test_ten_thousand_small_parts_become_one_object_whenever_time_runs_out(world: World) -> None:
    job, whole = large(world, *[2_000] * 10_000)
    calls = 1
    while world.collector().assemble(world.job(job), FakeDeadline(300, each=20)) is None:
        world.clock.advance(minutes=1)
        calls += 1

    assert calls > 5, "each does a part of it"
    assert world.output("large.results.jsonl") == whole
    assert world.objects.uploads == {}
    assert world.job(job).crashes == 0, "running out of time is no crash"


def test_an_answer_that_was_lost_when_the_upload_was_completed_is_found_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, whole = large(world, *[6 * MIB] * 3)
    complete = world.objects.complete_upload

    def lost(*args: Any, **how: Any) -> None:
        complete(*args, **how)

    monkeypatch.setattr(world.objects, "complete_upload", lost)

    assert assemble(world, job) is not None

    assert world.output("large.results.jsonl") == whole
    assert len(world.objects.versions("output", "large.results.jsonl")) == 1


# ── who holds the name ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_whose_requests_were_all_given_up_still_delivers(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.put(msgspec.structs.replace(batch, state=BatchState.QUARANTINED, due=None))
    world.collect(world.chunk(job))

    assert world.job(job).state is JobState.COMPLETED
    assert rows(world.output("reviews.results.jsonl"))[0]["error"]["code"] == "quarantined"


@pytest.mark.no_cover
def test_death_at_any_call_of_a_large_assembly_publishes_the_same_once(tmp_path: Path) -> None:
    alive = Fate(10**9, after=False)
    job, whole = large(world := World(tmp_path), *[6 * MIB] * 3)
    assert assemble(world, job, wrap=alive.wrap) is not None
    for at, after in lives(alive.calls):
        large(world := World(tmp_path), *[6 * MIB] * 3)
        with pytest.raises(Died):
            assemble(world, job, wrap=Fate(at, after=after).wrap)
        world.clock.advance(minutes=20)
        world.collect(job)

        assert world.output("large.results.jsonl") == whole, at
        assert len(world.objects.versions("output", "large.results.jsonl")) == 1, at
        assert len(world.objects.uploads) <= 1, "one that died before it was noted"
        assert world.job(job).cleaned_at is not None, at

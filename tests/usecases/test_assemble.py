"""The outputs of a job: put together once, under the right name, whoever finishes when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchdrop.core import assembly, naming
from batchdrop.core.model import BatchState, ChunkState, Job, JobState
from batchdrop.ports import IfAbsent
from tests import samples
from tests.fakes.answers import answer
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting import World, ids, rows
from tests.usecases.mortal import Died, Fate, lives

MIB = 2**20


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def joined(world: World, *ids_: str, key: str = "reviews.jsonl", failing: tuple[str, ...] = (), **job: Any) -> Job:
    """A job whose only chunk is collected."""
    made, [batch] = world.run(ids_, key=key, **job)
    world.finish(batch, errors=[answer(one, 400) for one in failing])
    collect = world.collector()
    assert world.fetch(batch)
    assert collect.join(world.chunk(made), FakeDeadline())
    return world.job(made)


def assemble(world: World, job: Job, seconds: float = 900, wrap: Any = lambda port: port) -> Job | None:
    return world.collector(wrap).assemble(world.job(job), FakeDeadline(seconds))


def large(world: World, *sizes: int) -> tuple[Job, bytes]:
    """A job whose chunks have parts of these sizes; the bytes that its results must be."""
    job = samples.running(
        job_id="large-000000000000",
        bucket="input",
        input_key="large.jsonl",
        stem="large",
        chunks=len(sizes),
        open_chunks=0,
    )
    world.put(job)
    whole = b""
    for number, size in enumerate(sizes, 1):
        data = bytes([64 + number]) * (size - 1) + b"\n"
        world.objects.put("output", naming.part_key("large", job.job_id, number, "results"), data)
        world.put(samples.chunk(number, job_id=job.job_id, state=ChunkState.COLLECTED, results_bytes=size, due=None))
        whole += data
    return job, whole


def test_the_outputs_say_which_input_they_answer(world: World) -> None:
    job = joined(world, "a", "b", failing=("b",))

    ended = assemble(world, job)

    assert ended is not None
    assert ended.state is JobState.COMPLETED
    for kind in ("results", "errors"):
        info = world.objects.head("output", f"reviews.{kind}.jsonl")
        assert info is not None
        assert ended.outputs[kind] == {"key": f"reviews.{kind}.jsonl", "version_id": info.version_id}
        assert info.metadata == {
            "job-id": job.job_id,
            "input-key": "reviews.jsonl",
            "input-version": job.version_id,
            "input-last-modified": "2026-11-22T12:00:00+00:00",
        }


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


def test_more_parts_than_an_upload_takes_are_merged_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "MOST_PARTS", 3)
    job, whole = large(world, *[6 * MIB] * 8)

    assert assemble(world, job) is not None

    assert world.output("large.results.jsonl") == whole
    assert world.objects.uploads == {}


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


def test_a_second_version_replaces_the_first_ones_outputs(world: World) -> None:
    first = joined(world, "a")
    assemble(world, first)
    world.clock.advance(minutes=5)
    second = joined(world, "b")

    ended = assemble(world, second)

    assert ended is not None
    assert ended.published_as == "reviews"
    assert ids(world.output("reviews.results.jsonl")) == ["b"]


def test_the_older_of_two_versions_finishing_last_stands_beside_the_newer(world: World) -> None:
    older = joined(world, "a", "b", failing=("b",))
    world.clock.advance(minutes=5)
    newer = joined(world, "c")
    assemble(world, newer)

    ended = assemble(world, older)

    assert ids(world.output("reviews.results.jsonl")) == ["c"]
    assert world.objects.head("output", "reviews.errors.jsonl") is None
    assert ended is not None
    assert ended.published_as == f"reviews.{older.job_id}"
    assert ids(world.output(f"reviews.{older.job_id}.results.jsonl")) == ["a", "b"]
    assert len(rows(world.output(f"reviews.{older.job_id}.errors.jsonl"))) == 1


@pytest.mark.parametrize("newest_first", [True, False])
def test_two_versions_of_the_same_second_are_told_apart_by_which_job_came_last(
    world: World, newest_first: bool
) -> None:
    older, newer = joined(world, "a"), joined(world, "b")
    assert older.last_modified == newer.last_modified
    world.table.items["input#input/reviews.jsonl", "newest"] = {
        "job_id": "input#input/reviews.jsonl",
        "item": "newest",
        "newest_job_id": newer.job_id,
    }

    for job in (newer, older) if newest_first else (older, newer):
        assert assemble(world, job) is not None

    assert ids(world.output("reviews.results.jsonl")) == ["b"]


def test_a_jsonl_and_a_jsonl_gz_of_one_stem_both_keep_their_results(world: World) -> None:
    plain, packed = joined(world, "a", key="a.jsonl"), joined(world, "b", key="a.jsonl.gz")

    assemble(world, packed)
    ended = assemble(world, plain)

    assert ids(world.output("a.results.jsonl")) == ["b"]
    assert ended is not None
    assert ids(world.output(f"{ended.published_as}.results.jsonl")) == ["a"]


def test_something_that_is_not_ours_is_never_overwritten(world: World) -> None:
    world.objects.put("output", "reviews.errors.jsonl", b"mine")
    job = joined(world, "a")

    ended = assemble(world, job)

    assert world.output("reviews.errors.jsonl") == b"mine"
    assert ended is not None
    assert ended.published_as == f"reviews.{job.job_id}"


def test_a_clean_second_run_removes_the_errors_of_the_first(world: World) -> None:
    assemble(world, joined(world, "a", "b", failing=("a",)))
    assert world.objects.head("output", "reviews.errors.jsonl")
    world.clock.advance(minutes=5)

    assemble(world, joined(world, "a", "b"))

    assert world.objects.head("output", "reviews.errors.jsonl") is None


class Overtaken:
    """An object store in which somebody writes a name just before we do, once."""

    def __init__(self, objects: Any, key: str, metadata: dict[str, str]) -> None:
        self._objects, self._key, self._metadata = objects, key, metadata

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def write(self, bucket: str, key: str, blocks: Any, **how: Any) -> Any:
        if key == self._key and isinstance(how["only"], IfAbsent):
            self._objects.put(bucket, key, b"theirs\n", self._metadata)
        return self._objects.write(bucket, key, blocks, **how)


def test_a_name_lost_in_the_last_moment_leaves_nothing_of_ours_under_it(world: World) -> None:
    job = joined(world, "a", "b", failing=("b",))
    theirs = {"job-id": "other", "input-key": "reviews.jsonl.gz", "input-last-modified": "2020"}

    ended = assemble(
        world,
        job,
        wrap=lambda port: Overtaken(port, "reviews.results.jsonl", theirs) if port is world.objects else port,
    )

    assert world.output("reviews.results.jsonl") == b"theirs\n"
    assert world.objects.head("output", "reviews.errors.jsonl") is None
    assert ended is not None
    assert ids(world.output(f"reviews.{job.job_id}.results.jsonl")) == ["a", "b"]
    assert len(rows(world.output(f"reviews.{job.job_id}.errors.jsonl"))) == 1


def test_a_name_taken_by_an_older_run_in_the_last_moment_is_replaced(world: World) -> None:
    job = joined(world, "a")
    theirs = {"job-id": "older", "input-key": "reviews.jsonl", "input-last-modified": "2020-01-01T00:00:00+00:00"}

    assemble(
        world,
        job,
        wrap=lambda port: Overtaken(port, "reviews.results.jsonl", theirs) if port is world.objects else port,
    )

    assert ids(world.output("reviews.results.jsonl")) == ["a"]


def test_a_job_whose_requests_were_all_given_up_still_delivers(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.put(msgspec.structs.replace(batch, state=BatchState.QUARANTINED, due=None))
    world.collect(world.chunk(job))

    assert world.job(job).state is JobState.COMPLETED
    assert rows(world.output("reviews.results.jsonl"))[0]["error"]["code"] == "not_answered"


def test_an_upload_for_a_name_that_is_lost_meanwhile_is_dropped(world: World) -> None:
    job, whole = large(world, *[6 * MIB] * 3)
    assert assemble(world, job, seconds=100) is None
    assert len(world.objects.uploads) == 1
    world.objects.put("output", "large.results.jsonl", b"theirs")
    world.clock.advance(minutes=20)

    assert assemble(world, job) is not None

    assert world.objects.uploads == {}
    assert world.output(f"large.{job.job_id}.results.jsonl") == whole


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

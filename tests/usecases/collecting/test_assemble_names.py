"""Under which names outputs are published, whoever finishes when."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.core.states import JobState
from batchdrop.ports import IfAbsent
from tests.usecases.collecting.assembling import MIB, assemble, joined, large
from tests.usecases.collecting.world import World, ids, rows


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
            "input-bucket": job.bucket,
            "input-key": "reviews.jsonl",
            "input-version": job.version_id,
            "input-last-modified": "2026-11-22T12:00:00+00:00",
        }


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


def test_an_upload_for_a_name_that_is_lost_meanwhile_is_dropped(world: World) -> None:
    job, whole = large(world, *[6 * MIB] * 3)
    assert assemble(world, job, seconds=100) is None
    assert len(world.objects.uploads) == 1
    world.objects.put("output", "large.results.jsonl", b"theirs")
    world.clock.advance(minutes=20)

    assert assemble(world, job) is not None

    assert world.objects.uploads == {}
    assert world.output(f"large.{job.job_id}.results.jsonl") == whole

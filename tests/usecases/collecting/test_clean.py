"""What a job leaves behind: nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from batchdrop.core.errors import RetryLater
from batchdrop.core.lifecycle import FINAL
from batchdrop.core.model import Job
from batchdrop.core.states import BatchState, ChunkState, JobState
from tests import samples
from tests.fakes.answers import answer
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.world import World


def ended(world: World, batches: int = 2) -> Job:
    """A job that is completed, not yet cleaned."""
    job, made = world.run(*([f"r{number}"] for number in range(batches)))
    for batch in made:
        world.finish(batch, errors=[answer(f"r{int(batch.name) - 1}", 400)])
        world.fetch(batch)
    collect = world.collector()
    collect.join(world.chunk(job), FakeDeadline())
    done = collect.assemble(world.job(job), FakeDeadline())
    assert done is not None
    return done


def test_our_files_parts_and_staged_objects_go_and_nothing_else(world: World) -> None:
    job = ended(world)
    foreign = world.api._file(b"somebody else's")
    world.objects.put("output", "reviews.parts/another-job/000001.results.jsonl", b"x")
    world.objects.put("work", f"{job.job_id}0/chunk-000001/x", b"x")

    assert world.collector().clean(job, FakeDeadline())

    assert list(world.api.files) == [foreign]
    assert world.objects.keys("work") == [f"{job.job_id}0/chunk-000001/x"]
    assert world.objects.keys("output", "reviews.parts/") == ["reviews.parts/another-job/000001.results.jsonl"]
    assert {"reviews.errors.jsonl", "reviews.results.jsonl"} < set(world.objects.keys("output"))


def test_the_job_stays_in_the_table_and_what_belongs_to_it_expires_in_30_days(world: World) -> None:
    job = ended(world)

    world.collector().clean(job, FakeDeadline())

    items = {item["item"]: item for item in world.table.query(job.job_id)}
    assert "expires" not in items["job"]
    assert "due" not in items["job"]
    month = (world.clock.now() + timedelta(days=30)).timestamp()
    assert {item["expires"] for name, item in items.items() if name != "job"} == {month}


@pytest.mark.parametrize("state", BatchState)
def test_nothing_of_a_failed_job_is_cleaned_while_a_batch_of_it_may_come_to_run(
    world: World, state: BatchState
) -> None:
    job, [first, second] = world.run(["a"], ["b"])
    world.submit(first)
    world.api.finish(world.submit(second))
    for name, now_in in (("0001", state), ("0002", BatchState.ENDED)):
        world.put(msgspec.structs.replace(world.batch(job.job_id, name), state=now_in))
    failed = world.ledger.lose_input(job, code="input_gone", reason="it was removed", now=world.clock.now())
    assert failed
    before = dict(world.api.files)

    is_over = state in (BatchState.QUEUED, BatchState.ENDED, *FINAL)
    assert world.collector().clean(failed, FakeDeadline()) is is_over

    assert world.api.files == before or is_over
    assert (world.batch(job.job_id, "0001").due is None) is is_over, "the poller sees what may run"


def test_a_failed_job_is_cleaned_when_nobody_fetches_for_it_any_more(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.api.finish(world.submit(batch))
    lease = world.clock.now() + timedelta(minutes=16)
    world.put(msgspec.structs.replace(world.batch(job.job_id, "0001"), state=BatchState.ENDED, lease_until=lease))
    failed = world.ledger.lose_input(job, code="input_gone", reason="it was removed", now=world.clock.now())
    assert failed

    assert not world.collector().clean(failed, FakeDeadline())
    world.clock.advance(minutes=16)
    assert world.collector().clean(failed, FakeDeadline())


def test_files_at_the_provider_are_kept_if_the_operator_wants_them(world: World) -> None:
    job = ended(world)
    before = dict(world.api.files)

    assert world.collector(keep=True).clean(job, FakeDeadline())

    assert world.api.files == before
    assert world.objects.keys("work") == []


def many(world: World, batches: int) -> Job:
    """A completed job, each of whose batches has left two files at the provider."""
    job, _ = world.run(["a"])
    done = msgspec.structs.replace(job, state=JobState.COMPLETED, announced_at=world.clock.now())
    world.put(done)
    for number in range(1, batches + 1):
        files: dict[str, Any] = {"file_id": world.api._file(b"in"), "output_file_id": world.api._file(b"out")}
        world.put(samples.batch(number, job_id=job.job_id, state=BatchState.FETCHED, due=None, **files))
    return done


def test_cleaning_goes_on_behind_the_last_batch_that_was_cleaned(world: World) -> None:
    job = many(world, batches=950)
    clean = world.collector().clean
    calls = 1
    while not clean(job, FakeDeadline(60, each=11)):
        calls += 1

    assert calls > 3
    assert world.api.calls["delete_file"] == 1_900, "none is asked for twice"
    assert world.api.files == {}
    assert world.objects.keys("work") == []


def test_ten_thousand_items_are_told_when_they_expire_in_as_many_calls_as_it_takes(world: World) -> None:
    job = many(world, batches=0)
    for number in range(1, 10_001):
        world.put(samples.chunk(number, job_id=job.job_id, state=ChunkState.COLLECTED))
    clean = world.collector().clean
    calls = 1
    while not clean(job, FakeDeadline(60, each=1)):
        calls += 1

    items = [item for item in world.table.items.values() if item["item"].startswith("chunk#")]
    assert len(items) == 10_001, "its chunks, and the batch that it had from the start"
    assert all("expires" in item and "due" not in item for item in items)
    assert calls > 1
    assert world.job(job).cleaned_at == world.clock.now()


def test_a_provider_that_is_busy_delays_the_cleaning_only(world: World) -> None:
    job = ended(world)
    world.api.script("delete_file", RetryLater("busy"), call=2)
    clean = world.collector().clean

    with pytest.raises(RetryLater):
        clean(job, FakeDeadline())
    assert clean(job, FakeDeadline())

    assert world.api.files == {}


def test_only_a_job_that_has_ended_is_cleaned(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.submit(batch)

    assert not world.collector().clean(job, FakeDeadline())
    assert world.api.files


def test_what_a_failed_plan_staged_is_removed(world: World) -> None:
    job, _ = world.run(["a"])
    failed = msgspec.structs.replace(job, state=JobState.FAILED)
    world.put(failed)
    world.objects.put("work", f"{job.job_id}/chunk-000001/requests.jsonl", b"x")

    world.collect(failed)

    assert world.objects.keys("work") == []
    assert world.job(job).cleaned_at == world.clock.now()

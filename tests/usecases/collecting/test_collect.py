"""The collector as a whole: it goes as far as it can, and may die anywhere."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from batchdrop.core.errors import Misconfigured
from batchdrop.core.model import Job, Key
from batchdrop.core.states import BatchState, JobState
from batchdrop.telemetry import Metric, of_collect
from batchdrop.usecases.collect import Trouble
from tests.fakes.answers import answer
from tests.fakes.clock import FakeDeadline
from tests.usecases.collecting.world import World, ids, rows, usage_of
from tests.usecases.mortal import Died, Fate, die, lives


def test_the_last_batch_brings_the_job_to_its_end_in_one_call(world: World) -> None:
    job, [first, second] = world.run(["a"], ["b"])
    for batch in (first, second):
        world.finish(batch)

    world.collect(first)
    assert world.job(job).state is JobState.RUNNING
    world.collect(second)

    assert world.job(job).state is JobState.COMPLETED
    assert world.job(job).cleaned_at is not None
    assert not list(world.ledger.open_items())


def test_short_of_time_it_stops_between_two_steps(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)

    world.collect(batch, deadline=200)
    assert (world.batch(job.job_id, "0001").state, world.chunk(job).state) == (BatchState.FETCHED, "open")
    world.collect(world.chunk(job), deadline=200)
    assert (world.chunk(job).state, world.job(job).state) == ("collected", JobState.RUNNING)
    world.collect(job, deadline=200)
    assert (world.job(job).state, world.job(job).cleaned_at) == (JobState.COMPLETED, None)
    world.collect(job, deadline=200)
    assert world.job(job).cleaned_at is not None


def test_late_and_doubled_messages_change_nothing(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    world.collect(batch)
    before = dict(world.table.items), world.objects.keys("output"), len(world.messages.ended)

    for key in (batch.key, world.chunk(job).key, job.key, Key("nobody", "job"), Key(job.job_id, "chunk#000009")):
        world.collect(key)

    assert (dict(world.table.items), world.objects.keys("output"), len(world.messages.ended)) == before


def test_an_ended_job_that_nobody_was_told_about_is_announced_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    world.collect(batch, deadline=200)
    world.collect(world.chunk(job), deadline=200)
    with monkeypatch.context() as dying:
        dying.setattr(world.messages, "job_ended", die)
        with pytest.raises(Died):
            world.collect(job)

    world.collect(job)

    assert [ended.state for ended in world.messages.ended] == [JobState.COMPLETED]
    assert world.job(job).cleaned_at is not None


# ── death at every call ─────────────────────────────────────────────────────────────────────────────────────────────


def scenario(world: World) -> Job:
    """Two batches: one expired half done, with a failure; one that a line of it failed."""
    names = [f"r{number}" for number in range(8)]
    job, [first, second] = world.run(names[:4], names[4:])
    world.end(first, world.api.expire(world.submit(first), done=0.5))
    world.finish(second, errors=[answer("r6", 400)])
    return job


def play(world: World, fate: Fate) -> Job:
    """The job to its end, with one death on the way; later invocations live."""
    job = scenario(world)
    try:
        world.settle(job, world.collector(fate.wrap))
    except Died:
        world.clock.advance(minutes=20)
        world.settle(job)
    return job


def calls_of_a_life(tmp_path: Path) -> int:
    fate = Fate(10**9, after=False)
    play(World(tmp_path), fate)
    return fate.calls


def test_death_at_any_call_changes_nothing_in_the_end(tmp_path: Path) -> None:
    calls = calls_of_a_life(tmp_path)
    assert calls > 50
    for at, after in lives(calls):
        world = World(tmp_path)
        job = play(world, Fate(at, after=after))
        check(world, job, f"died {'after' if after else 'before'} call {at}")


def check(world: World, job: Job, story: str) -> None:
    ended = world.job(job)
    assert ended.state is JobState.COMPLETED, story
    assert ids(world.output("reviews.results.jsonl")) == [f"r{number}" for number in range(8)], story
    assert [row["line"] for row in rows(world.output("reviews.errors.jsonl"))] == [7], story
    assert ended.usage == {"gpt-5-mini": usage_of(7)}, story
    assert (ended.counts.completed, ended.counts.failed, ended.counts.retried) == (7, 1, 2), story
    assert set(world.batches(job)) == {"0001", "0001.r", "0002"}, story
    assert set(world.api.executed.values()) == {1}, story
    assert world.api.files == {}, story
    assert world.objects.uploads == {}, story
    assert world.objects.keys("work") == [], story
    outputs = ["reviews.errors.jsonl", "reviews.results.jsonl"]
    assert world.objects.keys("output") == outputs, story
    assert [len(world.objects.versions("output", key)) for key in outputs] == [1, 1], story
    assert world.messages.ended, story
    assert not list(world.ledger.open_items()), story


def test_a_dead_call_is_not_in_the_way_of_the_next_for_longer_than_its_lease(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    with pytest.raises(Died):
        world.collector(Fate(4, after=True).wrap)(batch.key, FakeDeadline(600))

    world.collect(batch)
    assert world.batch(job.job_id, "0001").state is BatchState.ENDED
    world.clock.advance(661)
    world.collect(batch)

    assert world.job(job).state is JobState.COMPLETED


def test_a_key_that_is_refused_here_is_counted_where_the_alarm_looks(world: World) -> None:
    _, [batch] = world.run(["a"])
    world.finish(batch)
    world.api.script("download", Misconfigured("invalid_api_key", "no"))
    refused = world.collector()(batch.key, FakeDeadline())
    assert refused == Trouble("invalid_api_key: no", misconfigured=True)
    assert of_collect(refused)[Metric.MISCONFIGURED] == 1
    busy = Trouble("busy")
    assert (of_collect(busy)[Metric.MISCONFIGURED], of_collect(busy)[Metric.COLLECT_TROUBLES]) == (0, 1)
    assert world.collect(batch) is None


def test_the_status_of_a_job_that_lost_its_input_is_written_again_when_its_batches_have_ended(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    lost = world.ledger.lose_input(job, code="input_gone", reason="it was removed", now=world.clock.now())
    assert lost

    world.collect(job)
    assert [one.state for one in world.published] == [JobState.FAILED], "told of, and cleaned, by one call"

    world.put(msgspec.structs.replace(world.job(job), cleaned_at=None))
    for _ in range(2):
        world.collect(job)
    assert len(world.published) == 2, "once it is cleaned, there is nothing new"
    assert len(world.messages.ended) == 1

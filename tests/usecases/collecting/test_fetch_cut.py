"""Answer files that are cut, late or gone."""

from __future__ import annotations

from batchdrop.core.errors import RetryLater
from batchdrop.core.states import BatchState
from tests.fakes.answers import answer, unexecuted
from tests.usecases.collecting.world import World, ids


def test_a_download_cut_in_the_middle_starts_anew_within_the_call(world: World) -> None:
    _, [batch] = world.run([f"r{number}" for number in range(500)])
    world.finish(batch)
    world.api.script("download", RetryLater("cut"), call=1, after=True)

    world.fetch(batch)

    assert len(set(ids(world.answers(batch)))) == 500
    assert world.answers(batch).count(b"\n") == 500


def test_a_download_that_is_always_cut_is_left_to_a_later_call(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    world.finish(batch)
    for call in (1, 2, 3):
        world.api.script("download", RetryLater("cut"), call=call, after=True)

    assert world.collect(batch) == "cut"

    assert world.objects.keys("work") == [], "no half of an answer is kept"
    world.settle(job)
    assert ids(world.output("reviews.results.jsonl")) == ["a", "b"]


def test_a_cut_near_the_end_of_an_invocation_is_not_tried_again_in_it(world: World) -> None:
    _, [batch] = world.run(["a"])
    world.finish(batch)
    world.api.script("download", RetryLater("cut"), after=True)

    assert world.collect(batch, deadline=100) == "cut"

    assert world.api.calls["download"] == 1


def test_a_file_that_cannot_be_read_yet_is_waited_for(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    file_id = world.batch(job.job_id, "0001").output_file_id
    assert file_id
    data = world.api.files.pop(file_id)
    assert "cannot be read yet" in (world.collect(batch) or "")

    world.api.files[file_id] = data
    world.clock.advance(minutes=20)
    world.collect(batch)

    assert ids(world.output("reviews.results.jsonl")) == ["a"]


def test_an_error_file_that_stays_gone_counts_as_one_without_lines(world: World) -> None:
    job, [batch] = world.run(["a", "b"])
    world.finish(batch, output=[answer("a")], errors=[unexecuted("b")])
    del world.api.files[world.batch(job.job_id, "0001").error_file_id or ""]
    world.clock.advance(hours=2)

    world.collect(batch)

    assert world.batch(job.job_id, "0001.r").attempt == 2


def test_answers_that_are_paid_for_and_cannot_be_read_are_never_bought_again(world: World) -> None:
    job, [batch] = world.run(["a"])
    world.finish(batch)
    world.api.files.clear()
    world.clock.advance(hours=48)

    assert "cannot be read yet" in (world.collect(batch) or "")

    assert list(world.batches(job)) == ["0001"]
    held = world.batch(job.job_id, "0001")
    assert (held.state, held.reason) == (BatchState.ENDED, f"{held.output_file_id} cannot be read yet")

"""Submitting once, against in-memory ports."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import pytest

from batchdrop.core.allowance import Named
from batchdrop.core.errors import BatchdropError, Misconfigured, OutcomeUnknown, Rejected, RetryLater
from batchdrop.core.model import Batch, Key
from batchdrop.core.poison import CRASHES
from batchdrop.core.states import BatchState
from batchdrop.ports import Replayable
from batchdrop.usecases import dividing
from batchdrop.usecases.submit import Submit, Submitted
from tests import samples
from tests.fakes.batch_api import InMemoryBatchApi
from tests.fakes.clock import FakeDeadline
from tests.usecases.world import BODY, World


@dataclass(frozen=True)
class Submission:
    """An admitted batch and the use case that submits it."""

    world: World
    key: Key

    @property
    def api(self) -> InMemoryBatchApi:
        return self.world.api

    @property
    def batch(self) -> Batch:
        return self.world.read(self.key)

    def __call__(self, seconds: float = 900) -> Submitted:
        world = self.world
        submit = Submit(world.ledger, world.objects, world.api, world.clock, create_lease=90)
        return submit(self.key, FakeDeadline(seconds))


@contextlib.contextmanager
def throttled(submission: Submission, write: str, times: int = 99) -> Iterator[None]:
    """The first calls of that method of the ledger fail, and do nothing."""
    ledger = submission.world.ledger
    real, left = getattr(ledger, write), [RetryLater("throttled")] * times

    def call(*args: object, **how: object) -> object:
        if left:
            raise left.pop()
        return real(*args, **how)

    setattr(ledger, write, call)
    yield
    setattr(ledger, write, real)


@pytest.fixture
def submission(world: World) -> Submission:
    return Submission(world, world.batch(state=BatchState.ADMITTED).key)


def test_the_users_bytes_go_out_untouched_and_the_batch_is_recorded(submission: Submission) -> None:
    assert submission() is Submitted.CREATED
    assert submission.batch.state is BatchState.IN_FLIGHT
    assert submission.batch.file_id is not None
    assert submission.api.files[submission.batch.file_id].data == BODY
    remote = submission.api.batches[submission.batch.openai_batch_id or ""]
    assert remote.metadata["batchdrop_item"] == submission.key.item
    assert remote.metadata["batchdrop_stack"] == submission.world.ledger.stack(submission.world.clock.now()).id


def test_the_same_message_three_times_buys_one_batch(submission: Submission) -> None:
    outcomes = [submission() for _ in range(3)]
    assert outcomes == [Submitted.CREATED, Submitted.STALE, Submitted.STALE]
    assert submission.api.calls["create"] == 1


def test_an_unknown_outcome_leaves_the_intent_and_is_not_tried_again(submission: Submission) -> None:
    submission.api.script("create", OutcomeUnknown("reset"), after=True)
    assert submission() is Submitted.UNKNOWN
    assert submission() is Submitted.STALE
    assert submission.batch.state is BatchState.CREATING
    assert submission.batch.intent_at == submission.world.clock.now()
    assert submission.batch.created_under == submission.api.key
    assert len(submission.api.batches) == 1


def test_the_intent_names_the_key_that_came_while_the_file_was_uploaded(submission: Submission) -> None:
    upload = submission.api.upload

    def meanwhile(name: str, body: Replayable) -> str:
        submission.api.key = "2"
        return upload(name, body)

    submission.api.upload = meanwhile  # type: ignore[method-assign]
    assert submission() is Submitted.CREATED
    assert submission.batch.created_under == "2"


def test_without_a_key_to_name_there_is_no_intent(submission: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission.api, "key_version", Mock(side_effect=Misconfigured("missing_secret", "it is empty")))
    assert submission() is Submitted.BLOCKED
    assert submission.batch.intent_at is None
    assert submission.api.files == {}, "no file is left behind"
    assert submission.api.calls["create"] == 0


@pytest.mark.parametrize("method", ["upload", "create"])
def test_a_passing_refusal_queues_it_with_the_wait_that_was_asked_for(submission: Submission, method: str) -> None:
    submission.api.script(method, RetryLater("slow down", code="rate_limit_exceeded", after=130))  # type: ignore[arg-type]
    assert submission() is Submitted.REQUEUED
    assert submission.batch.state is BatchState.QUEUED
    assert submission.batch.not_before == submission.world.clock.now() + dt.timedelta(seconds=130)
    assert submission.api.files == {}, "no file is left behind"


def test_repeated_refusals_wait_longer_each_time(submission: Submission) -> None:
    waits = []
    for _ in range(3):
        submission.api.script("create", RetryLater("busy"))
        submission()
        queued = submission.batch
        assert queued.not_before
        waits.append((queued.not_before - submission.world.clock.now()).total_seconds())
        assert submission.world.ledger.admit(queued, lease=submission.world.clock.now())
    assert waits == [60, 120, 240]


@pytest.mark.parametrize("method", ["upload", "create"])
def test_a_lasting_refusal_ends_the_batch_with_its_error(submission: Submission, method: str) -> None:
    submission.api.script(method, Rejected("invalid_value", "no such endpoint"))  # type: ignore[arg-type]
    assert submission() is Submitted.REFUSED
    assert (submission.batch.state, submission.batch.error_codes) == (BatchState.ENDED, ("invalid_value",))


@pytest.mark.parametrize("method", ["upload", "create"])
def test_what_the_operator_must_mend_blocks_the_batch_visibly(submission: Submission, method: str) -> None:
    submission.api.script(method, Misconfigured("invalid_api_key", "the key was refused"))  # type: ignore[arg-type]
    assert submission() is Submitted.BLOCKED
    assert submission.batch.state is BatchState.BLOCKED
    assert submission.batch.reason == "invalid_api_key: the key was refused"


def test_without_time_for_a_create_none_is_begun(submission: Submission) -> None:
    assert submission(80) is Submitted.REQUEUED
    assert submission.api.calls["create"] == 0


def test_a_defect_is_not_swallowed(submission: Submission) -> None:
    submission.api.script("upload", BatchdropError("a defect"))
    with pytest.raises(BatchdropError):
        submission()
    assert submission.batch.state is BatchState.UPLOADING


def test_a_ledger_that_fails_after_the_create_buys_nothing_twice(submission: Submission) -> None:
    with throttled(submission, "record_created"):
        assert submission() is Submitted.UNKNOWN
    batch = submission.batch
    assert (batch.state, batch.lease_until) == (BatchState.CREATING, None), "recovery adopts it at once"
    assert batch.file_id in submission.api.files
    assert len(submission.api.batches) == 1


def test_a_ledger_that_takes_no_intent_is_no_death_and_nothing_is_bought(submission: Submission) -> None:
    for _ in range(CRASHES + 1):
        with throttled(submission, "record_intent"):
            assert submission() is Submitted.REQUEUED
        queued = submission.batch
        assert (queued.state, queued.lease_until, queued.crashes) == (BatchState.QUEUED, None, 0)
        assert submission.world.ledger.admit(queued, lease=submission.world.clock.now())
    assert submission.api.calls["create"] == 0
    assert submission.api.files == {}, "no file is left behind"


@pytest.mark.parametrize(
    ("refusal", "write"),
    [
        (Rejected("invalid_value", "no such endpoint"), "end_refused"),
        (Misconfigured("invalid_api_key", "the key was refused"), "block"),
    ],
)
def test_a_refusal_that_cannot_be_recorded_is_met_once_more_later(
    submission: Submission, refusal: BatchdropError, write: str
) -> None:
    submission.api.script("create", refusal)
    with throttled(submission, write):
        assert submission() is Submitted.REQUEUED
    assert (submission.batch.state, submission.batch.lease_until) == (BatchState.QUEUED, None)
    assert submission.api.files == {}, "no file is left behind"


@pytest.mark.parametrize("write", ["note_unknown", "requeue"])
def test_a_lease_is_given_back_at_the_second_try(submission: Submission, write: str) -> None:
    is_lost = write == "note_unknown"
    submission.api.script("create", OutcomeUnknown("reset") if is_lost else RetryLater("slow down"))
    with throttled(submission, write, times=1):
        assert submission() is (Submitted.UNKNOWN if is_lost else Submitted.REQUEUED)
    assert submission.batch.lease_until is None


def test_who_cannot_give_a_lease_back_says_so(submission: Submission) -> None:
    with throttled(submission, "record_intent"), throttled(submission, "requeue"), pytest.raises(RetryLater):
        submission()
    assert submission.batch.state is BatchState.UPLOADING


def test_a_batch_over_the_known_token_limit_is_split_before_it_is_uploaded(world: World) -> None:
    world.ledger.learn_limit(("default", "gpt-5-mini"), Named(tokens=40))
    key = world.batch(state=BatchState.ADMITTED, estimated_tokens=60).key
    assert Submission(world, key)() is Submitted.SPLIT
    assert world.api.calls["upload"] == 0
    parts = [batch for batch in world.ledger.batches(key.job_id) if batch.state is BatchState.QUEUED]
    assert [(part.name, part.requests) for part in parts] == [("0001.a", 1), ("0001.b", 1)]
    whole = [world.objects.read("input", "reviews.jsonl")[p.source.first_byte : p.source.end_byte] for p in parts]
    assert b"".join(whole) == BODY
    assert world.read(key).state is BatchState.RETIRED


def lose_input(world: World) -> None:
    assert world.ledger.lose_input(samples.running(), code="input_gone", reason="It is gone.", now=world.clock.now())


def cancel(world: World) -> None:
    assert world.ledger.request_cancel(samples.running(), now=world.clock.now())


@pytest.mark.parametrize("stop", [lose_input, cancel])
def test_nothing_is_bought_for_a_job_that_was_stopped_during_the_upload(
    submission: Submission, stop: Callable[[World], None]
) -> None:
    world, upload = submission.world, submission.api.upload

    def meanwhile(name: str, body: Replayable) -> str:
        stop(world)
        return upload(name, body)

    submission.api.upload = meanwhile  # type: ignore[method-assign]
    assert submission() is Submitted.STALE
    assert (submission.api.batches, submission.api.files) == ({}, {})
    assert (submission.batch.state, submission.batch.lease_until) == (BatchState.QUEUED, None)


def test_a_batch_is_not_split_for_a_job_that_ended_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ledger.learn_limit(("default", "gpt-5-mini"), Named(tokens=40))
    key = world.batch(state=BatchState.ADMITTED, estimated_tokens=60).key
    divided = dividing.divided

    def meanwhile(*what: Any, **how: Any) -> list[Batch]:
        lose_input(world)
        return divided(*what, **how)

    monkeypatch.setattr(dividing, "divided", meanwhile)
    assert Submission(world, key)() is Submitted.STALE
    assert [(batch.name, batch.state) for batch in world.ledger.batches(key.job_id)] == [("0001", BatchState.QUEUED)]


def test_a_submitter_that_lost_its_claim_gives_nothing_back(submission: Submission) -> None:
    world, upload = submission.world, submission.api.upload

    def meanwhile(name: str, body: Replayable) -> str:
        later = world.clock.now() + dt.timedelta(hours=1)
        assert world.ledger.requeue(submission.batch, not_before=later, now=later)
        assert world.ledger.admit(submission.batch, lease=later)
        assert world.ledger.claim_upload(submission.batch, lease=later)
        return upload(name, body)

    submission.api.upload = meanwhile  # type: ignore[method-assign]
    assert submission() is Submitted.STALE
    assert (submission.batch.state, submission.api.files) == (BatchState.UPLOADING, {})

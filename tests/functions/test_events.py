"""Every event in ``events/``, each on the function that it is for."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import collector
import poller
from batchdrop import telemetry
from batchdrop.core import naming
from batchdrop.core.change import Change
from batchdrop.core.model import attributes
from batchdrop.core.states import BatchState
from batchdrop.ports import RemoteBatch
from tests import samples
from tests.functions.stack import INPUT, WORK, Stack
from tests.unit.test_settings import ENV

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics import Metrics

EVENTS = Path(__file__).parents[2] / "events"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
ROUNDS = {"job_id": {"S": "stack"}, "item": {"S": "housekeeping"}}
FAR = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
SAMPLE = (EVENTS / "sample.jsonl").read_bytes()
DROPS = {
    "submitter-eventbridge": "reviews/sample.jsonl",
    "submitter-s3-multipart": "reviews/sample.jsonl",
    "submitter-s3-odd-key": "reviews/a b+c%2Fü.jsonl",
    "submitter-s3-put": "reviews/sample.jsonl",
    "submitter-sweep": "reviews/sample.jsonl",
}


def dying(metrics: Metrics, _: object) -> None:
    telemetry.no_tick(metrics)
    raise TimeoutError


def event(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{name}.json").read_text()))


def test_there_is_an_event_for_every_function() -> None:
    assert {name.split("-")[0] for name in NAMES} == {"submitter", "poller", "collector"}


@pytest.mark.parametrize("name", NAMES)
def test_an_event_about_nothing_that_we_know_does_no_harm(stack: Stack, name: str) -> None:
    stack.call(name.split("-", maxsplit=1)[0], event(name))
    assert [item for item in stack.items() if item["item"]["S"] == "job"] == []


@pytest.mark.parametrize(("name", "key"), DROPS.items())
def test_an_event_about_a_dropped_file_starts_its_job(stack: Stack, name: str, key: str) -> None:
    version = stack.drop(key, SAMPLE)
    stack.call("submitter", event(name))
    (job,) = [item for item in stack.items() if item["item"]["S"] == "job"]
    assert job["job_id"]["S"] == naming.job_id(INPUT, key, version)
    assert job["state"]["S"] == "running"


NOTHING = ["eventbridge-foreign-account", "s3-foreign-bucket", "s3-ignored", "s3-test-event"]


@pytest.mark.parametrize("name", [f"submitter-{name}" for name in NOTHING])
def test_what_is_no_input_of_ours_starts_nothing(stack: Stack, name: str) -> None:
    stack.drop("x.jsonl", SAMPLE)
    stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event(name))
    assert stack.items() == []


def test_a_message_of_nobodys_is_left_for_the_dead_letter_queue(stack: Stack) -> None:
    with pytest.raises(ValueError, match="neither a task nor"):
        stack.call("submitter", {"Records": [{"body": '{"hello": "world"}'}]})
    with pytest.raises(ValueError, match="knows no task"):
        stack.call("submitter", {"Records": [{"body": '{"task": "collect", "job_id": "j", "item": "job"}'}]})
    with pytest.raises(ValueError, match="collect tasks only"):
        stack.call("collector", {"Records": [{"body": '{"task": "plan", "job_id": "j"}'}]})


def test_a_cancel_object_stops_the_job_of_its_key(stack: Stack) -> None:
    stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event("submitter-s3-put"))
    time.sleep(1.1)  # S3 counts in seconds, and the input must be older
    stack.drop("reviews/sample.jsonl.cancel", b"")
    stack.call("submitter", event("submitter-s3-cancel"))
    assert stack.run("reviews/sample")["state"] == "cancelled"
    assert stack.openai.state()["batches"] == []


@pytest.mark.parametrize("what", ["submit", "collect"])
def test_a_message_about_work_that_was_given_up_is_refused_until_it_is_a_dead_letter(stack: Stack, what: str) -> None:
    gone = samples.batch(state=BatchState.QUARANTINED, reason="quarantined: it crashed", crashes=5, due=None)
    function = {"submit": "submitter", "collect": "collector"}[what]
    assert collector.app().ports.ledger._table.commit([Change(gone.key, put=attributes(gone))])  # type: ignore[attr-defined]
    body = json.dumps({"task": what, "job_id": gone.job_id, "item": gone.item})
    with pytest.raises(telemetry.GivenUp):
        stack.call(function, {"Records": [{"body": body}]})


def test_of_many_pokes_one_is_heard_and_whoever_else_calls_always(stack: Stack) -> None:
    stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event("submitter-s3-put"))
    poked = [stack.call("poller", event("poller-poke")) for _ in range(3)]
    assert [one.get("open_jobs") for one in poked] == [1, None, None]
    assert [stack.call("poller", event(f"poller-{who}"))["open_jobs"] for who in ("invoke", "schedule")] == [1, 1]


def test_the_poller_tries_again_what_was_put_aside(stack: Stack) -> None:
    answer = stack.call("poller", event("poller-redrive"))
    assert (answer["released"], answer["open_jobs"]) == (0, 0), "of a job that is not there"
    version = stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event("submitter-s3-put"))
    job_id = naming.job_id(INPUT, "reviews/sample.jsonl", version)
    assert stack.call("poller", event("poller-redrive") | {"redrive": job_id})["open_jobs"] == 1


def test_the_poller_stops_a_job_by_its_id(stack: Stack) -> None:
    version = stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event("submitter-s3-put"))
    job_id = naming.job_id(INPUT, "reviews/sample.jsonl", version)
    assert stack.call("poller", event("poller-cancel"))["cancelled"] is False, "there is no such job"
    assert stack.call("poller", event("poller-cancel") | {"cancel": job_id})["cancelled"] is True
    assert stack.run("reviews/sample")["state"] == "cancelled"
    assert {line["code"] for line in stack.lines("reviews/sample.errors.jsonl")} >= {"cancelled"}


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"cancel": 1}, "'cancel' is no job id. It stands in status.json"),
        ({"cancel": ""}, "'cancel' is no job id"),
        ({"redrive": ["x"]}, "'redrive' is no job id"),
        ({"cancle": "reviews-000000000000"}, 'knows no \'cancle\'. Send {"cancel": "<job id>"}'),
        (["x"], "no JSON object"),
        ("cancel", "no JSON object"),
    ],
)
def test_what_the_poller_does_not_understand_is_answered_and_not_taken_for_a_look(
    stack: Stack, event: Any, says: str
) -> None:
    answer = stack.call("poller", event)
    assert list(answer) == ["error"]
    assert says in answer["error"]
    assert stack.items() == []


@pytest.mark.parametrize("key", ["nobody.jsonl.cancel", "x.txt.cancel"])
def test_a_cancel_object_that_stops_nothing_is_told_in_the_log(stack: Stack, key: str) -> None:
    stack.drop(key, b"")
    body = json.dumps({"task": "drop", "bucket": INPUT, "key": key})
    stack.call("submitter", {"Records": [{"body": body}]})
    warned = [line for line in map(json.loads, stack.log.getvalue().splitlines()) if line["level"] == "WARNING"]
    assert [(line["message"], line["key"], line["cancelled"]) for line in warned] == [("nothing to cancel", key, 0)]


def test_a_file_that_cannot_be_planned_for_the_operator_is_told_in_the_log_and_counted(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.drop("a.jsonl", SAMPLE + b"no request")
    stack.s3.delete_bucket(Bucket=WORK)
    body = json.dumps({"task": "drop", "bucket": INPUT, "key": "a.jsonl"})
    stack.call("submitter", {"Records": [{"body": body}]})
    (told,) = [line for line in map(json.loads, stack.log.getvalue().splitlines()) if line["level"] == "WARNING"]
    assert (told["message"], told["state"]) == ("put off", "planning")
    assert told["trouble"].startswith("no_such_bucket")
    assert json.loads(capsys.readouterr().out)["Misconfigured"] == [1.0]


def test_a_double_is_counted_until_its_count_was_sent_and_then_no_more(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted() -> list[float] | None:
        stack.dynamodb.delete_item(TableName=ENV["TABLE_NAME"], Key=ROUNDS)  # so that one is due
        capsys.readouterr()
        stack.call("poller", {})
        counts: dict[str, list[float]] = json.loads(capsys.readouterr().out)
        return counts.get("DuplicateBatches")

    stack.drop("reviews/sample.jsonl", SAMPLE)
    stack.call("submitter", event("submitter-s3-put"))
    remote = RemoteBatch(id="batch_2", status="in_progress", input_file_id="file-1", created_at=1)
    of = samples.batch().key
    poller.app().ports.ledger.record_orphan(remote, of, what="cancelled", now=samples.NOW, expires=FAR)
    with monkeypatch.context() as patched:
        patched.setattr(telemetry, "count", dying)
        with pytest.raises(TimeoutError):
            counted()
    assert [counted(), counted()] == [[1.0], None]

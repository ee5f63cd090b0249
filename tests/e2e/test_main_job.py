"""The main job on the local cloud: the real template, roles enforced, functions in processes of their own."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.access.emulated import noted
from tests.access.granted import BY_LAMBDA, FUNCTIONS, granted, grants_for
from tests.template.reading import Template, transformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.world import World

SAMPLE = (Path(__file__).parents[2] / "events" / "sample.jsonl").read_bytes()
DEAD_LETTERS = ("PlanDeadLettersUrl", "SubmitDeadLettersUrl", "CollectDeadLettersUrl")

#: What these jobs have no need of, or what the local cloud does not ask for where S3 does: tests/functions use it all.
NOT_NEEDED_HERE = {
    ("submitter", "dynamodb:Query", "index/due"),
    ("submitter", "s3:AbortMultipartUpload", "work/*"),
    ("poller", "sqs:SendMessage", "plan"),
    ("poller", "dynamodb:PutItem", "arn:of:Table.Arn"),  # for an orphan, and where it is the first of all
    ("collector", "s3:AbortMultipartUpload", "work/*"),
    ("collector", "s3:AbortMultipartUpload", "output/*"),
    ("collector", "s3:ListMultipartUploadParts", "output/*"),
    ("submitter", "s3:ListBucket", "input"),
    ("submitter", "s3:ListBucket", "output"),
    ("submitter", "s3:ListBucket", "work"),
    ("poller", "s3:ListBucket", "output"),
    ("collector", "s3:ListBucket", "input"),
    ("collector", "s3:ListBucket", "output"),
    ("collector", "s3:ListBucket", "work"),
}


def request(custom_id: object, *, model: str = "gpt-5-mini", **body: Any) -> bytes:
    messages = [{"role": "user", "content": "Hello"}]
    value = {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": messages, **body},
    }
    return json.dumps(value).encode()


def requests(number: int, prefix: str) -> bytes:
    return b"\n".join(request(f"{prefix}-{index}") for index in range(1, number + 1))


def names(number: int, prefix: str) -> list[str]:
    return [f"{prefix}-{index}" for index in range(1, number + 1)]


def ids(world: World, key: str) -> list[Any]:
    return [line["custom_id"] for line in world.lines(key)]


@pytest.fixture
def world(stack: World) -> Iterator[World]:
    """The shared stack, without the faults of the test before."""
    stack.openai.clear_faults()
    yield stack
    stack.openai.clear_faults()


def executions(world: World, prefix: str) -> Counter[int]:
    """How many requests of a test were executed how often."""
    counts = world.openai.executions()
    return Counter(times for custom_id, times in counts.items() if custom_id.startswith(prefix))


def test_the_sample_comes_back_in_order_with_its_broken_line_named(world: World) -> None:
    world.drop("reviews/sample.jsonl", SAMPLE)
    status = world.wait("reviews/sample")
    assert (status["state"], status["counts"]["completed"], status["counts"]["failed"]) == ("completed", 15, 1)
    wanted = [json.loads(line)["custom_id"] if line.endswith(b"}") else None for line in SAMPLE.split(b"\n") if line]
    assert ids(world, "reviews/sample.results.jsonl") == wanted
    (error,) = world.lines("reviews/sample.errors.jsonl")
    assert (error["line"], error["code"]) == (10, "invalid_json_line")
    assert {item["item"].split("#")[0] for item in world.items(status["job_id"])} == {"job", "chunk"}
    assert status["usage"]["gpt-5-mini"]["requests"] == 9


def test_the_files_at_the_provider_and_the_scratch_are_gone_afterwards(world: World) -> None:
    world.drop("clean/a.jsonl", requests(3, "clean"))
    job_id = world.wait("clean/a")["job_id"]
    for _ in range(20):
        if "cleaned_at" in world.items(job_id)[0]:
            break
        world.tick()
    assert world.openai.state()["files"] == []
    listed = world.clients.s3.list_objects_v2(Bucket=world.stack.work_bucket, Prefix=job_id)
    assert listed["KeyCount"] == 0
    assert not [key for key in world.outputs("clean/") if ".parts/" in key]


@pytest.mark.parametrize("key", ["odd/a b.jsonl", "odd/a+b.jsonl", "odd/a%2Fb.jsonl", "odd/ü 日本.jsonl"])
def test_keys_of_every_kind(world: World, key: str) -> None:
    prefix = f"odd{len(key)}{hash(key) % 1000}"
    world.drop(key, requests(2, prefix))
    world.wait(key.removesuffix(".jsonl"))
    assert ids(world, key.replace(".jsonl", ".results.jsonl")) == names(2, prefix)


def test_sixty_thousand_and_one_rows_in_one_file(world: World) -> None:
    body = b"\n".join(request(f"big-{index}") for index in range(1, 60_002))
    world.drop("big/a.jsonl", body)
    status = world.wait("big/a", seconds=180)
    assert status["counts"]["completed"] == 60_001
    assert [item["requests"] for item in world.items(status["job_id"]) if "#batch#" in item["item"]] == [50_000, 10_001]
    assert ids(world, "big/a.results.jsonl") == names(60_001, "big")
    assert executions(world, "big-") == {1: 60_001}


def test_gzip_models_and_ids_that_the_api_cannot_take(world: World) -> None:
    odd = [request("mixed-1"), request(None), request("m" * 99)]
    lines = [request("mixed-1"), *odd, request("mixed-2", model="gpt-5")]
    world.drop("mixed/a.ndjson.gz", gzip.compress(b"\r\n".join(lines)))
    status = world.wait("mixed/a")
    assert status["counts"]["completed"] == 5
    assert status["mapped_ids"] == 3
    assert ids(world, "mixed/a.results.jsonl") == ["mixed-1", "mixed-1", None, "m" * 99, "mixed-2"]


def test_an_expired_batch_keeps_what_was_done_and_runs_only_the_rest_again(world: World) -> None:
    world.openai.batch_fault(expire_at_share=0.9)
    world.drop("expired/a.jsonl", requests(100, "expired"))
    status = world.wait("expired/a")
    assert status["counts"] == {
        "total": 100,
        "completed": 100,
        "failed": 0,
        "invalid": 0,
        "retried": 10,
        "quarantined": 0,
        "blocked": 0,
    }
    assert ids(world, "expired/a.results.jsonl") == names(100, "expired")
    assert executions(world, "expired-") == {1: 100}


def test_what_fails_for_a_passing_reason_goes_again_and_what_fails_for_good_does_not(world: World) -> None:
    world.openai.line_fault("waves-2", status=500, times=1)
    world.openai.line_fault("waves-3", status=429, times=2)
    world.openai.line_fault("waves-4", status=400, code="bad_request", message="No.")
    world.openai.line_fault("waves-5", do="missing", times=1)
    world.openai.line_fault("waves-6", do="separators")
    world.openai.line_fault("waves-7", do="duplicate")
    world.openai.line_fault("waves-1", do="foreign")
    world.openai.line_fault("waves-8", do="zero", times=1)
    world.drop("waves/a.jsonl", requests(8, "waves"))
    status = world.wait("waves/a")
    assert ids(world, "waves/a.results.jsonl") == names(8, "waves")
    assert (status["counts"]["completed"], status["counts"]["failed"]) == (7, 1)
    assert [(e["line"], e["code"]) for e in world.lines("waves/a.errors.jsonl")] == [(4, "bad_request")]
    counts = world.openai.executions()
    assert {name: counts[name] for name in names(8, "waves")} == {
        "waves-1": 1,
        "waves-2": 2,
        "waves-3": 3,
        "waves-4": 1,
        "waves-5": 2,
        "waves-6": 1,
        "waves-7": 1,
        "waves-8": 2,
    }


def test_a_download_that_is_cut_is_made_again(world: World) -> None:
    world.openai.fault("files.content", "cut", at=2_000)
    world.openai.fault("files.content", "cut", at=1_000, how="rst")
    world.drop("cut/a.jsonl", requests(50, "cut"))
    world.wait("cut/a", seconds=120)
    assert ids(world, "cut/a.results.jsonl") == names(50, "cut")
    assert executions(world, "cut-") == {1: 50}


@pytest.mark.parametrize("late", [None, ""])
def test_completed_before_its_file_ids_are_shown(world: World, late: str | None) -> None:
    prefix = f"late{'-empty' if late == '' else ''}"
    world.openai.batch_fault(ids_late_seconds=4.0, ids_late_as=late)
    world.drop(f"late/{prefix}.jsonl", requests(3, prefix))
    world.wait(f"late/{prefix}")
    assert ids(world, f"late/{prefix}.results.jsonl") == names(3, prefix)
    assert executions(world, f"{prefix}-") == {1: 3}


def test_the_same_event_three_times_is_bought_once(world: World) -> None:
    version = world.drop("twice/a.jsonl", requests(2, "twice"))
    thing = {"key": "twice/a.jsonl", "versionId": version}
    bucket = {"name": world.stack.input_bucket}
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": bucket, "object": thing}}
    for _ in range(2):
        world.clients.sqs.send_message(
            QueueUrl=world.deployment.outputs["PlanQueueUrl"], MessageBody=json.dumps({"Records": [record]})
        )
    world.wait("twice/a")
    assert executions(world, "twice-") == {1: 2}


def test_one_invalid_line_and_nothing_is_bought_where_the_metadata_says_so(world: World) -> None:
    world.drop("reject/a.jsonl", request("reject-1") + b"\nbroken\n", {"invalid-lines": "reject"})
    status = world.wait("reject/a")
    assert (status["state"], status["code"]) == ("failed", "invalid_lines")
    assert executions(world, "reject-") == {}


def test_an_option_that_cannot_be_is_told_before_anything_is_read(world: World) -> None:
    world.drop("option/a.jsonl", request("option-1"), {"max-attempts": "many"})
    status = world.wait("option/a")
    assert (status["state"], status["code"]) == ("failed", "invalid_option")
    assert executions(world, "option-") == {}


def test_the_errors_file_mended_and_dropped(world: World) -> None:
    world.drop("mend/a.jsonl", request("mend-1") + b"\n" + request("mend-2", stream=True))
    world.wait("mend/a")
    errors = world.output("mend/a.errors.jsonl")
    assert errors is not None
    world.drop("mend/b.jsonl", errors.replace(b'"stream": true', b'"stream": false'))
    world.wait("mend/b")
    assert ids(world, "mend/b.results.jsonl") == ["mend-2"]


def test_small_batches_and_an_answer_to_the_create_that_was_lost(stack_with: Callable[..., World]) -> None:
    world = stack_with(MaxRequestsPerBatch="7", CreateLeaseSeconds="1", SettleSeconds="5")
    world.openai.configure(pace={"in_progress": 0.5})
    world.openai.fault("batches.create", "reset_after", nth=2)
    world.openai.fault("batches.create", "status_after", nth=4, status=502, html=True)
    world.drop("small/a.jsonl", requests(60, "small"))
    status = world.wait("small/a", seconds=150)
    assert status["counts"]["completed"] == 60
    assert ids(world, "small/a.results.jsonl") == names(60, "small")
    assert executions(world, "small-") == {1: 60}
    assert world.openai.count("batches.create", effect=True) == 9


def test_buckets_that_are_there_already(stack_with: Callable[..., World]) -> None:
    """The emulator's EventBridge does not name the version: it is asked for."""
    world = stack_with(ExistingInputBucket="our-drops", ExistingOutputBucket="our-answers")
    s3 = world.clients.s3
    for bucket in ("our-drops", "our-answers"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket="our-drops", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    world.drop("given/a.jsonl", requests(2, "given"))
    assert world.wait("given/a")["counts"]["completed"] == 2
    assert ids(world, "given/a.results.jsonl") == names(2, "given")
    assert "access_denied" not in world.logs()


def test_nothing_ended_on_a_dead_letter_queue_and_no_content_in_a_log(world: World) -> None:
    assert {queue: world.waiting(queue) for queue in DEAD_LETTERS} == dict.fromkeys(DEAD_LETTERS, 0)
    logs = world.logs(last=10_000)
    assert "refund" not in logs
    assert "sk-local" not in logs
    assert '"level":"ERROR"' not in logs
    assert "access_denied" not in logs


def test_the_local_cloud_saw_every_permission_used(world: World, request: pytest.FixtureRequest) -> None:
    here = {item.name for item in request.session.items if item.path == request.path}
    if len({name.partition("[")[0] for name in here}) < sum(name.startswith("test_") for name in globals()):
        pytest.skip("it takes all tests of this file")
    template = Template(transformed(), {})
    uses = list(noted(world.place.log("access"), "e2e"))
    for function in FUNCTIONS:
        grants = granted(template, function)
        found = {use: grants_for(use, grants) for named, use in uses if named == function}
        assert [use for use, by in found.items() if not by] == []
        unused = {grant for grant in grants - set().union(*found.values()) if grant[0] not in BY_LAMBDA}
        assert {(function, action, _short(arn)) for action, arn in unused} <= NOT_NEEDED_HERE


def _short(arn: str) -> str:
    return arn.removeprefix("arn:of:Table.Arn/").rpartition("drops-")[2].replace("-123456789012", "")

"""The local cloud does what the template asks for: what an upgrade of the emulator drops must not drop silently."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.cloud.__main__ import wishes
from local.cloud.deploy import check_parameters
from local.cloud.place import Place
from local.cloud.running import Wishes, bring_up, is_up
from local.cloud.stack import Stack
from local.cloud.trouble import Trouble

if TYPE_CHECKING:
    from tests.e2e.world import World

TEST_EVENT = '{"Service": "Amazon S3", "Event": "s3:TestEvent"}'
ITEM = {"job_id": {"S": "a"}, "item": {"S": "job"}}
INTRUDER = """
import boto3

def handler(event, context):
    call = getattr(boto3.client(event["service"]), event["call"])
    return call(**event["arguments"])["ResponseMetadata"]["HTTPStatusCode"]
"""


def test_stack_json_has_every_name_that_its_readers_were_promised(stack: World) -> None:
    written = json.loads(stack.place.stack_file.read_text())
    assert list(written) == [
        "endpoint_url",
        "region",
        "input_bucket",
        "output_bucket",
        "work_bucket",
        "table",
        "submitter_function",
        "poller_function",
        "collector_function",
        "openai_base_url",
    ]
    assert Stack.read(stack.place.stack_file) == stack.stack
    assert is_up(stack.place)


def test_expired_items_are_removed_by_the_table(stack: World) -> None:
    found = stack.clients.dynamodb.describe_time_to_live(TableName=stack.stack.table)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_every_queue_feeds_its_function_one_message_at_a_time(stack: World) -> None:
    listed = stack.clients.functions.list_event_source_mappings()["EventSourceMappings"]
    fed = {(_last(one["EventSourceArn"]), _last(one["FunctionArn"]), one["BatchSize"]) for one in listed}
    assert fed == {
        ("e2e-plan", "e2e-submitter", 1),
        ("e2e-submit", "e2e-submitter", 1),
        ("e2e-collect", "e2e-collector", 1),
    }


def test_dead_letters_have_a_place_to_lie(stack: World) -> None:
    for queue in ("PlanQueueUrl", "SubmitQueueUrl", "CollectQueueUrl"):
        url = stack.deployment.outputs[queue]
        found = stack.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert json.loads(found["RedrivePolicy"])["deadLetterTargetArn"].endswith("-dead")
        assert found["VisibilityTimeout"] == "960"


def test_a_failed_tick_is_not_tried_again(stack: World) -> None:
    found = stack.clients.functions.get_function_event_invoke_config(
        FunctionName=stack.stack.poller_function, Qualifier="$LATEST"
    )
    assert found["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize(
    ("service", "call", "arguments", "allowed"),
    [
        ("sqs", "send_message", {"QueueUrl": "PlanQueueUrl", "MessageBody": TEST_EVENT}, True),
        ("s3", "list_object_versions", {"Bucket": "InputBucketName"}, True),
        ("s3", "put_object", {"Bucket": "InputBucketName", "Key": "a.jsonl", "Body": "x"}, False),
        ("s3", "put_object", {"Bucket": "OutputBucketName", "Key": "a.results.jsonl", "Body": "x"}, False),
        ("s3", "put_object", {"Bucket": "OutputBucketName", "Key": "intruder.status.json", "Body": "{}"}, True),
        ("dynamodb", "delete_item", {"TableName": "TableName", "Key": ITEM}, False),
    ],
)
def test_a_function_can_do_what_its_role_allows_and_nothing_else(
    stack: World, intruder: str, service: str, call: str, arguments: dict[str, object], allowed: bool
) -> None:
    named = {name: stack.deployment.outputs.get(str(value), value) for name, value in arguments.items()}
    event = {"service": service, "call": call, "arguments": named}
    answer = stack.clients.functions.invoke(FunctionName=intruder, Payload=json.dumps(event).encode())
    payload = json.load(answer["Payload"])
    assert payload == 200 if allowed else "AccessDenied" in payload["errorMessage"]


def test_a_function_has_no_more_memory_than_the_template_gives_it(stack: World) -> None:
    name = _make_function(stack, "greedy", "def handler(event, context):\n    return len(bytearray(event))\n")
    for megabytes, fits in ((100, True), (400, False)):
        answer = stack.clients.functions.invoke(FunctionName=name, Payload=str(megabytes * 2**20).encode())
        assert ("FunctionError" not in answer) is fits


@pytest.mark.parametrize("wrong", [{"MaxAttempt": "2"}, {"OpenAIBaseUrl": "https://x", "Nope": "1"}])
def test_a_parameter_that_the_template_does_not_have_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(Trouble, match=r"has no parameter (MaxAttempt|Nope)\. It has: AlarmTopicArn, "):
        check_parameters(wrong)


def test_what_openai_and_parameters_are_asked_for_comes_from_the_environment() -> None:
    asked = wishes({"OPENAI_API_KEY": "sk-x", "PARAMS": "MaxAttempts=2 'CompletionWindow=7d'", "HOME": "/"})
    assert asked.parameters == {"MaxAttempts": "2", "CompletionWindow": "7d"}
    assert asked.api_key == "sk-x"
    assert not asked.own_openai
    assert wishes({}).own_openai
    with pytest.raises(Trouble, match="Name=value"):
        wishes({"PARAMS": "MaxAttempts"})


@pytest.mark.parametrize("url", ["http://example.org/v1", "ftp://127.0.0.1/v1", "example.org"])
def test_a_key_is_not_sent_in_the_clear_but_on_loopback(tmp_path: Path, url: str) -> None:
    with pytest.raises(Trouble, match="must be https, or http on loopback"):
        bring_up(Place(tmp_path), Wishes(base_url=url, api_key="sk-x"), tethered=True)
    assert not list(tmp_path.iterdir())


def test_a_stack_that_cannot_be_deployed_leaves_nothing_running(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with pytest.raises(Trouble, match="MaxAttempts"):
        bring_up(place, Wishes(parameters={"MaxAttempts": "0"}), tethered=True)
    assert not place.stack_file.exists()
    assert not place.scratch.exists()
    listed = subprocess.run(["ps", "-ww", "-eo", "command="], check=True, capture_output=True, text=True).stdout
    assert str(tmp_path) not in listed


@pytest.fixture(scope="session")
def intruder(stack: World) -> str:
    """A function with the poller's role that makes the call which the event names."""
    return _make_function(stack, "intruder", INTRUDER)


def _last(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _make_function(stack: World, name: str, code: str) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}.py", code)
    poller = stack.clients.functions.get_function_configuration(FunctionName=stack.stack.poller_function)
    stack.clients.functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler=f"{name}.handler",
        Role=poller["Role"],
        Code={"ZipFile": packed.getvalue()},
        MemorySize=256,
        Timeout=30,
    )
    return name


def test_a_byte_range_of_an_older_version_is_that_range(stack: World) -> None:
    s3, bucket = stack.clients.s3, stack.stack.output_bucket
    old = s3.put_object(Bucket=bucket, Key="range", Body=b"0123456789")["VersionId"]
    s3.put_object(Bucket=bucket, Key="range", Body=b"abcdefghij")
    got = s3.get_object(Bucket=bucket, Key="range", VersionId=old, Range="bytes=3-5")
    assert (got["ContentRange"], got["Body"].read()) == ("bytes 3-5/10", b"345")
    s3.delete_object(Bucket=bucket, Key="range")

"""Messages on SQS, Lambda and EventBridge: what is sent, and what a refusal means."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from batchdrop.adapters.messages import AwsMessages
from batchdrop.core import events
from batchdrop.core.errors import Misconfigured, RetryLater
from batchdrop.core.events import Dropped
from batchdrop.core.model import Counts, Key, Usage
from batchdrop.core.states import JobState
from batchdrop.ports import Messages
from tests import samples
from tests.fakes import InMemoryMessages, Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

KEY = Key("reviews-1", "chunk#000001#batch#0001")


@dataclass
class Sent:
    """The adapter, and what lies in its queues and on its bus."""

    messages: AwsMessages
    sqs: SQSClient
    bus: str

    def bodies(self, queue_url: str) -> list[dict[str, Any]]:
        received = self.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]


@pytest.fixture
def aws() -> Iterator[Sent]:
    with mock_aws():
        sqs, events = boto3.client("sqs"), boto3.client("events")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("plan", "submit", "collect", "bus")}
        arn = sqs.get_queue_attributes(QueueUrl=urls["bus"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="ended", EventPattern='{"source": ["batchdrop"], "detail-type": ["Job Ended"]}')
        events.put_targets(Rule="ended", Targets=[{"Id": "queue", "Arn": arn}])
        messages = AwsMessages(
            sqs=sqs,
            functions=boto3.client("lambda"),
            events=events,
            plan_queue_url=urls["plan"],
            submit_queue_url=urls["submit"],
            collect_queue_url=urls["collect"],
            poller_function="stack-poller",
            output_bucket="output",
        )
        yield Sent(messages, sqs, urls["bus"])


def test_messages_carry_ids_to_the_queue_of_their_reader(aws: Sent) -> None:
    aws.messages.plan("reviews-1")
    aws.messages.submit(KEY)
    aws.messages.collect(KEY)
    about = {"job_id": KEY.job_id, "item": KEY.item}
    assert aws.bodies(aws.messages.plan_queue_url) == [{"task": "plan", "job_id": "reviews-1"}]
    assert aws.bodies(aws.messages.submit_queue_url) == [{"task": "submit"} | about]
    assert aws.bodies(aws.messages.collect_queue_url) == [{"task": "collect"} | about]


def test_a_drop_that_was_never_told_of_goes_to_the_plan_queue(aws: Sent) -> None:
    aws.messages.dropped("in", "a b+ü%2F.jsonl", "v1")
    aws.messages.dropped("in", "b.jsonl", None)
    bodies = aws.bodies(aws.messages.plan_queue_url)
    told = [event for body in bodies for event in events.parse(json.dumps(body))]
    assert told == [Dropped("in", "a b+ü%2F.jsonl", "v1"), Dropped("in", "b.jsonl", None)]


def test_a_tick_invokes_the_poller_and_does_not_wait(aws: Sent) -> None:
    with Stubber(aws.messages.functions) as stub:
        expected = {"FunctionName": "stack-poller", "InvocationType": "Event", "Payload": b'{"poke": true}'}
        stub.add_response("invoke", {"StatusCode": 202, "Payload": StreamingBody(io.BytesIO(b""), 0)}, expected)
        aws.messages.tick()
        stub.assert_no_pending_responses()


def test_the_world_is_told_of_a_job_that_ended(aws: Sent) -> None:
    outputs = {"results": {"key": "reviews.results.jsonl", "version_id": "v9"}}
    counts = Counts(requests=3, completed=2, failed=1)
    job = samples.job(
        state=JobState.COMPLETED,
        outputs=outputs,
        counts=counts,
        planned_at=samples.NOW,
        usage={"gpt-5-mini": Usage(requests=2, output_tokens=3)},
    )
    aws.messages.job_ended(job)
    [event] = aws.bodies(aws.bus)
    assert (event["source"], event["detail-type"]) == ("batchdrop", "Job Ended")
    assert event["detail"] == {
        "job_id": samples.JOB_ID,
        "state": "completed",
        "code": None,
        "reason": None,
        "input": {"bucket": "input", "key": "reviews.jsonl", "version_id": "v1"},
        "output_bucket": "output",
        "outputs": outputs,
        "counts": {"requests": 3, "completed": 2, "failed": 1, "invalid": 0, "retried": 0, "quarantined": 0},
        "cost": {
            "currency": "USD",
            "estimated": "unknown",
            "actual": "unknown",
            "models": {"gpt-5-mini": {"estimated": "unknown", "actual": "unknown"}},
        },
    }


def test_an_event_that_the_bus_did_not_take_is_for_later(aws: Sent) -> None:
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]}
    with Stubber(aws.messages.events) as stub:
        stub.add_response("put_events", refused)
        with pytest.raises(RetryLater):
            aws.messages.job_ended(samples.job(state=JobState.COMPLETED))


@pytest.mark.parametrize(
    ("client", "operation", "send"),
    [
        ("sqs", "send_message", lambda messages: messages.plan("reviews-1")),
        ("functions", "invoke", lambda messages: messages.tick()),
        ("events", "put_events", lambda messages: messages.job_ended(samples.job())),
    ],
)
def test_a_refusal_says_who_must_act(
    aws: Sent, client: str, operation: str, send: Callable[[AwsMessages], None]
) -> None:
    for code, status, kind in (
        ("ThrottlingException", 400, RetryLater),
        ("InternalFailure", 500, RetryLater),
        ("TooManyRequestsException", 429, RetryLater),
        ("AccessDeniedException", 403, Misconfigured),
    ):
        with Stubber(getattr(aws.messages, client)) as stub:
            stub.add_client_error(operation, service_error_code=code, http_status_code=status)
            with pytest.raises(kind):
                send(aws.messages)


def test_a_queue_or_a_poller_that_is_not_there_is_for_the_operator(aws: Sent) -> None:
    aws.sqs.delete_queue(QueueUrl=aws.messages.submit_queue_url)
    with pytest.raises(Misconfigured):
        aws.messages.submit(KEY)
    with pytest.raises(Misconfigured):
        aws.messages.tick()


def test_the_messages_in_memory_wait_to_be_taken() -> None:
    memory = InMemoryMessages()
    messages: Messages = memory
    messages.plan("reviews-1")
    messages.submit(KEY)
    messages.tick()
    messages.dropped("in", "a.jsonl", "v1")
    messages.job_ended(samples.job())
    assert memory.pop("drop") == Message("drop", dropped=Dropped("in", "a.jsonl", "v1"))
    assert memory.pop("submit") == Message("submit", KEY)
    assert memory.pop() == Message("plan", Key("reviews-1", "job"))
    assert memory.pop("collect") is None
    assert memory.keys("submit") == []
    assert len(memory.sent) == 4
    assert memory.ended == [samples.job()]

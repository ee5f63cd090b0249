"""``ports.Messages`` on SQS, Lambda and EventBridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from batchdrop.adapters.aws import translated
from batchdrop.core import cost
from batchdrop.core.errors import RetryLater
from batchdrop.core.model import Job, Key

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

SOURCE = "batchdrop"
JOB_ENDED = "Job Ended"
#: Not what the schedule or a person sends: it may be left to another one's tick.
_POKE = b'{"poke": true}'
_NO_QUEUE = ("no_such_queue", "a queue of the stack is missing: deploy it again")
_NO_FUNCTION = ("no_such_function", "the poller is missing: deploy the stack again")
_MISSING = {
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "ResourceNotFoundException": _NO_FUNCTION,
}


@dataclass(frozen=True, slots=True)
class AwsMessages:
    """The names are those of ``settings.Settings``."""

    sqs: SQSClient
    functions: LambdaClient
    events: EventBridgeClient
    plan_queue_url: str
    submit_queue_url: str
    collect_queue_url: str
    poller_function: str
    output_bucket: str

    def dropped(self, bucket: str, key: str, version_id: str | None) -> None:
        named = {} if version_id is None else {"version_id": version_id}
        self._send(self.plan_queue_url, {"task": "drop", "bucket": bucket, "key": key} | named)

    def plan(self, job_id: str) -> None:
        self._send(self.plan_queue_url, {"task": "plan", "job_id": job_id})

    def submit(self, key: Key) -> None:
        self._send(self.submit_queue_url, {"task": "submit", "job_id": key.job_id, "item": key.item})

    def collect(self, key: Key) -> None:
        self._send(self.collect_queue_url, {"task": "collect", "job_id": key.job_id, "item": key.item})

    def tick(self) -> None:
        with translated("Lambda", _MISSING):
            self.functions.invoke(FunctionName=self.poller_function, InvocationType="Event", Payload=_POKE)

    def job_ended(self, job: Job) -> None:
        event: PutEventsRequestEntryTypeDef = {
            "Source": SOURCE,
            "DetailType": JOB_ENDED,
            "Detail": self._detail(job),
        }
        with translated("EventBridge"):
            answer = self.events.put_events(Entries=[event])
        # A call that went well may still have taken none of its events.
        if answer.get("FailedEntryCount"):
            raise RetryLater(f"EventBridge did not take the event: {answer['Entries'][0].get('ErrorCode')}")

    def _detail(self, job: Job) -> str:
        detail = {
            "job_id": job.job_id,
            "state": job.state,
            "code": job.code,
            "reason": job.reason,
            "input": {"bucket": job.bucket, "key": job.input_key, "version_id": job.version_id},
            "output_bucket": self.output_bucket,
            "outputs": job.outputs,
            "counts": job.counts,
            "cost": cost.report(job),
        }
        return msgspec.json.encode(detail).decode()

    def _send(self, queue_url: str, body: Mapping[str, str]) -> None:
        with translated("SQS", _MISSING):
            self.sqs.send_message(QueueUrl=queue_url, MessageBody=msgspec.json.encode(body).decode())

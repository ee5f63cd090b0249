"""A stack on the local cloud, and what tests do with it."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from local.cloud.place import Place
from local.cloud.running import Wishes, running
from local.openai.admin import Admin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.cloud.clients import Clients
    from local.cloud.deploy import Deployment
    from local.cloud.stack import Stack

ENDED = frozenset({"completed", "failed", "cancelled"})
_TICK_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class World:
    """``clients`` are the cloud's root; ``openai`` has the local OpenAI server's levers and its journal."""

    stack: Stack
    clients: Clients
    deployment: Deployment
    openai: Admin
    place: Place

    def drop(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> str:
        """Put an input; its version id."""
        put = self.clients.s3.put_object(
            Bucket=self.stack.input_bucket, Key=key, Body=body, Metadata=dict(metadata or {})
        )
        return put["VersionId"]

    def tick(self) -> dict[str, Any]:
        """Have the poller look now; what it answered."""
        return self.invoke(self.stack.poller_function, {})

    def invoke(self, function: str, event: object) -> dict[str, Any]:
        """Call a function and wait; fails the test where the function failed."""
        answer = self.clients.functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload = json.load(answer["Payload"])
        assert not answer.get("FunctionError"), payload
        return dict(payload or {})

    def output(self, key: str) -> bytes | None:
        """An output as it lies there now; None if nothing does."""
        try:
            found = self.clients.s3.get_object(Bucket=self.stack.output_bucket, Key=key)
        except self.clients.s3.exceptions.NoSuchKey:
            return None
        return found["Body"].read()

    def outputs(self, prefix: str = "") -> list[str]:
        """The keys in the output bucket."""
        listed = self.clients.s3.list_objects_v2(Bucket=self.stack.output_bucket, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def lines(self, key: str) -> list[dict[str, Any]]:
        """A JSONL output, decoded. Split on newline bytes only: U+2028 stands raw in real results."""
        body = self.output(key)
        assert body is not None, f"{key} is not there; there are {self.outputs()}"
        return [json.loads(line) for line in body.split(b"\n") if line]

    def status(self, stem: str) -> dict[str, Any] | None:
        """What ``status.json`` says; None before there is one."""
        body = self.output(f"{stem}.status.json")
        return None if body is None else dict(json.loads(body))

    def wait(self, stem: str, *, seconds: float = 60.0) -> dict[str, Any]:
        """Tick until the job has ended; its status. Fails the test where that takes longer than ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status(stem)
            if status and status["state"] in ENDED:
                return status
            self.tick()
            time.sleep(_TICK_SECONDS)
        raise AssertionError(f"{stem} has not ended: {self.status(stem)}; logs: {self.place.folder}\n{self.logs()}")

    def items(self, job_id: str) -> list[dict[str, Any]]:
        """Everything that the table holds of a job, in order."""
        pages = self.clients.dynamodb.get_paginator("query").paginate(
            TableName=self.stack.table,
            KeyConditionExpression="job_id = :job",
            ExpressionAttributeValues={":job": {"S": job_id}},
            ConsistentRead=True,
        )
        plain = TypeDeserializer().deserialize
        return [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def waiting(self, queue: str) -> int:
        """Messages in a queue, seen or not. ``queue``: the template's output, such as "PlanDeadLettersUrl"."""
        found = self.clients.sqs.get_queue_attributes(
            QueueUrl=self.deployment.outputs[queue],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(int(count) for count in found.values())

    def in_flight(self, queue: str) -> int:
        """Messages of a queue that were taken and not yet done with."""
        found = self.clients.sqs.get_queue_attributes(
            QueueUrl=self.deployment.outputs[queue], AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
        )["Attributes"]
        return int(found["ApproximateNumberOfMessagesNotVisible"])

    def logs(self, function: str = "", *, last: int = 30) -> str:
        """The last lines of the functions' logs, or of one function's."""
        groups = [function] if function else list(self.functions)
        lines: list[str] = []
        for group in groups:
            events = self.clients.logs.filter_log_events(logGroupName=f"/aws/lambda/{group}")["events"]
            lines += [f"{group}: {event['message']}" for event in events[-last:]]
        return "\n".join(lines)

    def workers(self, function: str) -> list[int]:
        """Process ids of a function's processes, for tests that kill them."""
        listed = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,command="], capture_output=True, text=True, check=True
        ).stdout
        mark = f"{self.place.scratch}/ministack-lambda-{function}-"
        return [int(line.split(maxsplit=1)[0]) for line in listed.splitlines() if mark in line]

    @property
    def functions(self) -> tuple[str, str, str]:
        """The names of the three functions."""
        return self.stack.submitter_function, self.stack.poller_function, self.stack.collector_function


@contextmanager
def world(folder: Path, **parameters: str) -> Iterator[World]:
    """A stack of its own in ``folder``, with its own local OpenAI server. ``parameters``: the template's."""
    place = Place(folder)
    with running(place, Wishes(parameters=parameters, stack_name="e2e")) as up:
        yield World(up.stack, up.clients, up.deployment, Admin(up.stack.openai_base_url), place)

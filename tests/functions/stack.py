"""A deployment under moto: buckets, queues, table, secret; and somebody who carries messages to the handlers."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import collector
import poller
import submitter
from local.openai.server import Server
from tests.access.actions import Use, to_be_told_that_it_is_not_there, uses
from tests.access.granted import granted, grants_for
from tests.contract.conftest import SCHEMA
from tests.template.reading import Template, transformed
from tests.unit.test_settings import ENV

if TYPE_CHECKING:
    import pytest

ACCOUNT = "123456789012"
INPUT, OUTPUT, WORK = (f"batchdrop-{name}-{ACCOUNT}" for name in ("input", "output", "work"))
HANDLERS: tuple[ModuleType, ...] = (submitter, poller, collector)
#: Made once, a tenth of a second each; what they are asked reaches the mock that is in force.
_client = functools.cache(boto3.client)


@dataclass(frozen=True)
class Context:
    """What Lambda passes beside the event."""

    function_name: str = "batchdrop"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:batchdrop"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


class Stack:
    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(boto3, "client", _client)
        self.openai = server.admin
        self.s3, self.sqs = boto3.client("s3"), boto3.client("sqs")
        self.dynamodb = boto3.client("dynamodb")
        self._make_buckets()
        self.dynamodb.create_table(**SCHEMA | {"TableName": ENV["TABLE_NAME"]})  # type: ignore[arg-type]
        names = ("plan", "submit", "collect")
        self.queues = {name: self.sqs.create_queue(QueueName=f"batchdrop-{name}")["QueueUrl"] for name in names}
        self.ended = self._listen()
        self.secrets = boto3.client("secretsmanager")
        secret = self.secrets.create_secret(Name="batchdrop", SecretString='{"api_key": "sk-test"}')
        _make_poller()
        environment = ENV | {
            "INPUT_BUCKET": INPUT,
            "OUTPUT_BUCKET": OUTPUT,
            "WORK_BUCKET": WORK,
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_SECRET_ARN": secret["ARN"],
            "INVALID_LINES": "report",
            "POWERTOOLS_SERVICE_NAME": "batchdrop",
            **{f"{name.upper()}_QUEUE_URL": url for name, url in self.queues.items()},
        }
        self.used: dict[str, set[Use]] = {module.__name__: set() for module in HANDLERS}
        self._running = ""
        self._watch(monkeypatch)
        self.log = io.StringIO()
        for module in HANDLERS:
            monkeypatch.setattr(module.logger.registered_handler, "stream", self.log)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    def __enter__(self) -> Self:
        self.forget()
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()

    def call(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke a handler."""
        module = next(module for module in HANDLERS if module.__name__ == function)
        self._running = function
        try:
            return module.handler(event, Context())
        finally:
            self._running = ""

    def drop(self, key: str, body: bytes) -> str:
        """Put an input without telling anybody; its version."""
        return self.s3.put_object(Bucket=INPUT, Key=key, Body=body)["VersionId"]

    def run(self, stem: str, *, ticks: int = 40) -> dict[str, Any]:
        """Carry messages and tick until the job has ended; its status."""
        for _ in range(ticks):
            self.call("poller", {})
            self.openai.wait_until_idle()
            for queue, function in (("plan", "submitter"), ("submit", "submitter"), ("collect", "collector")):
                while messages := self.received(queue):
                    for message in messages:
                        self.call(function, {"Records": [{"body": message}]})
            if f"{stem}.status.json" in self.outputs():
                status = self.status(stem)
                if status["state"] in ("completed", "failed", "cancelled"):
                    return status
        raise AssertionError(f"{stem} has not ended: {self.outputs()}")

    def forget(self) -> None:
        """What the functions' processes hold: the next calls start anew."""
        for module in HANDLERS:
            if module.app.cache_info().currsize:
                module.app().ports.api.close()
            module.app.cache_clear()

    def received(self, queue: str) -> list[str]:
        """The bodies of the messages that wait; they are taken off."""
        url = self.queues[queue]
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def outputs(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=OUTPUT).get("Contents", [])]

    def output(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=OUTPUT, Key=key)["Body"].read()

    def lines(self, key: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output(key).split(b"\n") if line]

    def status(self, stem: str) -> dict[str, Any]:
        return dict(json.loads(self.output(f"{stem}.status.json")))

    def items(self) -> list[dict[str, Any]]:
        return self.dynamodb.scan(TableName=ENV["TABLE_NAME"])["Items"]

    def denied(self) -> set[Use]:
        """What a function has used and the template does not allow its role."""
        template = Template(transformed(), {})
        return {
            use
            for function, used in self.used.items()
            for use in used
            if not grants_for(use, granted(template, function))
        }

    def _make_buckets(self) -> None:
        for bucket in (INPUT, OUTPUT, WORK):
            self.s3.create_bucket(Bucket=bucket)
        for bucket in (INPUT, OUTPUT):
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def _listen(self) -> str:
        """A queue with every event that the stack sends."""
        url = self.sqs.create_queue(QueueName="listener")["QueueUrl"]
        self.queues["events"] = url
        events = boto3.client("events")
        events.put_rule(Name="all", EventPattern='{"source": ["batchdrop"]}')
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_targets(Rule="all", Targets=[{"Id": "listener", "Arn": arn}])
        return url

    def _watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Note what each function's role is used for."""
        send = BaseClient._make_api_call  # type: ignore[attr-defined]

        def watched(client: BaseClient, operation: str, call: dict[str, Any]) -> Any:
            service = client.meta.service_model.service_name
            used = self.used.get(self._running, set())
            if self._running:
                used.update(uses(service, operation, call))  # before: botocore changes the call
            try:
                return send(client, operation, call)
            except ClientError as error:
                if service == "s3" and error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                    used.update(to_be_told_that_it_is_not_there(call))
                raise

        monkeypatch.setattr(BaseClient, "_make_api_call", watched)


def _make_poller() -> None:
    """There is a function by the poller's name; moto does not run it."""
    trust = {"Version": "2012-10-17", "Statement": []}
    role = boto3.client("iam").create_role(RoleName="poller", AssumeRolePolicyDocument=json.dumps(trust))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("poller.py", "")
    boto3.client("lambda").create_function(
        FunctionName=ENV["POLLER_FUNCTION"],
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="poller.handler",
        Code={"ZipFile": code.getvalue()},
    )

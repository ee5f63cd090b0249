"""The one place where ports meet adapters."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from batchdrop.adapters.aws import CONFIG
from batchdrop.adapters.clock import LambdaDeadline, SystemClock
from batchdrop.adapters.dynamodb import DynamoDBTable
from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.messages import AwsMessages
from batchdrop.adapters.openai_batches import OpenAIBatches
from batchdrop.adapters.s3 import S3Objects
from batchdrop.adapters.secrets import ApiKey
from batchdrop.usecases.admit import Admit
from batchdrop.usecases.assemble import Assemble
from batchdrop.usecases.clean import Clean
from batchdrop.usecases.collect import Collect
from batchdrop.usecases.fetch import Fetch
from batchdrop.usecases.join import Join
from batchdrop.usecases.observe import Observe
from batchdrop.usecases.plan import Plan
from batchdrop.usecases.poll import Poll
from batchdrop.usecases.recover import Recover
from batchdrop.usecases.redrive import Redrive
from batchdrop.usecases.status import Status
from batchdrop.usecases.submit import Submit

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from batchdrop.ports import Deadline
    from batchdrop.settings import Settings


def deadline(context: LambdaContext) -> Deadline:
    """What is left of the invocation."""
    return LambdaDeadline(context)


@dataclass(frozen=True)
class App:
    """Every use case on the real adapters; each is made when it is first asked for."""

    settings: Settings

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    @cached_property
    def ledger(self) -> TableLedger:
        return TableLedger(DynamoDBTable(boto3.client("dynamodb", config=CONFIG), self.settings.table_name))

    @cached_property
    def objects(self) -> S3Objects:
        return S3Objects(boto3.client("s3", config=CONFIG))

    @cached_property
    def messages(self) -> AwsMessages:
        return AwsMessages(
            sqs=boto3.client("sqs", config=CONFIG),
            functions=boto3.client("lambda", config=CONFIG),
            events=boto3.client("events", config=CONFIG),
            plan_queue_url=self.settings.plan_queue_url,
            submit_queue_url=self.settings.submit_queue_url,
            collect_queue_url=self.settings.collect_queue_url,
            poller_function=self.settings.poller_function,
            output_bucket=self.settings.output_bucket,
        )

    @cached_property
    def api(self) -> OpenAIBatches:
        key = ApiKey(boto3.client("secretsmanager", config=CONFIG), self.settings.openai_secret_arn)
        return OpenAIBatches(self.settings.openai_base_url, key)

    @cached_property
    def spool(self) -> Path:
        return Path(tempfile.gettempdir())

    @cached_property
    def status(self) -> Status:
        return Status(self.ledger, self.objects, self.clock, self.settings.output_bucket)

    @cached_property
    def submit(self) -> Submit:
        return Submit(self.ledger, self.objects, self.api, self.clock, self.settings.create_lease_seconds)

    @cached_property
    def poll(self) -> Poll:
        return Poll(
            self.ledger,
            self.clock,
            observe=lambda: Observe(self.ledger, self.api, self.messages, self.clock),
            recover=lambda: Recover(self.ledger, self.api, self.clock, self.settings.settle_seconds),
            redrive=Redrive(self.ledger, self.messages, self.clock),
            admit=Admit(self.ledger, self.messages, self.clock, name=uuid.uuid4().hex),
            status=self.status,
        )

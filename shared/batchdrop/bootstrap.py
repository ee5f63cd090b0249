"""The one place where ports meet adapters."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3

from batchdrop.adapters.aws import BODIES, CALLS
from batchdrop.adapters.clock import LambdaDeadline, SystemClock
from batchdrop.adapters.dynamodb import DynamoDBTable
from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.messages import AwsMessages
from batchdrop.adapters.openai_batches import OpenAIBatches
from batchdrop.adapters.prices import TablePrices
from batchdrop.adapters.s3 import S3Objects
from batchdrop.adapters.secrets import ApiKey
from batchdrop.core.cut import Limits
from batchdrop.settings import Settings
from batchdrop.usecases import pace
from batchdrop.usecases.admit import Admit
from batchdrop.usecases.announce import Announce
from batchdrop.usecases.assemble import Assemble
from batchdrop.usecases.audit import Audit
from batchdrop.usecases.cancel import Cancel
from batchdrop.usecases.clean import Clean
from batchdrop.usecases.collect import Collect
from batchdrop.usecases.expire import Expire
from batchdrop.usecases.explain import Explain
from batchdrop.usecases.fetch import Fetch
from batchdrop.usecases.housekeep import Housekeep
from batchdrop.usecases.join import Join
from batchdrop.usecases.observe import Observe
from batchdrop.usecases.opening import Open
from batchdrop.usecases.plan import Plan
from batchdrop.usecases.poll import Poll
from batchdrop.usecases.recover import Recover
from batchdrop.usecases.redrive import Redrive
from batchdrop.usecases.release import Release
from batchdrop.usecases.staging import Stage
from batchdrop.usecases.status import Status
from batchdrop.usecases.submit import Submit
from batchdrop.usecases.sweep import Sweep
from batchdrop.usecases.withdraw import Withdraw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchdrop.adapters.clock import Context
    from batchdrop.core.events import Dropped
    from batchdrop.ports import BatchApi, Clock, Deadline, Ledger, Messages, ObjectStore, Prices


def app(env: Mapping[str, str]) -> App:
    """The deployed service. Nothing is connected before it is needed; ``Misconfigured`` if the environment is wrong."""
    settings = Settings.from_env(env)
    return App(settings, Aws(settings))


def deadline(context: Context) -> Deadline:
    """What is left of the invocation."""
    return LambdaDeadline(context)


class Ports(Protocol):
    """Everything outside."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def objects(self) -> ObjectStore: ...
    @property
    def api(self) -> BatchApi: ...
    @property
    def prices(self) -> Prices: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True)
class Aws:
    """The ports on AWS and OpenAI, each made when it is first asked for: clients cost time at a cold start."""

    settings: Settings

    @cached_property
    def ledger(self) -> TableLedger:
        return TableLedger(DynamoDBTable(boto3.client("dynamodb", config=CALLS), self.settings.table_name))

    @cached_property
    def objects(self) -> S3Objects:
        return S3Objects(boto3.client("s3", config=BODIES))

    @cached_property
    def api(self) -> OpenAIBatches:
        key = ApiKey(boto3.client("secretsmanager", config=CALLS), self.settings.openai_secret_arn)
        return OpenAIBatches(self.settings.openai_base_url, key)

    @cached_property
    def prices(self) -> TablePrices:
        return TablePrices(self.settings.openai_base_url, self.settings.price_provider)

    @cached_property
    def messages(self) -> AwsMessages:
        return AwsMessages(
            sqs=boto3.client("sqs", config=CALLS),
            functions=boto3.client("lambda", config=CALLS),
            events=boto3.client("events", config=CALLS),
            plan_queue_url=self.settings.plan_queue_url,
            submit_queue_url=self.settings.submit_queue_url,
            collect_queue_url=self.settings.collect_queue_url,
            poller_function=self.settings.poller_function,
            output_bucket=self.settings.output_bucket,
        )

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()


@dataclass(frozen=True)
class App:
    """Every use case, on whatever ports."""

    settings: Settings
    ports: Ports

    def serves(self, event: Dropped) -> bool:
        """Whether it comes from our input bucket, in our account."""
        ours = event.account in (None, self.settings.account_id)
        return ours and event.bucket == self.settings.input_bucket

    @cached_property
    def plan(self) -> Plan:
        settings, ports = self.settings, self.ports
        batch = Limits(settings.max_requests_per_batch, settings.max_bytes_per_batch)
        given = settings.options, settings.input_bucket, settings.completion_windows
        return Plan(
            ports.ledger,
            ports.objects,
            ports.messages,
            ports.clock,
            ports.prices,
            open=Open(ports.ledger, ports.objects, ports.clock, *given),
            stage=Stage(ports.objects, settings.work_bucket, batch),
            announce=self.announce,
        )

    @cached_property
    def submit(self) -> Submit:
        ports = self.ports
        lease, limits = self.settings.create_lease_seconds, self.settings.token_limits
        return Submit(ports.ledger, ports.objects, ports.api, ports.clock, lease, limits)

    @cached_property
    def poll(self) -> Poll:
        settings, ports = self.settings, self.ports
        return Poll(
            ports.ledger,
            ports.clock,
            observe=lambda: Observe(ports.ledger, ports.api, ports.messages, ports.clock),
            recover=lambda: Recover(ports.ledger, ports.api, ports.clock, settings.settle_seconds),
            expire=Expire(ports.ledger, ports.clock, settings.max_job_hours),
            withdraw=lambda: Withdraw(ports.ledger, ports.api, ports.clock),
            redrive=lambda: Redrive(ports.ledger, ports.messages, ports.clock),
            admit=lambda: Admit(
                ports.ledger,
                ports.messages,
                ports.clock,
                name=uuid.uuid4().hex,
                token_limits=settings.token_limits,
                submitters=settings.submit_concurrency,
            ),
            housekeep=self.housekeep,
            status=self.status,
        )

    def heeds_poke(self) -> bool:
        """Whether a tick that somebody asked for is made; else the schedule's next one does its work."""
        now = self.ports.clock.now()
        return self.ports.ledger.take_poke(now=now, until=now + pace.POKES)

    @cached_property
    def housekeep(self) -> Housekeep:
        settings, ports = self.settings, self.ports
        bucket, settle = settings.input_bucket, settings.settle_seconds
        return Housekeep(
            ports.ledger,
            ports.clock,
            sweep=lambda: Sweep(ports.ledger, ports.objects, ports.messages, ports.clock, bucket),
            audit=lambda: Audit(ports.ledger, ports.api, ports.clock, settle),
        )

    @cached_property
    def cancel(self) -> Cancel:
        ports = self.ports
        return Cancel(ports.ledger, ports.objects, ports.messages, ports.clock, self.settings.input_bucket)

    @cached_property
    def release(self) -> Release:
        return Release(self.ports.ledger, self.ports.clock)

    @cached_property
    def collect(self) -> Collect:
        settings, ports = self.settings, self.ports
        output, work, spool = settings.output_bucket, settings.work_bucket, Path(tempfile.gettempdir())
        keep = settings.keep_openai_files
        return Collect(
            ports.ledger,
            ports.clock,
            Fetch(ports.ledger, ports.objects, ports.api, ports.messages, ports.clock, work, spool, keep),
            Join(ports.ledger, ports.objects, ports.clock, output, work, spool),
            Assemble(ports.ledger, ports.objects, ports.clock, output, self.announce),
            Explain(ports.ledger, ports.objects, output, work),
            Clean(ports.ledger, ports.objects, ports.api, ports.clock, output, work, keep),
        )

    @cached_property
    def announce(self) -> Announce:
        return Announce(self.ports.ledger, self.ports.messages, self.ports.clock, publish=self.status)

    @cached_property
    def status(self) -> Status:
        return Status(self.ports.ledger, self.ports.objects, self.ports.clock, self.settings.output_bucket)

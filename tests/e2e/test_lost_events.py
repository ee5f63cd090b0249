"""The poller's rounds on the local cloud, under its own role: what nobody told of, and what no item will own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openai import OpenAI

from batchdrop.adapters.dynamodb import DynamoDBTable
from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.messages import AwsMessages
from batchdrop.adapters.s3 import S3Objects
from batchdrop.core.housekeeping import Sweeping
from batchdrop.usecases.sweep import Sweep
from local.cloud.clients import connect
from tests.e2e.test_main_job import executions, ids, names, requests, world
from tests.fakes.clock import FakeClock, FakeDeadline

if TYPE_CHECKING:
    from tests.e2e.world import World

__all__ = ["world"]

HOUSEKEEPING = {"job_id": {"S": "stack"}, "item": {"S": "housekeeping"}}


def sweep_later(world: World) -> Sweep:
    """The sweep on the local cloud, eleven minutes later: S3 keeps its own time, and cannot be moved."""
    clients, outputs = world.clients, world.deployment.outputs
    messages = AwsMessages(
        sqs=clients.sqs,
        functions=clients.functions,
        events=clients.events,
        plan_queue_url=outputs["PlanQueueUrl"],
        submit_queue_url="",
        collect_queue_url="",
        poller_function=world.stack.poller_function,
        output_bucket=world.stack.output_bucket,
    )
    # A client of its own: the table has its client read pages in its own way.
    dynamodb = connect(world.stack.endpoint_url, world.stack.region).dynamodb
    ledger = TableLedger(DynamoDBTable(dynamodb, world.stack.table))
    clock = FakeClock(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=11))
    return Sweep(ledger, S3Objects(clients.s3), messages, clock, world.stack.input_bucket)


@contextmanager
def no_events(world: World) -> Iterator[None]:
    """What is dropped meanwhile, S3 tells nobody of."""
    s3, bucket = world.clients.s3, world.stack.input_bucket
    kept: Any = s3.get_bucket_notification_configuration(Bucket=bucket)
    kept.pop("ResponseMetadata", None)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=kept)


def make_due(world: World, which: str) -> None:
    """The next tick makes this round, ``sweep`` or ``audit``."""
    world.clients.dynamodb.update_item(
        TableName=world.stack.table,
        Key=HOUSEKEEPING,
        UpdateExpression="SET #which.next_at = :then",
        ExpressionAttributeNames={"#which": which},
        ExpressionAttributeValues={":then": {"S": "2026-01-01T00:00:00Z"}},
    )


def test_a_lost_event_is_a_delay(world: World) -> None:
    world.tick()
    with no_events(world):
        world.drop("lost/a b+ü.jsonl", requests(3, "lost"))
    make_due(world, "sweep")
    seen = world.tick()
    assert (seen["troubles"], seen["swept"]) == ([], {"pages": 1, "resent": 0}), "it is left to its own event at first"
    assert world.status("lost/a b+ü") is None
    swept, _ = sweep_later(world)(Sweeping(), [], FakeDeadline())
    assert swept.resent == 1
    assert world.wait("lost/a b+ü")["counts"]["completed"] == 3
    assert ids(world, "lost/a b+ü.results.jsonl") == names(3, "lost")
    assert executions(world, "lost-") == {1: 3}


def test_a_batch_that_no_item_will_own_is_stopped_and_noted(world: World) -> None:
    world.drop("orphan/a.jsonl", requests(2, "orphan"))
    job_id = world.wait("orphan/a")["job_id"]
    pace = world.openai.settings()["pace"]
    world.openai.configure(pace={"in_progress": 60})
    stack = world.items("stack")
    (identity,) = [item["stack_id"] for item in stack if item["item"] == "stack"]
    client = OpenAI(base_url=world.stack.openai_base_url, api_key="sk-local")
    file = client.files.create(file=("x.jsonl", requests(2, "double")), purpose="batch")
    of = {"batchdrop_stack": identity, "batchdrop_job": job_id, "batchdrop_item": "chunk#000001#batch#0001"}
    double = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata=of
    )
    make_due(world, "audit")
    seen = world.tick()
    assert (seen["troubles"], seen["audited"]["orphans"], seen["audited"]["cancelled"]) == ([], 1, 1)
    assert client.batches.retrieve(double.id).status in ("cancelling", "cancelled")
    (noted,) = [item for item in world.items("stack") if item["item"] == f"orphan#{double.id}"]
    assert (noted["of_job"], noted["what"]) == (job_id, "cancelled")
    world.openai.configure(pace=pace)
    world.openai.wait_until_idle()
    # They are nobody's, so nobody but we clean them up.
    for left in filter(None, (file.id, client.batches.retrieve(double.id).error_file_id)):
        client.files.delete(left)

"""Very many open batches, as the bytes that DynamoDB and OpenAI answer."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx2
from boto3.dynamodb.types import TypeSerializer
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from msgspec.structs import replace
from openai import OpenAI

from batchdrop.adapters.dynamodb import DynamoDBTable
from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.openai_batches import OpenAIBatches
from batchdrop.core import naming
from batchdrop.core.housekeeping import Housekeeping, Sweeping
from batchdrop.core.model import Batch, Job, Source, attributes
from batchdrop.core.options import Options
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
_LATER = NOW + dt.timedelta(hours=30)
_SECONDS = 23 * 3_600  #: the oldest is so old
_ITEMS = 650  #: in a megabyte, which is what a query answers at a time
_LISTED = 100
_SERIALIZER = TypeSerializer()


def _created_at(index: int, number: int) -> int:
    return int(NOW.timestamp()) - _SECONDS + index * _SECONDS // number


def _batch_id(index: int) -> str:
    return f"batch_{index:032d}"


class CrowdedLedger(TableLedger):
    """One job and its batches in flight: their items come through the adapter. Of the rest only ``record`` is kept."""

    def __init__(self, number: int) -> None:
        nobody = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key"), "-")
        client = boto3.client("dynamodb", region_name="us-east-1", **nobody)  # type: ignore[call-overload]
        client.meta.events.register("before-send.dynamodb.Query", self._answer)
        super().__init__(DynamoDBTable(client, "-"))
        self.number = number
        self.record = Housekeeping(sweep=Sweeping(next_at=_LATER))
        self._pages = list(_pages(number))

    def parse(self) -> None:
        """The bytes of every open item, and nothing more."""
        for page in self._pages:
            json.loads(page)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        after = json.loads(cast("bytes", request.body)).get("ExclusiveStartKey", {"item": {"S": "0"}})
        page = self._pages[int(after["item"]["S"])]
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(page))

    def housekeeping(self) -> Housekeeping:
        return self.record

    def claim_housekeeping(self, record: Housekeeping, **_: object) -> Housekeeping:
        return record

    def untold_orphans(self) -> list[str]:
        return []

    def note_housekeeping(self, record: Housekeeping) -> bool:
        self.record = replace(record, lease_until=None)
        return True

    def stack(self, now: dt.datetime) -> Stack:
        return Stack("-", now)


class _Raw:
    """The body of an answer, as urllib3 hands it out."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


def _pages(number: int) -> Iterator[bytes]:
    items = [_stored(_job())]
    for index in range(number):
        items.append(_stored(_batch(index, number)))
        if len(items) == _ITEMS or index == number - 1:
            following = 1 + index // _ITEMS
            more = {} if index == number - 1 else {"LastEvaluatedKey": {"item": {"S": str(following)}}}
            yield json.dumps({"Items": items, "Count": len(items)} | more).encode()
            items = []


def _stored(item: Job | Batch) -> dict[str, Any]:
    return {name: _SERIALIZER.serialize(value) for name, value in attributes(item).items()}


def _job() -> Job:
    return Job(
        job_id="reviews-000000000000",
        item="job",
        state=JobState.RUNNING,
        bucket="input",
        input_key="reviews.jsonl",
        version_id="-",
        etag="-",
        bytes=10**12,
        last_modified=NOW,
        stem="reviews",
        options=Options(),
        created_at=NOW,
        month="2026-11",
        due="open",
        next_check_at=_LATER,
        open_chunks=1,
        status_due_at=_LATER,
    )


def _batch(index: int, number: int) -> Batch:
    at = _created_at(index, number)
    return Batch(
        job_id="reviews-000000000000",
        item=naming.batch_item(index // 50 + 1, naming.batch_number(index % 50 + 1)),
        state=BatchState.IN_FLIGHT,
        source=Source(
            bucket="input", key="reviews.jsonl", version_id="v" * 32, first_byte=index * 10**8, end_byte=10**12
        ),
        model="gpt-5-mini",
        endpoint="/v1/chat/completions",
        requests=50_000,
        estimated_tokens=5_000_000,
        claim=2,
        token="0" * 32,
        file_id=f"file-{index:032d}",
        intent_at=NOW,
        openai_batch_id=_batch_id(index),
        openai_created_at=at,
        in_flight_at=dt.datetime.fromtimestamp(at, dt.UTC),
        remote_status="in_progress",
        rank=2,
        remote_completed=10,
        pool_tokens=10**9,
        due="open",
        next_check_at=_LATER,
    )


class CrowdedProvider:
    """The list of them behind the SDK. ``shown``: how many it told of so far, each time it did."""

    def __init__(self, number: int) -> None:
        self.number, self.shown = number, 0
        self.api = OpenAIBatches("https://api.openai.com/v1", _Key())
        http = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        sdk = OpenAI(base_url="https://api.openai.com/v1", api_key="-", max_retries=0, http_client=http)
        vars(self.api._client)["shared"] = sdk  # noqa: SLF001 - the adapter makes its own, with a network

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path, asked = urlsplit(str(request.url)).path, parse_qs(urlsplit(str(request.url)).query)
        if not path.endswith("/batches"):
            self.shown += 1
            return httpx2.Response(200, json=_shown(int(path.rsplit("_", 1)[1]), self.number))
        end = int(asked["after"][0].removeprefix("batch_")) if "after" in asked else self.number
        page = [_shown(index, self.number) for index in reversed(range(max(0, end - _LISTED), end))]
        self.shown += len(page)
        return httpx2.Response(200, json={"object": "list", "data": page, "has_more": end > _LISTED})


class _Key:
    def current(self) -> str:
        return "-"

    def version(self) -> str:
        return "-"

    def renewed(self) -> bool:
        return False


def _shown(index: int, number: int) -> dict[str, Any]:
    return {
        "id": _batch_id(index),
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": None,
        "input_file_id": f"file-{index:032d}",
        "completion_window": "24h",
        "status": "in_progress",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": _created_at(index, number),
        "request_counts": {"total": 50_000, "completed": 10, "failed": 0},
        "metadata": {"batchdrop_stack": "another", "batchdrop_job": "-", "batchdrop_item": "-"},
    }

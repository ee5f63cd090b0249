"""The table, on a dict and on DynamoDB as moto has it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from batchdrop.adapters.dynamodb import DynamoDBTable
from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from tests.fakes.table import InMemoryTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCHEMA = {
    "TableName": "batchdrop",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("job_id", "item", "due", "next_check_at")
    ],
    "KeySchema": [
        {"AttributeName": "job_id", "KeyType": "HASH"},
        {"AttributeName": "item", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "due",
            "KeySchema": [
                {"AttributeName": "due", "KeyType": "HASH"},
                {"AttributeName": "next_check_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


@pytest.fixture
def dynamodb() -> Iterator[Table]:
    with mock_aws():
        client = _client()
        client.create_table(**SCHEMA)  # type: ignore[arg-type]
        yield DynamoDBTable(client, "batchdrop")


@functools.cache
def _client() -> DynamoDBClient:
    # A quarter of a second each; what it is asked reaches the mock that is in force.
    return boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Table:
    return InMemoryTable() if request.param == "memory" else request.getfixturevalue("dynamodb")


@pytest.fixture
def ledger(table: Table) -> TableLedger:
    return TableLedger(table)

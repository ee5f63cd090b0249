"""Reading many items, on a dict and on DynamoDB."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from batchdrop.adapters.dynamodb import DynamoDBTable
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.change import Change
from batchdrop.core.model import Key
from tests.contract.conftest import SCHEMA

VALUES: dict[str, Any] = {
    "text": "ü \u2028 😀",
    "empty": "",
    "number": -17,
    "large": 2**63,
    "flag": True,
    "map": {"inner": {"deep": 1}, "list": ["a", 2, {"b": []}]},
    "nothing": {},
}


def put(table: Table, item: str, **values: Any) -> None:
    assert table.commit([Change(Key("j", item), put={"job_id": "j", "item": item} | values)])


def test_values_come_back_from_a_page_as_they_were_written(table: Table) -> None:
    put(table, "a", **VALUES)
    (found,) = table.query("j")
    assert {name: found[name] for name in VALUES} == VALUES
    assert found == table.get(Key("j", "a"))


def test_more_items_than_fit_on_a_page_come_in_order(table: Table) -> None:
    for number in range(30):
        put(table, f"{number:02d}", filler="x" * 100_000)
    assert [item["item"] for item in table.query("j")] == [f"{number:02d}" for number in range(30)]


def test_what_a_stranger_wrote_breaks_no_page() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(**SCHEMA)  # type: ignore[arg-type]
        table = DynamoDBTable(client, "batchdrop")
        put(table, "a")
        client.put_item(
            TableName="batchdrop",
            Item={
                "job_id": {"S": "j"},
                "item": {"S": "b"},
                "set": {"SS": ["x"]},
                "no": {"NULL": True},
                "n": {"N": "1.5"},
            },
        )
        assert [item["item"] for item in table.query("j")] == ["a", "b"]


def test_a_query_that_is_refused_is_an_error_as_any_other() -> None:
    with mock_aws():
        table = DynamoDBTable(boto3.client("dynamodb", region_name="us-east-1"), "no-such-table")
        with pytest.raises(ClientError, match="ResourceNotFound"):
            list(table.query("j"))


def test_items_are_read_as_they_are_and_only_the_index_may_lag() -> None:
    """Who asks whether a batch is anybody's must see what was written a moment ago."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(**SCHEMA)  # type: ignore[arg-type]
        asked: list[tuple[str, bool]] = []
        for call in ("GetItem", "Query"):
            client.meta.events.register(
                f"provide-client-params.dynamodb.{call}",
                lambda params, model, **_: asked.append((model.name, params.get("ConsistentRead", False))),
            )
        table = DynamoDBTable(client, "batchdrop")
        table.get(Key("j", "a"))
        assert (list(table.query("j")), list(table.query("j", "b")), list(table.due())) == ([], [], [])
    assert asked == [("GetItem", True), ("Query", True), ("Query", True), ("Query", False)]

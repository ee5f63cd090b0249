"""Writes that others are in the way of: DynamoDB refuses them for a moment, and moto never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from batchdrop.adapters.dynamodb import TRIES, DynamoDBTable
from batchdrop.adapters.ledger.writing import birth
from tests import samples
from tests.contract.conftest import SCHEMA

CHANGES = [birth("C0", samples.chunk()), birth("B0", samples.batch())]


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    return ClientError(answer, "TransactWriteItems")


@pytest.fixture
def refused() -> Any:
    """Make a table whose first transactions are refused with these errors; with it, the tokens that were sent."""

    def make(*errors: ClientError) -> tuple[DynamoDBTable, list[str]]:
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(**SCHEMA)  # type: ignore[arg-type]
        left, tokens, send = list(errors), [], client.transact_write_items

        def transact(**call: Any) -> Any:
            tokens.append(call["ClientRequestToken"])
            if left:
                raise left.pop(0)
            return send(**call)

        client.transact_write_items = transact  # type: ignore[method-assign]
        return DynamoDBTable(client, "batchdrop", sleep=lambda _: None), tokens

    with mock_aws():
        yield make


Make = Callable[..., tuple[DynamoDBTable, list[str]]]


def test_a_conflict_passes_and_the_write_is_made(refused: Make) -> None:
    table, tokens = refused(cancelled("None", "TransactionConflict"), cancelled("TransactionConflict", "None"))
    assert table.commit(CHANGES)
    assert len(set(tokens)) == 3, "each try is a request of its own"


def test_a_conflict_that_stays_is_a_lost_race(refused: Make) -> None:
    table, tokens = refused(*[cancelled("TransactionConflict", "None")] * TRIES)
    assert not table.commit(CHANGES)
    assert len(tokens) == TRIES


def test_a_condition_that_failed_is_not_tried_again(refused: Make) -> None:
    table, tokens = refused(cancelled("ConditionalCheckFailed", "TransactionConflict"))
    assert not table.commit(CHANGES)
    assert len(tokens) == 1

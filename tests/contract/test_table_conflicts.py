"""Writes that others are in the way of: DynamoDB refuses them for a moment, and moto never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from batchdrop.adapters.dynamodb import TRIES, DynamoDBTable
from batchdrop.adapters.ledger.writing import birth, step, with_job
from batchdrop.core.change import Change
from batchdrop.core.states import BatchState
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


class Resent:
    """A client whose every write is sent twice, as the SDK does where the first answer was lost on the way."""

    def __init__(self, client: Any, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._client = client
        self._meanwhile = meanwhile
        self.failures: list[ClientError] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return partial(self._twice, call) if name in {"put_item", "update_item", "transact_write_items"} else call

    def _twice(self, call: Callable[..., Any], **how: Any) -> Any:
        with suppress(ClientError):
            call(**how)
        self._meanwhile()
        try:
            # DynamoDB would know a transaction by its token for ten minutes; a slower answer than that is meant here.
            return call(**how | ({"ClientRequestToken": "later"} if "ClientRequestToken" in how else {}))
        except ClientError as failure:
            self.failures.append(failure)
            raise


BORN = [birth("B0", samples.batch())]
ADMITTED = samples.batch(state=BatchState.ADMITTED)
WRITES = {
    "put": ([], BORN),
    "update": ([birth("B0", ADMITTED)], [step("B2", ADMITTED, claim=1)]),
    "transaction": ([], CHANGES),
    "update and check": (
        [birth("J1", samples.running()), *BORN],
        with_job(step("B1", samples.batch())),
    ),
}
Writes = tuple[list[Change], list[Change]]


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(**SCHEMA)  # type: ignore[arg-type]
        yield client


def begun(client: Any, before: list[Change]) -> None:
    if before:
        assert DynamoDBTable(client, "batchdrop").commit(before)


@pytest.mark.parametrize("writes", WRITES.values(), ids=WRITES)
def test_a_write_that_the_sdk_sent_twice_is_made_and_told_by_its_token(client: Any, writes: Writes) -> None:
    before, changes = writes
    begun(client, before)
    resent = Resent(client)
    assert DynamoDBTable(resent, "batchdrop").commit(changes)  # type: ignore[arg-type]
    assert resent.failures, "the second one was to be refused"


@pytest.mark.parametrize("writes", WRITES.values(), ids=WRITES)
def test_a_write_that_another_one_made_is_not_taken_for_ours(client: Any, writes: Writes) -> None:
    before, changes = writes
    begun(client, before)
    begun(client, changes)
    resent = Resent(client)
    assert not DynamoDBTable(resent, "batchdrop").commit(changes)  # type: ignore[arg-type]
    assert resent.failures


def test_what_went_on_since_our_write_is_not_taken_for_it(client: Any) -> None:
    """It was made, and another write has taken its place: our token is gone, so the item is to be read again."""
    before, changes = WRITES["update"]
    begun(client, before)
    after = step("B6.refused", samples.batch(state=BatchState.UPLOADING, claim=1), claim=1)
    resent = Resent(client, meanwhile=lambda: begun(client, [after]))
    assert not DynamoDBTable(resent, "batchdrop").commit(changes)  # type: ignore[arg-type]

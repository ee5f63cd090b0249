"""The ledger's table on DynamoDB: a ``Change`` becomes a conditional request, a sequence of them a transaction."""

from __future__ import annotations

import random
import time
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from batchdrop.adapters import dynamodb_pages
from batchdrop.adapters.aws import code_of, is_busy
from batchdrop.core.errors import RetryLater
from batchdrop.core.lifecycle import Op

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from batchdrop.core.change import Change, Path
    from batchdrop.core.model import Key

_LOST = frozenset({"ConditionalCheckFailed", "TransactionConflict", "None"})
_LOST_CALLS = frozenset(
    {"ConditionalCheckFailedException", "TransactionConflictException", "TransactionInProgressException"}
)
TRIES = 5  #: of a write that others are in the way of; half a second to two in all
_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()


class DynamoDBTable:
    """Implements ``adapters.ledger.table.Table``."""

    def __init__(self, client: DynamoDBClient, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep
        dynamodb_pages.read_at_once(client)

    def commit(self, changes: Sequence[Change]) -> bool:
        token = uuid.uuid4().hex
        requests = [Request(change, self._name, token) for change in changes]
        for attempt in range(TRIES):
            try:
                self._send(requests)
            except ClientError as error:
                # Two batches of one job that end together write to its item at the same moment: that passes.
                if not _is_conflict(error) or attempt == TRIES - 1:
                    return _was_made(error, token)
                self._sleep(random.uniform(0.02, 0.1) * 2**attempt)  # noqa: S311 - not for secrets
            except BotoCoreError as error:
                raise RetryLater(f"DynamoDB: {type(error).__name__}") from error
            else:
                return True
        raise AssertionError("unreachable")

    def _send(self, requests: Sequence[Request]) -> None:
        if len(requests) == 1 and not requests[0].is_check:
            requests[0].send(self._client)
        else:
            items = [request.in_transaction() for request in requests]
            self._client.transact_write_items(TransactItems=items, ClientRequestToken=uuid.uuid4().hex)

    def get(self, key: Key) -> dict[str, Any] | None:
        wanted = _serialized({"job_id": key.job_id, "item": key.item})
        try:
            found = self._client.get_item(TableName=self._name, Key=wanted, ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error
        return _plain(found["Item"]) if "Item" in found else None

    def query(self, job_id: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        condition = "job_id = :job" + (" AND begins_with(#item, :prefix)" if prefix else "")
        values = {":job": job_id} | ({":prefix": prefix} if prefix else {})
        yield from self._pages(
            KeyConditionExpression=condition,
            ExpressionAttributeValues=_serialized(values),
            ConsistentRead=True,
            **({"ExpressionAttributeNames": {"#item": "item"}} if prefix else {}),
        )

    def due(self) -> Iterator[dict[str, Any]]:
        yield from self._pages(
            IndexName="due",
            KeyConditionExpression="due = :open",
            ExpressionAttributeValues=_serialized({":open": "open"}),
        )

    def _pages(self, **query: Any) -> Iterator[dict[str, Any]]:
        try:
            for page in self._client.get_paginator("query").paginate(TableName=self._name, **query):
                yield from page[dynamodb_pages.ITEMS]  # type: ignore[literal-required]
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error


class Request:
    """One change in DynamoDB's words."""

    def __init__(self, change: Change, table: str, token: str) -> None:
        self._change = change
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._parts: dict[str, Any] = {"TableName": table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if change.put is not None:
            self._parts["Item"] = _serialized({**change.put, "token": token})
        else:
            self._parts["Key"] = _serialized({"job_id": change.key.job_id, "item": change.key.item})
        if conditions := self._conditions():
            self._parts["ConditionExpression"] = " AND ".join(conditions)
        if change.put is None and not change.is_check:
            self._parts["UpdateExpression"] = self._update(token)
        if self._names:
            self._parts["ExpressionAttributeNames"] = {short: name for name, short in self._names.items()}
        if self._values:
            self._parts["ExpressionAttributeValues"] = _serialized(self._values)

    @property
    def is_check(self) -> bool:
        return self._change.is_check

    def send(self, client: DynamoDBClient) -> None:
        if self._change.put is not None:
            client.put_item(**self._parts)
        else:
            client.update_item(**self._parts)

    def in_transaction(self) -> Any:
        if self._change.is_check:
            return {"ConditionCheck": self._parts}
        return {"Update" if self._change.put is None else "Put": self._parts}

    def _conditions(self) -> list[str]:
        clauses = []
        if self._change.states:
            states = ", ".join(self._value(state.value) for state in self._change.states)
            clauses.append(f"{self._name(('state',))} IN ({states})")
        for guard, expected in self._change.guards.items():
            clauses.append(self._clause(guard.op, self._name((guard.attribute,)), expected))
        return clauses

    def _clause(self, op: Op, name: str, expected: Any) -> str:
        match op:
            case Op.ABSENT:
                return f"attribute_not_exists({name})"
            case Op.PRESENT:
                return f"attribute_exists({name})"
            case Op.EQUAL:
                return f"{name} = {self._value(expected)}"
            case Op.AT_MOST:
                return f"(attribute_not_exists({name}) OR {name} <= {self._value(expected)})"
            case Op.ZERO:
                return f"{name} = {self._value(0)}"

    def _update(self, token: str) -> str:
        assign = {**self._change.assign, ("token",): token}
        sets = [f"{self._name(path)} = {self._value(value)}" for path, value in assign.items()]
        sets += [self._sum(path, value) for path, value in self._change.add.items()]
        drops = ", ".join(self._name((name,)) for name in self._change.drop)
        return f"SET {', '.join(sets)}" + (f" REMOVE {drops}" if drops else "")

    def _sum(self, path: Path, value: int) -> str:
        """An absent number counts as 0. Not ADD: for that, DynamoDB promises top-level attributes only."""
        name = self._name(path)
        return f"{name} = if_not_exists({name}, {self._value(0)}) + {self._value(value)}"

    def _name(self, path: Path) -> str:
        for part in path:
            self._names.setdefault(part, f"#n{len(self._names)}")
        return ".".join(self._names[part] for part in path)

    def _value(self, value: Any) -> str:
        name = f":v{len(self._values)}"
        self._values[name] = value
        return name


def _is_conflict(error: ClientError) -> bool:
    """Whether another write was in the way, and no condition failed."""
    codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    return code_of(error) == "TransactionConflictException" or codes - {"None"} == {"TransactionConflict"}


def _was_made(error: ClientError, token: str) -> bool:
    """Whether the write that answered ``error`` stands all the same: an earlier try of it was made."""
    code = code_of(error)
    if code == "TransactionCanceledException":
        reasons = error.response["CancellationReasons"]
        if not all(reason.get("Code") in _LOST for reason in reasons):
            raise _translated(error) from error
        refused = [reason for reason in reasons if reason.get("Code") == "ConditionalCheckFailed"]
        return bool(refused) and all(_token(reason) == token for reason in refused)
    if code not in _LOST_CALLS:
        raise _translated(error) from error
    return _token(error.response) == token


def _token(response: Mapping[str, Any]) -> str | None:
    return response.get("Item", {}).get("token", {}).get("S")  # type: ignore[no-any-return]


def _translated(error: Exception) -> Exception:
    if not isinstance(error, ClientError):
        return RetryLater(f"DynamoDB: {type(error).__name__}")
    code = code_of(error)
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    if is_busy(error) or reasons & {"ThrottlingError", "ProvisionedThroughputExceeded"}:
        return RetryLater(f"DynamoDB: {code}")
    return error


def _serialized(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _SERIALIZER.serialize(value) for name, value in item.items()}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _without_decimals(_DESERIALIZER.deserialize(value)) for name, value in item.items()}


def _without_decimals(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, list):
        return [_without_decimals(part) for part in value]
    if isinstance(value, dict):
        return {name: _without_decimals(part) for name, part in value.items()}
    return value

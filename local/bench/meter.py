"""Every call that boto3 makes in this process, a JSON line each: botocore tells of them, attempt by attempt.

What a call to DynamoDB is billed by is found by reading the items it touches before and after; the seconds that this
takes stand in ``own`` and are no seconds of the function.
"""

from __future__ import annotations

import json
import time
from typing import IO, TYPE_CHECKING, Any

import boto3
import botocore.session

from local.bench import capacity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    Context = dict[str, Any]

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})
_BEFORE, _CONSISTENT, _FOUND, _OWN = "bench before", "bench consistent", "bench found", "bench own"


class Meter:
    """Listens to all clients of the default session that are made from now on."""

    def __init__(self, log: IO[str]) -> None:
        self._log = log
        self._raw: DynamoDBClient = botocore.session.get_session().create_client("dynamodb")  # type: ignore[assignment]
        boto3.setup_default_session()
        events = boto3._get_default_session().events  # noqa: SLF001 - the one that boto3.client uses
        events.register("before-parameter-build", self._before)
        events.register("before-send", self._sent)
        events.register("before-parse.dynamodb.Query", self._found)
        events.register("after-call", self._after)
        events.register("after-call-error", self._failed)
        self._attempts = 0

    def _before(self, params: dict[str, Any], model: Any, context: Context, **_: object) -> None:  # noqa: ANN401
        self._attempts = 0
        begun = time.monotonic()
        if model.service_model.service_name == "dynamodb" and model.name in _WRITES:
            context[_BEFORE] = [(table, key, self._get(table, key)) for table, key in _touched(model.name, params)]
        context[_CONSISTENT] = params.get("ConsistentRead", False)
        context[_OWN] = time.monotonic() - begun

    def _sent(self, **_: object) -> None:
        self._attempts += 1

    def _found(self, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
        """Before anybody takes the items out: ``batchdrop.adapters.dynamodb_pages`` does."""
        begun = time.monotonic()
        page = json.loads(response_dict["body"])
        customized_response_dict[_FOUND] = sum(map(capacity.size, page.get("Items", ())))
        customized_response_dict[_OWN] = time.monotonic() - begun

    def _after(self, parsed: dict[str, Any], model: Any, context: Context, **_: object) -> None:  # noqa: ANN401
        begun = time.monotonic()
        line = {"service": model.service_model.service_name, "operation": model.name, "sent": self._attempts}
        if line["service"] == "dynamodb":
            line |= self._units(model.name, parsed, context)
        line["own"] = context.get(_OWN, 0.0) + parsed.get(_OWN, 0.0) + time.monotonic() - begun
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()

    def _failed(self, model: Any, context: Context, **_: object) -> None:  # noqa: ANN401 - botocore's
        self._after({}, model, context)

    def _units(self, name: str, parsed: dict[str, Any], context: Context) -> dict[str, float]:
        if name in _WRITES:
            many = name == "TransactWriteItems"
            return {
                "write": sum(
                    capacity.written(before, self._get(table, key), in_transaction=many)
                    for table, key, before in context[_BEFORE]
                )
            }
        found = capacity.size(parsed.get("Item", {})) + parsed.get(_FOUND, 0)
        return {"read": capacity.read(found, consistent=context[_CONSISTENT])}

    def _get(self, table: str, key: dict[str, Any]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._raw.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return found


def _touched(name: str, params: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    asked = [params]
    if name == "TransactWriteItems":
        asked = [one for entry in params["TransactItems"] for one in entry.values()]
    for one in asked:
        key = one.get("Key") or {name: one["Item"][name] for name in ("job_id", "item")}
        yield one["TableName"], key

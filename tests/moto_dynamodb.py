"""moto's DynamoDB does the same with less: it copied the whole table in every transaction.

A transaction of a job of a thousand batches took seconds, and such a job took hours.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

from moto.core.serialize import ResponseSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table


def _kept(table: Table, memo: dict[int, Any]) -> Table:
    """What a transaction goes back to: the same items, since an update leaves those that there are as they are."""
    kept = copy.copy(table)
    kept.items = defaultdict(dict, {key: dict(items) for key, items in table.items.items()})
    return kept


def _on_a_copy(update: Any) -> Any:
    def update_item(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *args: Any, **named: Any) -> Any:
        table = backend.get_table(table_name)
        hash_key, range_key = backend.get_keys_value(table, key)
        if (found := table.get_item(hash_key, range_key)) is not None:
            table.items[hash_key][range_key] = copy.deepcopy(found)
        try:
            return update(backend, table_name, key, *args, **named)
        except BaseException:
            if found is not None:
                table.items[hash_key][range_key] = found
            raise

    return update_item


def _of_plain_values(get_value: Any) -> Any:
    """A value of an item is a map of one type to what it holds: the other nine need no search by their other names."""

    def plain(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        parent = getattr(shape, "parent", None)
        if parent is not None and parent.name == "AttributeValue" and type(value) is dict:
            return value.get(key)
        return get_value(serializer, value, key, shape)

    return plain


def mend() -> None:
    """For every test of the process."""
    Table.__deepcopy__ = _kept  # type: ignore[attr-defined]
    DynamoDBBackend.update_item = _on_a_copy(DynamoDBBackend.update_item)  # type: ignore[method-assign]
    ResponseSerializer.get_value = _of_plain_values(ResponseSerializer.get_value)  # type: ignore[method-assign]

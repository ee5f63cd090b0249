"""DynamoDB's units, from the size of items: what a table on demand is billed by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Item = Mapping[str, Any]

_KB = 1024
_READ_KB = 4
#: The keys of an index, and whether it holds the whole item (template.yaml).
_INDEXES = ((("due", "next_check_at"), True), (("month", "created_at"), False))
_KEYS = ("job_id", "item")


def size(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them: names, and values by their type."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "S":
        return len(held.encode())
    if kind == "N":
        return len(held.strip("-0.").replace(".", "")) // 2 + 2
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value(one) for name, one in held.items())
    if kind == "L":
        return 3 + sum(1 + _value(one) for one in held)
    return 1


def written(before: Item | None, after: Item | None, *, in_transaction: bool) -> float:
    """Units of a write that left ``after`` where ``before`` was; the same where its condition failed."""
    own = _units(max(size(before or {}), size(after or {})))
    indexes = sum(_indexed(before, after, keys, whole=whole) for keys, whole in _INDEXES)
    return own * (2 if in_transaction else 1) + indexes


def read(found: int, *, consistent: bool) -> float:
    """Units of a read that found so many bytes."""
    units = max(1, math.ceil(found / _KB / _READ_KB))
    return units if consistent else units / 2


def _indexed(before: Item | None, after: Item | None, keys: tuple[str, str], *, whole: bool) -> float:
    old, new = (_projected(item, keys, whole=whole) for item in (before, after))
    if old == new:
        return 0
    if old and new and all(old[key] == new[key] for key in keys):
        return _units(max(size(old), size(new)))
    return sum(_units(size(item)) for item in (old, new) if item)


def _projected(item: Item | None, keys: tuple[str, str], *, whole: bool) -> Item | None:
    if item is None or not all(key in item for key in keys):
        return None
    return item if whole else {name: item[name] for name in (*_KEYS, *keys)}


def _units(found: int) -> int:
    return max(1, math.ceil(found / _KB))

"""``adapters.ledger.table.Table`` in a dict. Held to the same contract tests as DynamoDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from batchdrop.core.lifecycle import Guard, Op

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchdrop.core.change import Change, Path
    from batchdrop.core.model import Key

    Items = dict[tuple[str, str], dict[str, Any]]

Value = TypeVar("Value")


class InMemoryTable:
    def __init__(self) -> None:
        self.items: Items = {}
        self._tokens = 0

    def commit(self, changes: Sequence[Change]) -> bool:
        keys = [(change.key.job_id, change.key.item) for change in changes]
        assert len(set(keys)) == len(keys) <= 100, "a transaction touches at most 100 different items"
        if not all(map(holds, changes, map(self.items.get, keys))):
            return False
        token = self._token()
        for change, key in zip(changes, keys, strict=True):
            if not change.is_check:
                self.items[key] = applied(change, self.items.get(key), token)
        return True

    def _token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens}"

    def get(self, key: Key) -> dict[str, Any] | None:
        return copied(self.items.get((key.job_id, key.item)))

    def query(self, job_id: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        found = sorted(key for key in self.items if key[0] == job_id and key[1].startswith(prefix))
        return map(copied, [self.items[key] for key in found])

    def due(self) -> Iterator[dict[str, Any]]:
        found = [item for item in self.items.values() if item.get("due") == "open" and "next_check_at" in item]
        return map(copied, sorted(found, key=lambda item: item["next_check_at"]))


def holds(change: Change, item: dict[str, Any] | None) -> bool:
    old = item or {}
    if change.states and old.get("state") not in change.states:  # states are strings
        return False
    return all(_true(guard, expected, old) for guard, expected in change.guards.items())


_COMPARE: dict[Op, Callable[[Any, Any], bool]] = {
    Op.ABSENT: lambda value, _: value is None,
    Op.PRESENT: lambda value, _: value is not None,
    Op.EQUAL: lambda value, expected: value == expected and value is not None,
    Op.AT_MOST: lambda value, expected: value is None or value <= expected,
    Op.ZERO: lambda value, _: value == 0,
}
#: Looked up once: these are asked for at every write.
_TERMS = {guard: (guard.attribute, _COMPARE[guard.op]) for guard in Guard}


def _true(guard: Guard, expected: Any, item: dict[str, Any]) -> bool:
    attribute, compare = _TERMS[guard]
    return compare(item.get(attribute), expected)


def applied(change: Change, item: dict[str, Any] | None, token: str) -> dict[str, Any]:
    if change.put is not None:
        return {**copied(change.put), "token": token}
    new = dict(item) if item else {"job_id": change.key.job_id, "item": change.key.item}
    for path, value in change.assign.items():
        _parent(new, path)[path[-1]] = copied(value)
    new["token"] = token
    for path, number in change.add.items():
        parent = _parent(new, path)
        parent[path[-1]] = parent.get(path[-1], 0) + number
    for name in change.drop:
        new.pop(name, None)
    return new


def copied(value: Value) -> Value:
    """A copy that shares nothing that can change.

    Items hold plain values, few of them maps or lists: the rest is taken over as it is. Most of the time of a test
    with many items went here.
    """
    if isinstance(value, list):
        return list(map(copied, value))  # type: ignore[return-value]
    if not isinstance(value, dict):
        return value
    new = value.copy()
    for name, part in value.items():
        if type(part) is dict or type(part) is list:
            new[name] = copied(part)
    return new  # type: ignore[return-value]


def _parent(item: dict[str, Any], path: Path) -> dict[str, Any]:
    """The map that holds the end of ``path``, on a copy of all that leads to it."""
    for name in path[:-1]:
        item[name] = dict(item[name])  # like DynamoDB, a path into a map that is not there is an error
        item = item[name]
    return item

"""From a row of the lifecycle to a conditional write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from batchdrop.core import poison
from batchdrop.core.change import Change
from batchdrop.core.errors import RetryLater
from batchdrop.core.lifecycle import ROWS, Guard
from batchdrop.core.model import Item, Key, attributes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batchdrop.adapters.ledger.table import Table
    from batchdrop.core.change import Path
    from batchdrop.core.model import AnyItem
    from batchdrop.core.states import State

AnyKind = TypeVar("AnyKind", bound=Item)

#: What an item at its end no longer carries: it leaves the index.
NO_LONGER_DUE = ("due", "next_check_at", "lease_until")


def plain(value: Any) -> Any:
    """Times as ISO strings, structs as maps without what is None: what the table stores."""
    if isinstance(value, msgspec.Struct):
        return attributes(value)
    return msgspec.to_builtins(value)


def to(**values: Any) -> dict[Path, Any]:
    """Attributes to assign, by name."""
    return {(name,): plain(value) for name, value in values.items()}


def birth(row: str, item: AnyItem) -> Change:
    """Put a new item; it must not exist."""
    return Change(item.key, ROWS[row], guards={Guard.UNBORN: None}, put=attributes(item))


def step(
    row: str,
    item: AnyItem,
    *,
    target: State | None = None,
    guards: Mapping[Guard, Any] | None = None,
    add: Mapping[Path, int] | None = None,
    **assign: Any,
) -> Change:
    """Carry out ``row`` on ``item`` as it was read. ``target`` picks among several; an ``assign`` of None removes.

    The claim is guarded as read wherever the row guards it; other guards are given by value.
    """
    rule = ROWS[row]
    target = target or (None if rule.target is None else rule.targets[0])
    values = {Guard.CLAIM: item.claim, **(guards or {})}
    return Change(
        item.key,
        rule,
        states=rule.sources,
        guards={guard: plain(values.get(guard)) for guard in rule.guards},
        assign=to(
            **({} if target is None else {"state": target.value}), **{n: v for n, v in assign.items() if v is not None}
        ),
        add=add or {},
        drop=tuple(name for name, value in assign.items() if value is None),
    )


def died(item: AnyItem, now: datetime) -> dict[str, Any]:
    """What to assign to an item that is taken over: one crash more if whoever held it died."""
    return {"crashes": item.crashes + 1} if poison.has_lost_its_holder(item, now) else {}


def with_job(change: Change, *, add: Mapping[Path, int] | None = None) -> list[Change]:
    """The change, and what its row asks of the job in the same transaction."""
    rule = change.row
    if rule is None or not rule.job_states:
        return [change]
    job = Change(
        Key(change.key.job_id, "job"),
        states=rule.job_states,
        guards=dict.fromkeys(rule.job_guards),
        add=dict(add or {}),
    )
    return [change, job]


def replaced(item: AnyKind, change: Change) -> AnyKind:
    """The item as ``change`` leaves it."""
    new = attributes(item) | {path[0]: value for path, value in change.assign.items()}
    for name in change.drop:
        new.pop(name, None)
    return msgspec.convert(new, type(item))


def taken(table: Table, item: AnyKind, change: Change) -> AnyKind | None:
    """Make ``change``, which gives the caller the item under a new claim; the item as it is then, None if it is lost.

    Where the table fails, what is there decides. A claim that nobody knows to be his would look like a death later.
    """
    try:
        is_made = table.commit(with_job(change))
    except RetryLater:
        there = table.get(item.key) or {}
        # Of two who claim for the very same time, both may take it for theirs: writes under a claim allow for that.
        if any(there.get(name) != value for (name, *_), value in change.assign.items()):
            raise
        is_made = True
    return replaced(item, change) if is_made else None

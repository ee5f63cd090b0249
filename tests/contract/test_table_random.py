"""The dict and DynamoDB, the same random changes: the same answers, the same items."""

from __future__ import annotations

import random
from typing import Any

import pytest

from batchdrop.adapters.ledger.table import Table
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Key
from batchdrop.core.states import BatchState
from tests.fakes.table import InMemoryTable

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

OPERATIONS = 500  #: for each seed; 3,000 in all
KEYS = [Key(job, item) for job in ("a", "b") for item in ("job", "chunk#000001", "chunk#000001#batch#0001")]
STATES = (BatchState.QUEUED, BatchState.ADMITTED, BatchState.ENDED)


def value(chance: random.Random, guard: Guard) -> Any:
    match guard:
        case Guard.CLAIM | Guard.RANK:
            return chance.randrange(3)
        case Guard.LEASE_OVER:
            return f"2026-11-22T12:00:0{chance.randrange(3)}Z"
        case Guard.CURSOR:
            return {"offset": chance.randrange(2), "lines": 0}
        case Guard.SAME_FILE | Guard.SAME_BATCH:
            return f"id-{chance.randrange(2)}"
        case _:
            return None


GUARDS = [
    Guard.UNBORN,
    Guard.CLAIM,
    Guard.RANK,
    Guard.LEASE_OVER,
    Guard.CURSOR,
    Guard.SAME_FILE,
    Guard.SAME_BATCH,
    Guard.ALL_COLLECTED,
    Guard.NOT_CANCELLED,
    Guard.CANCEL_ASKED,
]


def item(chance: random.Random, key: Key) -> dict[str, Any]:
    return {
        "job_id": key.job_id,
        "item": key.item,
        "state": chance.choice(STATES).value,
        "claim": chance.randrange(3),
        "rank": chance.randrange(3),
        "open_chunks": chance.randrange(2),
        "cursor": {"offset": chance.randrange(2), "lines": 0},
        "counts": {"completed": 0},
        "usage": {"m.1": {"input_tokens": 1}},
        "file_id": f"id-{chance.randrange(2)}",
        **({"due": "open", "next_check_at": "2026-11-22T12:00:00Z"} if chance.random() < 0.7 else {}),
        **({"cancel_requested_at": "2026-11-22T12:00:00Z"} if chance.random() < 0.2 else {}),
    }


def change(chance: random.Random, key: Key, *, exists: bool) -> Change:
    guards = {guard: value(chance, guard) for guard in chance.sample(GUARDS, chance.randrange(3))}
    states = tuple(chance.sample(STATES, chance.randrange(3)))
    if not exists or chance.random() < 0.2:
        return Change(key, states=states if exists else (), guards=guards, put=item(chance, key))
    if chance.random() < 0.15:
        return Change(key, states=states or STATES, guards=guards)
    assign: dict[tuple[str, ...], Any] = {("claim",): chance.randrange(3)}
    if chance.random() < 0.5:
        assign[("lease_until",)] = value(chance, Guard.LEASE_OVER)
    add: dict[tuple[str, ...], int] = {}
    if chance.random() < 0.5:
        add[("usage", "m.1", "input_tokens")] = chance.randrange(5)
        add[("counts", "failed")] = 1
    drop = tuple(chance.sample(["due", "next_check_at", "reason"], chance.randrange(2)))
    return Change(key, states=states, guards=guards, assign=assign, add=add, drop=drop)


def contents(table: Table) -> list[list[dict[str, Any]]]:
    """Every item, and those that are due by their keys; tokens differ."""
    due = sorted(table.due(), key=lambda one: (one["job_id"], one["item"]))
    views = [list(table.query("a")), list(table.query("b")), due]
    return [[{name: part for name, part in one.items() if name != "token"} for one in view] for view in views]


@pytest.mark.parametrize("seed", range(6))
def test_no_disagreement(dynamodb: Table, seed: int) -> None:
    chance, memory, made = random.Random(seed), InMemoryTable(), 0
    for number in range(OPERATIONS):
        keys = chance.sample(KEYS, chance.choice([1, 1, 1, 2, 3]))
        changes = [change(chance, key, exists=memory.get(key) is not None) for key in keys]
        ours, theirs = memory.commit(changes), dynamodb.commit(changes)
        assert ours == theirs, f"seed {seed}, operation {number}: {changes}"
        made += ours
        if number % 100 == 0:
            assert contents(memory) == contents(dynamodb), f"seed {seed}, operation {number}"
    assert made > OPERATIONS // 10, "enough of them were made to tell"

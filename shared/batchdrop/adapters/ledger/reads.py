"""Reading the ledger, and the records that belong to no job."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from batchdrop.adapters.ledger.writing import plain
from batchdrop.core import naming
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import AnyItem, Batch, Chunk, Job, Key, from_attributes
from batchdrop.ports import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from batchdrop.adapters.ledger.table import Table

#: Hash key of the records that belong to the deployment.
STACK = "stack"
_IDENTITY = Key(STACK, "stack")


def pointer_key(bucket: str, key: str) -> Key:
    """Item that says which job was opened last for an input key."""
    return Key(f"input#{bucket}/{key}", "newest")


class Reads:
    """Reads of ``ports.Ledger``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def stack(self, now: datetime) -> Stack:
        born = {"job_id": STACK, "item": _IDENTITY.item, "stack_id": uuid.uuid4().hex, "accept_after": plain(now)}
        while (item := self._table.get(_IDENTITY)) is None:
            self._table.commit([Change(_IDENTITY, guards={Guard.UNBORN: None}, put=born)])
        return Stack(item["stack_id"], msgspec.convert(item["accept_after"], type(now)))

    def get(self, key: Key) -> AnyItem | None:
        item = self._table.get(key)
        return None if item is None else from_attributes(item)

    def job(self, job_id: str) -> Job | None:
        found = self.get(Key(job_id, "job"))
        return found if isinstance(found, Job) else None

    def chunk(self, job_id: str, number: int) -> tuple[Chunk | None, list[Batch]]:
        found = [from_attributes(item) for item in self._table.query(job_id, naming.chunk_item(number))]
        chunk = next((item for item in found if isinstance(item, Chunk)), None)
        return chunk, [item for item in found if isinstance(item, Batch)]

    def chunks(self, job_id: str) -> Iterator[Chunk]:
        return (item for item in self._all(job_id) if isinstance(item, Chunk))

    def batches(self, job_id: str) -> Iterator[Batch]:
        return (item for item in self._all(job_id) if isinstance(item, Batch))

    def parts(self, job_id: str) -> Iterator[Chunk | Batch]:
        return (item for item in self._all(job_id) if not isinstance(item, Job))

    def open_items(self) -> Iterator[AnyItem]:
        return map(from_attributes, self._table.due())

    def newest_job(self, bucket: str, key: str) -> str | None:
        item = self._table.get(pointer_key(bucket, key))
        return None if item is None else str(item["newest_job_id"])

    def _all(self, job_id: str) -> Iterator[AnyItem]:
        return map(from_attributes, self._table.query(job_id, "chunk#"))

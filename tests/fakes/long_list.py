"""A provider that has made very many batches, cheap to hold and to list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from batchdrop.core.errors import Rejected
from batchdrop.ports import BatchPage, RemoteBatch

PAGE = 100


@dataclass
class LongList:
    """``ports.BatchApi`` as far as looking goes. ``batches``: oldest first; ``unlisted``: ids that no page shows."""

    batches: list[RemoteBatch]
    unlisted: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._index = {batch.id: index for index, batch in enumerate(self.batches)}

    def page(self, cursor: str | None = None) -> BatchPage:
        self.calls["page"] += 1
        if cursor is not None and cursor not in self._index:
            raise Rejected("invalid_request", "no such batch")
        end = len(self.batches) if cursor is None else self._index[cursor]
        start = max(0, end - PAGE)
        shown = [batch for batch in reversed(self.batches[start:end]) if batch.id not in self.unlisted]
        return BatchPage(tuple(shown), self.batches[start].id if start else None)

    def retrieve(self, batch_id: str) -> RemoteBatch | None:
        self.calls["retrieve"] += 1
        return self.batches[self._index[batch_id]] if batch_id in self._index else None

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not called for a look")


def made(times: Iterable[int], name: str = "batch") -> list[RemoteBatch]:
    """Batches in progress that were created at these seconds."""
    return [RemoteBatch(f"{name}-{n:06d}", "in_progress", f"file-{n}", at) for n, at in enumerate(times)]

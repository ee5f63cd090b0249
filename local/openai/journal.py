"""What was asked of the server, and what was bought: the evidence that tests count."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 100_000  #: requests remembered; older ones are only counted


#: One executed request: batch id, custom id, digest of the body, status.
Execution: TypeAlias = "tuple[str, str, str, int]"


class Happening(msgspec.Struct):
    """One fault that came about: of a "line" (its custom id), a "batch" or a "webhook" (their ids)."""

    scope: str
    do: str
    subject: str


class Entry(msgspec.Struct, kw_only=True):
    """One request. ``status`` is null where no reply was sent, ``effect`` tells whether the work was done."""

    n: int
    route: str
    nth: int  #: among the requests of its route, from 1
    method: str
    path: str
    at: float
    status: int | None = None
    fault: str | None = None
    effect: bool = False
    ids: dict[str, str] = {}
    headers: dict[str, str] = {}
    metadata: dict[str, str] | None = None


class Delivery(msgspec.Struct, kw_only=True):
    """One attempt to deliver a webhook. ``status`` is null where nothing answered."""

    webhook_id: str
    endpoint_id: str
    event: str
    type: str
    subject: str  #: the id that the event tells of
    attempt: int  #: from 1; a duplicate counts too
    at: float
    status: int | None


class Journal:
    """Requests in memory, newest last; executed lines on disk, one JSON array a line."""

    def __init__(self, executions: Path) -> None:
        self._path = executions
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._nth: Counter[str] = Counter()
        self._happenings: deque[Happening] = deque(maxlen=KEPT)
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._nth.clear()
        self._happenings.clear()
        self.deliveries.clear()
        self._path.write_bytes(b"")

    def open(self, *, route: str, method: str, path: str, at: float) -> Entry:
        """Start the entry of a request that has just come in."""
        self._nth[route] += 1
        entry = Entry(
            n=sum(self._nth.values()), route=route, nth=self._nth[route], method=method, path=path, at=at, ids={}
        )
        self._entries.append(entry)
        return entry

    def entries(self, route: str | None = None) -> list[Entry]:
        """The remembered requests in order of arrival, of one route or of all."""
        return [entry for entry in self._entries if route in (None, entry.route)]

    def note(self, scope: str, do: str, subject: str) -> None:
        """Remember a fault that is no request's; theirs are in their entries."""
        self._happenings.append(Happening(scope, do, subject))

    def happenings(self, scope: str | None = None) -> list[Happening]:
        """The faults of lines, batches and webhooks that came about, in order."""
        return [happening for happening in self._happenings if scope in (None, happening.scope)]

    def record_executions(self, rows: list[Execution]) -> None:
        """Append executed lines. Thread-safe for one writer."""
        with self._path.open("ab") as log:
            log.writelines(msgspec.json.encode(row) + b"\n" for row in rows)

    def executions(self, *, by: str = "custom_id", ok_only: bool = False, batch: str | None = None) -> dict[str, int]:
        """How often each request was executed, by ``custom_id`` or by ``body`` (a digest of it)."""
        column = {"custom_id": 1, "body": 2}[by]
        decoder = msgspec.json.Decoder(tuple[str, str, str, int])
        counts: Counter[str] = Counter()
        with self._path.open("rb") as log:
            for line in log:
                row = decoder.decode(line)
                if batch in (None, row[0]) and not (ok_only and row[3] != 200):  # noqa: PLR2004 - an HTTP status
                    counts[str(row[column])] += 1
        return dict(counts)

    def summary(self) -> dict[str, Any]:
        """The number of requests by route since the start or the last ``clear``."""
        return dict(self._nth)

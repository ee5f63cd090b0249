"""What was asked of the server, and what was bought: the evidence that tests count."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 100_000  #: requests remembered; older ones are only counted


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


class Journal:
    """Requests in memory, newest last; executed lines on disk, one JSON array a line."""

    def __init__(self, executions: Path) -> None:
        self._path = executions
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._nth: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._nth.clear()
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

    def record_executions(self, rows: list[tuple[str, str, str, int]]) -> None:
        """Append executed lines: (batch id, custom id, digest of the body, status). Thread-safe for one writer."""
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

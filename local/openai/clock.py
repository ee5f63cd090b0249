"""The server's time: that of the machine, or one moved by hand."""

from __future__ import annotations

import time

EPOCH = 1_795_000_000.0  #: where a virtual clock starts, the same in every run: 2026-11-18


class Clock:
    """Seconds since 1970. A virtual clock stands still between calls of ``advance``."""

    def __init__(self, *, virtual: bool) -> None:
        self.virtual = virtual
        self._offset = 0.0

    def now(self) -> float:
        """The time in seconds since 1970."""
        return (EPOCH if self.virtual else time.time()) + self._offset

    def advance(self, seconds: float) -> None:
        """Move forward; a real clock keeps running from there. Raises ``ValueError`` for a step back."""
        if seconds < 0:
            message = "time does not run backwards"
            raise ValueError(message)
        self._offset += seconds

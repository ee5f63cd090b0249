"""Time that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeClock:
    """``ports.Clock`` that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.set(now)

    def now(self) -> datetime:
        return self._second

    def set(self, moment: datetime) -> None:
        self._now = moment.astimezone(UTC)
        self._second = self._now.replace(microsecond=0)

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0) -> datetime:
        """Move on; the new time."""
        self.set(self._now + timedelta(hours=hours, minutes=minutes, seconds=seconds))
        return self.now()


class FakeDeadline:
    """``ports.Deadline`` with ``seconds`` left, less ``each`` for every time that somebody looked."""

    def __init__(self, seconds: float = 900.0, *, each: float = 0.0) -> None:
        self.seconds = seconds
        self.each = each
        self.looks = 0

    def remaining(self) -> float:
        self.looks += 1
        left = self.seconds
        self.seconds -= self.each
        return left

"""Time, from the machine and from Lambda."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class SystemClock:
    """``ports.Clock``."""

    def now(self) -> datetime:
        return datetime.now(UTC).replace(microsecond=0)


class Context(Protocol):
    """What we use of the object that Lambda passes to a handler."""

    def get_remaining_time_in_millis(self) -> int: ...


class LambdaDeadline:
    """``ports.Deadline`` of one invocation."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def remaining(self) -> float:
        return self._context.get_remaining_time_in_millis() / 1000

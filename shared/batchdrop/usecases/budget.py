"""What one tick may spend: calls to the provider, and time. Every step has a share, and leaves the others theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchdrop.ports import Deadline

#: Calls to the provider in one tick, of all its steps together.
CALLS = 120
#: A tick ends within this time, whatever is left of its invocation.
SECONDS = 60


@dataclass(slots=True)
class Budget:
    """``calls`` that are left, and the time until ``deadline`` has no more than ``until`` seconds left.

    A ``Deadline`` by itself, for what takes time alone. What a share spends, its ``whole`` has spent.
    """

    deadline: Deadline
    calls: int = CALLS
    until: float = 0.0
    whole: Budget | None = None
    spent: int = 0

    @classmethod
    def of_tick(cls, deadline: Deadline) -> Budget:
        return cls(deadline, CALLS, until=max(0.0, deadline.remaining() - SECONDS))

    def remaining(self) -> float:
        return self.deadline.remaining() - self.until

    def share(self, calls: int | None = None) -> Budget:
        """So many of the calls at the most, and half of the time that is left."""
        most = self.calls if calls is None else max(0, min(calls, self.calls))
        return Budget(self.deadline, most, self.until + self.remaining() / 2, self)

    def has_call(self) -> bool:
        """Whether one more call may be made."""
        return self.calls > 0 and self.remaining() > 0

    def take(self) -> bool:
        """Spend one call; False if there is none, or no time for it."""
        if not self.has_call():
            return False
        self.spend()
        return True

    def spend(self) -> None:
        """Count a call."""
        self.calls -= 1
        self.spent += 1
        if self.whole:
            self.whole.spend()

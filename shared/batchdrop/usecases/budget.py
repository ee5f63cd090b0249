"""What one tick may spend: calls to the provider, and time. Every step has a share, and leaves the others theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchdrop.ports import Deadline

#: Calls to the provider in one tick, of all its steps together.
CALLS = 120
#: The steps of a tick end within this time, but for what each needs at the least.
SECONDS = 45
#: That much is every step's, as far as the invocation has it: a provider that hangs keeps no other work from moving.
LEAST_SECONDS = 5
#: What is left of an invocation to come to its end.
MARGIN = 1


@dataclass(slots=True)
class Budget:
    """``calls`` that are left, and the time until ``deadline`` has no more than ``until`` seconds left.

    No call is made when it has no more than ``no_call_until``. A ``Deadline`` by itself, for what takes time alone.
    What a share spends, its ``whole`` has spent.
    """

    deadline: Deadline
    calls: int = CALLS
    until: float = 0.0
    no_call_until: float = 0.0
    whole: Budget | None = None
    spent: int = 0

    @classmethod
    def of_tick(cls, deadline: Deadline) -> Budget:
        until = max(0.0, deadline.remaining() - SECONDS)
        return cls(deadline, CALLS, until, until)

    def remaining(self) -> float:
        return self.deadline.remaining() - self.until

    def share(self, calls: int | None = None, *, part: float = 0.5) -> Budget:
        """So many of the calls at the most, and half (or that ``part``) of the time that is left."""
        most = self.calls if calls is None else max(0, min(calls, self.calls))
        left = self.deadline.remaining()
        mine = max((left - self.until) * part, min(LEAST_SECONDS, left - MARGIN))
        return Budget(self.deadline, most, left - mine, max(left - mine, self.no_call_until), self)

    def has_call(self) -> bool:
        """Whether one more call may be made."""
        return self.calls > 0 and self.deadline.remaining() > self.no_call_until

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

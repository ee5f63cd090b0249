"""What is to happen when, on the server's clock."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.openai.clock import Clock

    Action = Callable[[], Awaitable[None]]


class Agenda:
    """Actions by time. ``settle`` carries out what is due, one after the other, each to its end."""

    def __init__(self, clock: Clock) -> None:
        self.changed = asyncio.Event()  #: set whenever an action was added
        self._clock = clock
        self._entries: list[tuple[float, int, Action]] = []
        self._tickets = itertools.count(1)
        self._settling = asyncio.Lock()

    def add(self, due: float, action: Action) -> None:
        """Carry out ``action`` once the clock shows ``due``; equal times keep their order."""
        heapq.heappush(self._entries, (due, next(self._tickets), action))
        self.changed.set()

    @property
    def next_due(self) -> float:
        """When something is to happen next; infinity if nothing is."""
        return self._entries[0][0] if self._entries else math.inf

    async def settle(self) -> None:
        """Return when everything due by now is done, with what it led to."""
        async with self._settling:
            while self.next_due <= self._clock.now():
                await heapq.heappop(self._entries)[2]()

    async def stop(self) -> None:
        """Let the action under way end, and begin no other."""
        self._entries.clear()
        async with self._settling:
            self._entries.clear()

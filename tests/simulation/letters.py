"""Queues that redeliver: a letter is hidden while it is worked on, comes again, and is dead after five receives."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.clock import FakeClock
from tests.fakes.messages import Message

LIFE = 900  #: seconds that an invocation may take
TICK = 120  #: the poller's
VISIBILITY = LIFE + 60
RECEIVES = 5


def lifetime(call: Message) -> int:
    """Seconds after which the platform kills the function that ``call`` invokes."""
    return TICK if call.to == "tick" else LIFE


@dataclass
class Letter:
    """A message in a queue: hidden until ``visible_at`` (Unix seconds)."""

    call: Message
    visible_at: float
    receives: int = 0


@dataclass
class Letters:
    """Every queue of ours at once."""

    clock: FakeClock
    waiting: list[Letter] = field(default_factory=list)

    def send(self, call: Message) -> Letter:
        self.waiting.append(Letter(call, self.clock.now().timestamp()))
        return self.waiting[-1]

    def received(self) -> list[Letter]:
        """Letters that are visible now; hidden from here on, for as long as a function may take."""
        return list(iter(self.next, None))

    def next(self) -> Letter | None:
        """The first of them."""
        now = self.clock.now().timestamp()
        letter = next((letter for letter in self.waiting if letter.visible_at <= now), None)
        if letter:
            letter.receives += 1
            letter.visible_at = now + VISIBILITY
        return letter

    def settle(self, letter: Letter, *, done: bool) -> None:
        """The queue forgets what is done, and what five receives could not do."""
        if (done or letter.receives >= RECEIVES) and letter in self.waiting:
            self.waiting.remove(letter)

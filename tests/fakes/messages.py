"""Messages that go nowhere until a test takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from batchdrop.core.events import Dropped
from batchdrop.core.model import Job, Key

To = Literal["drop", "plan", "submit", "collect", "tick"]


@dataclass(frozen=True)
class Message:
    """One message. ``key`` names the job's item for a plan, and is None for a tick and a drop."""

    to: To
    key: Key | None = None
    dropped: Dropped | None = None


@dataclass
class InMemoryMessages:
    """``ports.Messages``: ``sent`` is the record, ``pending`` what nobody took. Tests may lose or double those."""

    sent: list[Message] = field(default_factory=list)
    pending: list[Message] = field(default_factory=list)
    ended: list[Job] = field(default_factory=list)

    def dropped(self, bucket: str, key: str, version_id: str | None) -> None:
        self._send(Message("drop", dropped=Dropped(bucket, key, version_id)))

    def plan(self, job_id: str) -> None:
        self._send(Message("plan", Key(job_id, "job")))

    def submit(self, key: Key) -> None:
        self._send(Message("submit", key))

    def collect(self, key: Key) -> None:
        self._send(Message("collect", key))

    def tick(self) -> None:
        self._send(Message("tick"))

    def job_ended(self, job: Job) -> None:
        self.ended.append(job)

    def pop(self, to: To | None = None) -> Message | None:
        """The oldest pending message, of one kind if it is named; None if there is none."""
        for index, message in enumerate(self.pending):
            if to in (None, message.to):
                return self.pending.pop(index)
        return None

    def keys(self, to: To) -> list[Key]:
        """What the pending messages of a kind are about, oldest first."""
        return [message.key for message in self.pending if message.to == to and message.key]

    def _send(self, message: Message) -> None:
        self.sent.append(message)
        self.pending.append(message)

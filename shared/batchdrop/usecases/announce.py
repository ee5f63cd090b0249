"""Tell the world that a job has ended: its final status, then the event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchdrop.core.model import Job
    from batchdrop.ports import Clock, Ledger, Messages


@dataclass(frozen=True)
class Announce:
    """At least once: a caller that dies on the way does it again. ``publish`` writes the status object."""

    ledger: Ledger
    messages: Messages
    clock: Clock
    publish: Callable[[Job], None]

    def __call__(self, job: Job) -> Job:
        """The job, with the time at which it was told."""
        self.publish(job)
        self.messages.job_ended(job)
        return self.ledger.note_announced(job, self.clock.now()) or job

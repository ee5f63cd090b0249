"""Work that kills whoever takes it up: counted on its item, given up after five deaths, so that the job ends.

A holder gives its lease back, whatever comes of its work. One whose lease is over and still there has died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core.model import Chunk, Job
from batchdrop.core.states import BatchState, ChunkState, JobState

if TYPE_CHECKING:
    from datetime import datetime

    from batchdrop.core.model import AnyItem

#: Deaths after which work is given up.
CRASHES = 5
#: Code of requests, and of plans, that were given up.
QUARANTINED = "quarantined"


def has_lost_its_holder(item: AnyItem, now: datetime) -> bool:
    """Whether the item was claimed by an invocation that died with it."""
    return item.lease_until is not None and item.lease_until <= now


def is_poisoned(item: AnyItem) -> bool:
    """Whether the item is not to be worked on as it is."""
    return item.crashes >= CRASHES


def is_given_up(item: AnyItem | None) -> bool:
    """Whether it ended without having been done. A message about it belongs into the dead-letter queue."""
    if isinstance(item, Chunk):
        return item.state is ChunkState.COLLECTED and is_poisoned(item)
    if isinstance(item, Job):
        return item.code == QUARANTINED
    return item is not None and item.state is BatchState.QUARANTINED


def is_parked(item: AnyItem) -> bool:
    """Whether not even giving up succeeds: a chunk that cannot be written without answers either, a whole job."""
    if isinstance(item, Job):
        return item.state is JobState.ASSEMBLING and is_poisoned(item)
    return isinstance(item, Chunk) and item.crashes >= 2 * CRASHES

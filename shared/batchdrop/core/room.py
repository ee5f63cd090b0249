"""What the batches on their way take of each pool's allowance, and whether one more fits."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core import blocking, limits
from batchdrop.core.allowance import KEPT_FREE, TAKEN_FOR_GRANTED
from batchdrop.core.lifecycle import OCCUPYING, rank
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from batchdrop.core.allowance import Allowance, Allowances, Pool
    from batchdrop.core.model import Batch

_WORKED_ON = rank("in_progress")


@dataclass(slots=True)
class Room:
    """One pool. ``tokens``: of what is under way; ``estimated``: the same without correction.

    ``proven``: tokens of what the provider works on; ``unproven``: whether it has yet to take some.
    """

    allowance: Allowance
    tokens: int = 0
    estimated: int = 0
    proven: int = 0
    unproven: bool = False
    tight: bool = False  #: something had to wait, so that nothing may pass it by but what is small and new
    passed_by: int = 0  #: tokens that did

    def lets_by(self, weight: int, most: int) -> bool:
        """Whether something new may pass what waits: so many tokens at the most do so at once."""
        if self.passed_by + weight > most:
            return False
        self.passed_by += weight
        return True


@dataclass(slots=True)
class Rooms:
    """All pools at one moment; ``take`` moves on."""

    allowances: Allowances
    pools: dict[Pool, Room] = field(default_factory=dict)
    requests: Counter[Pool] = field(default_factory=Counter)
    under_way: defaultdict[tuple[str, Pool], int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, allowances: Allowances, batches: Iterable[Batch]) -> Rooms:
        rooms = cls(allowances)
        for batch in batches:
            if batch.state in OCCUPYING:
                rooms.take(batch)
        return rooms

    def pool(self, batch: Batch) -> Room:
        name = batch.api, batch.model
        if name not in self.pools:
            self.pools[name] = Room(self.allowances.of(name))
        return self.pools[name]

    def take(self, batch: Batch) -> None:
        """Count a batch that is on its way, or is to be."""
        room = self.pool(batch)
        self.under_way[batch.job_id, (batch.api, batch.model)] += 1
        if self.is_to_be_split(batch):
            return
        weight = room.allowance.weight(batch)
        room.tokens += weight
        room.estimated += batch.estimated_tokens
        self.requests[_shared(batch)] += batch.requests
        if batch.state is BatchState.IN_FLIGHT and batch.rank >= _WORKED_ON:
            room.proven += weight
        elif batch.state is not BatchState.IN_FLIGHT or blocking.is_undecided(batch, self.allowances.now):
            room.unproven = True

    def is_to_be_split(self, batch: Batch) -> bool:
        """Whether its parts will take room, and not itself: it will not be uploaded."""
        not_uploaded = batch.state in (BatchState.QUEUED, BatchState.ADMITTED)
        return not_uploaded and self.pool(batch).allowance.pieces(batch) > 0

    def has_room(self, batch: Batch) -> bool:
        """Whether it may go. One that does not fit in an empty pool goes alone."""
        room = self.pool(batch)
        if self.is_to_be_split(batch):
            return True
        fits = self._fits(room, batch, is_new=not self.under_way[batch.job_id, (batch.api, batch.model)])
        # One that was tried and is larger than the limit may have a pool that is empty, but empties none for itself.
        is_hopeless = batch.refusals and room.allowance.weight(batch) > (room.allowance.tokens or math.inf)
        room.tight = room.tight or not (fits or is_hopeless)
        return fits

    def _fits(self, room: Room, batch: Batch, *, is_new: bool) -> bool:
        allowance, weight = room.allowance, room.allowance.weight(batch)
        if not self._has_room_for_requests(allowance, batch, is_new=is_new):
            return False
        if not room.tokens:
            return True
        estimated = room.estimated + batch.estimated_tokens
        if allowance.below is not None and estimated >= _open_to(allowance.below, is_new=is_new):
            return False
        if allowance.tokens is None:
            is_open = room.tokens + weight <= allowance.window(room.proven) or not room.unproven
            return is_open or (is_new and room.lets_by(weight, TAKEN_FOR_GRANTED))
        if room.tight and not (is_new and room.lets_by(weight, allowance.tokens // KEPT_FREE)):
            return False
        return room.tokens + weight <= _open_to(allowance.tokens, is_new=is_new)

    def _has_room_for_requests(self, allowance: Allowance, batch: Batch, *, is_new: bool) -> bool:
        enqueued = self.requests[_shared(batch)]
        if not enqueued or allowance.requests is None:
            return True
        return enqueued + batch.requests <= _open_to(allowance.requests, is_new=is_new)


def _open_to(limit: int, *, is_new: bool) -> int:
    """All of a limit for a lane with nothing under way; for others, what is not kept free for such."""
    return limit if is_new else limit - limit // KEPT_FREE


def _shared(batch: Batch) -> Pool:
    """What a limit in requests is about: OpenAI counts those for embeddings together, whatever their model."""
    endpoint = limits.ENDPOINTS.get(batch.endpoint)
    return batch.api, "" if endpoint and endpoint.embeds else batch.model

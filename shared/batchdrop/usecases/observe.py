"""See at the provider what became of the batches in flight, with as few calls as will do."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batchdrop.core.codes import said
from batchdrop.core.lifecycle import ENDED_STATUSES, rank
from batchdrop.core.states import BatchState
from batchdrop.usecases import pace
from batchdrop.usecases.walk import START, Walk

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from batchdrop.core.errors import BatchdropError
    from batchdrop.core.housekeeping import Looking
    from batchdrop.core.model import Batch
    from batchdrop.ports import BatchApi, Clock, Ledger, Messages, RemoteBatch
    from batchdrop.usecases.budget import Budget

#: Blocks a batch of ours that the provider does not know: a key of another project, a table restored elsewhere.
UNKNOWN = ": ".join(said("batch_unknown_to_api"))

#: As so many steps, at most, a batch's progress is written.
STEPS = 20


@dataclass(frozen=True, slots=True)
class Observed:
    """What a look gave. ``unseen``: batches that were due and that no call or no time was left for.

    ``troubles``: calls that failed. ``place``: where the next one is to go on, if it was cut short.
    """

    calls: int = 0
    ended: int = 0
    changed: int = 0
    unknown: tuple[str, ...] = ()  #: ids that the provider says it does not know
    unseen: int = 0
    odd_statuses: tuple[str, ...] = ()
    troubles: tuple[BatchdropError, ...] = ()
    place: Looking | None = None


@dataclass(slots=True)
class _Look:
    """What was counted on the way."""

    ended: int = 0
    changed: int = 0
    unknown: list[str] = field(default_factory=list)
    odd: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Observe:
    """Look at batches in flight, newest first, as far as the budget allows. One that shows nothing new writes nothing.

    Young ones every time. The others when ``is_round``, or where the last look was cut short, from its ``place`` on;
    then half of the budget is theirs.
    """

    ledger: Ledger
    api: BatchApi
    messages: Messages
    clock: Clock

    def __call__(
        self, batches: Iterable[Batch], budget: Budget, *, is_round: bool = True, place: Looking | None = None
    ) -> Observed:
        look = _Look()
        known = {batch.openai_batch_id: batch for batch in batches if batch.openai_batch_id}
        everything, young = list(known.values()), _young(known.values(), self.clock.now())
        walk = Walk(self.api, known, partial(self._see, look), partial(self._lose, look))
        if place is None:
            is_whole = walk(everything if is_round else young, budget)
            return _observed(look, walk, budget, None if is_whole or walk.place is START else walk.place)
        if young:
            walk(young, budget.share(budget.calls // 2))
        resumed = Walk.resumed(walk, place)
        is_whole = resumed(everything, budget)
        return _observed(look, resumed, budget, None if is_whole else resumed.place)

    def _lose(self, look: _Look, batch: Batch) -> None:
        """It may run and be paid for, under another key or project: it is looked at again, and not made again."""
        look.unknown.append(batch.openai_batch_id or "")
        if batch.state is BatchState.IN_FLIGHT:
            self.ledger.lose(batch, reason=UNKNOWN, check_at=pace.in_flight(self.clock.now()))

    def _see(self, look: _Look, remote: RemoteBatch, batch: Batch) -> None:
        now = self.clock.now()
        if batch.state is BatchState.BLOCKED:
            look.changed += self.ledger.find(batch, check_at=pace.in_flight(batch.in_flight_at or now))
            return
        if rank(remote.status) == 0:
            look.odd.add(remote.status)
        has_ended = remote.status in ENDED_STATUSES
        if has_ended and _is_whole(remote) and _is_settled(batch, remote, now):
            if self.ledger.end(batch, remote, now=now, check_at=now + pace.WORKED_ON):
                self.messages.collect(batch.key)
                look.ended += 1
        elif _is_news(batch, remote):
            check_at = now + pace.FILES if has_ended else batch.next_check_at or now
            look.changed += self.ledger.observe(batch, remote, check_at=check_at)


def _young(batches: Iterable[Batch], now: dt.datetime) -> list[Batch]:
    return [
        batch
        for batch in batches
        if batch.state is BatchState.IN_FLIGHT and (batch.in_flight_at is None or now - batch.in_flight_at < pace.YOUNG)
    ]


def _observed(look: _Look, walk: Walk, budget: Budget, place: Looking | None) -> Observed:
    return Observed(
        budget.spent,
        look.ended,
        look.changed,
        tuple(look.unknown),
        len(walk.due),
        tuple(sorted(look.odd)),
        tuple(walk.troubles),
        place,
    )


def _is_whole(remote: RemoteBatch) -> bool:
    """Whether every file that the counts speak of has its id: an end may be shown before they are.

    All of its requests failing leaves no output file, none of them failing no error file; a completed batch has at
    least one of the two. What is in the output file is paid for, so it is waited for.
    """
    has_one = bool(remote.output_file_id or remote.error_file_id) or remote.status != "completed"
    return has_one and bool(remote.output_file_id or not remote.completed)


def _is_settled(batch: Batch, remote: RemoteBatch, now: dt.datetime) -> bool:
    """Whether to wait no longer for an error file: some failures stand in the output file, and no other one comes."""
    is_waited_for = remote.failed and not remote.error_file_id
    was_seen = batch.remote_status in ENDED_STATUSES and batch.next_check_at is not None
    return not is_waited_for or (was_seen and batch.next_check_at is not None and batch.next_check_at <= now)


def _is_news(batch: Batch, remote: RemoteBatch) -> bool:
    """Counts in steps: a batch may move for a day, at every look, and nothing depends on them before it ends."""
    moved = remote.completed + remote.failed - batch.remote_completed - batch.remote_failed
    return batch.remote_status != remote.status or abs(moved) * STEPS >= max(batch.requests, 1)

"""Find out what became of a create whose answer was lost: adopt early, buy again late, and only behind a fence."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batchdrop.core.errors import BatchdropError, Rejected
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchdrop.core.model import Batch
    from batchdrop.ports import BatchApi, Clock, Ledger, RemoteBatch

#: The provider's clock and ours may differ by this much.
SKEW = dt.timedelta(minutes=5)
#: Blocks a batch that may exist and that nothing can rule out; never queued again by itself.
CANNOT_FENCE = "cannot_fence: its input file was removed by somebody else; look for its batch at the provider"
#: Pages of the list to search at the most.
PAGES = 60
#: Fences that fail in one tick at the most. Each is left alone for some ticks, so that others get their turn.
TROUBLES = 5


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of the unknown ones; ``doubles``: further batches of a same file, cancelled and noted.

    ``troubles``: why some could not be looked into now; the others were.
    """

    adopted: int = 0
    requeued: int = 0
    doubles: int = 0
    open: int = 0
    troubles: tuple[str, ...] = ()


@dataclass(slots=True)
class _Look:
    """What has been done so far."""

    adopted: int = 0
    requeued: int = 0
    doubles: int = 0
    troubles: list[str] = field(default_factory=list)

    def step(self, work: Callable[[], None]) -> None:
        """One batch's trouble is no other's."""
        try:
            work()
        except BatchdropError as trouble:
            self.troubles.append(str(trouble))


@dataclass(frozen=True, slots=True)
class Recover:
    """Resolve batches in ``creating`` whose lease is over.

    ``settle``: seconds after the intent in which the provider may still list the batch for the first time.
    """

    ledger: Ledger
    api: BatchApi
    clock: Clock
    settle: int

    def __call__(self, batches: Sequence[Batch]) -> Recovered:
        if not batches:
            return Recovered()
        found, is_whole = self._search(batches)
        look = _Look()
        for batch in batches:
            if made := found.get(batch.file_id or ""):
                look.step(partial(self._take, look, batch, made))
        for batch in batches if is_whole else ():
            if batch.file_id not in found and self._is_settled(batch) and len(look.troubles) < TROUBLES:
                look.step(partial(self._make_anew, look, batch))
        left = len(batches) - look.adopted - look.requeued
        return Recovered(look.adopted, look.requeued, look.doubles, left, tuple(look.troubles))

    def _take(self, look: _Look, batch: Batch, made: Sequence[RemoteBatch]) -> None:
        if self._adopt(batch, made[0]):
            look.adopted += 1
            look.doubles += self._cancel(batch, made[1:])

    def _make_anew(self, look: _Look, batch: Batch) -> None:
        look.requeued += self._fence(batch)

    def _search(self, batches: Sequence[Batch]) -> tuple[dict[str, list[RemoteBatch]], bool]:
        """The provider's batches by input file, oldest first; and whether the list was read to before every intent."""
        files = {batch.file_id for batch in batches}
        since = int((min(batch.intent_at for batch in batches if batch.intent_at) - SKEW).timestamp())
        found: dict[str, list[RemoteBatch]] = {}
        cursor: str | None = None
        for _ in range(PAGES):
            page = self.api.page(cursor)
            for remote in page.batches:
                if remote.input_file_id in files:
                    found.setdefault(remote.input_file_id, []).append(remote)
            cursor = page.cursor
            if cursor is None or not page.batches or 0 < page.batches[-1].created_at < since:
                return {name: sorted(made, key=_age) for name, made in found.items()}, True
        return {name: sorted(made, key=_age) for name, made in found.items()}, False

    def _adopt(self, batch: Batch, remote: RemoteBatch) -> bool:
        now = self.clock.now()
        return self.ledger.adopt(batch, remote, now=now, check_at=pace.in_flight(now))

    def _cancel(self, batch: Batch, doubles: Sequence[RemoteBatch]) -> int:
        """What the adopted one leaves over. Where another poller adopted, the audit finds out which is which."""
        now, new = self.clock.now(), 0
        for remote in doubles:
            what = "cancelled: a second batch of the same input file"
            new += self.ledger.record_orphan(remote, batch.key, what=what, now=now, expires=now + pace.KEPT)
            with suppress(Rejected):  # it may have ended meanwhile
                self.api.cancel(remote.id)
        return new

    def _is_settled(self, batch: Batch) -> bool:
        return batch.intent_at is not None and self.clock.now() >= batch.intent_at + dt.timedelta(seconds=self.settle)

    def _fence(self, batch: Batch) -> bool:
        """Delete the input file, so that a create still under way fails; look once more; only then queue it anew.

        The fence counts only if a delete of ours removed the file: this one, or one that we recorded and whose answer
        was lost. A file that somebody else removed proves nothing; the operator must look.
        """
        now = self.clock.now()
        # Where two pollers look, the one that comes second must not take the other's delete for a stranger's.
        fenced = batch if batch.fenced_at else self.ledger.record_fence(batch, now=now, lease=now + pace.TICK)
        if fenced is None:
            return False
        if not self.api.delete_file(batch.file_id or "") and batch.fenced_at is None:
            self.ledger.block(fenced, reason=CANNOT_FENCE, check_at=now + pace.WINDOW)
            return False
        found, is_whole = self._search([fenced])
        if made := found.get(fenced.file_id or ""):
            self._adopt(fenced, made[0])
            return False
        return is_whole and self.ledger.requeue_fenced(fenced, not_before=now)


def _age(remote: RemoteBatch) -> tuple[int, str]:
    return remote.created_at, remote.id

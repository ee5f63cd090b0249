"""Find out what became of a create whose answer was lost: adopt early, buy again late, and only behind a fence.

After an outage there may be a thousand of them. One look at the list is for all, and so is the one behind their fences;
what the budget of a tick does not suffice for is left to the next.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batchdrop.core.codes import said
from batchdrop.core.errors import BatchdropError, Rejected
from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from batchdrop.core.model import Batch
    from batchdrop.ports import BatchApi, Clock, Ledger, RemoteBatch
    from batchdrop.usecases.budget import Budget

#: The provider's clock and ours may differ by this much.
SKEW = dt.timedelta(minutes=5)
#: What is not settled after this, though it could be, is told of.
OVERDUE = dt.timedelta(hours=1)
#: Blocks a batch that may exist and that nothing can rule out; never queued again by itself.
CANNOT_FENCE = ": ".join(said("cannot_fence"))
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
    troubles: tuple[BatchdropError, ...] = ()


@dataclass(slots=True)
class _Found:
    """A look at the list: the provider's batches by input file, and whether it was read to before every intent."""

    batches: dict[str, list[RemoteBatch]] = field(default_factory=dict)
    pages: int = 0
    is_whole: bool = False


@dataclass(slots=True)
class _Look:
    """What has been done so far, and what may still be spent.

    ``key_version``: that of the key when it began. Files and lists of two projects say nothing of each other.
    """

    budget: Budget
    key_version: str
    adopted: int = 0
    requeued: int = 0
    doubles: int = 0
    troubles: list[BatchdropError] = field(default_factory=list)

    def step(self, work: Callable[[], None]) -> None:
        """One batch's trouble is no other's."""
        try:
            work()
        except BatchdropError as trouble:
            self.troubles.append(trouble)


@dataclass(frozen=True, slots=True)
class Recover:
    """Resolve batches in ``creating`` whose lease is over.

    ``settle``: seconds after the intent in which the provider may still list the batch for the first time.
    """

    ledger: Ledger
    api: BatchApi
    clock: Clock
    settle: int

    def __call__(self, batches: Sequence[Batch], budget: Budget) -> Recovered:
        if not batches:
            return Recovered()
        look = _Look(budget, self.api.key_version())
        # Fenced, and not looked for since: who did it died, or came to the end of its budget. Once more, then look.
        fenced = self._fence_all(look, [batch for batch in batches if batch.fenced_at], leave=budget.calls // 2)
        found = self._search(batches, budget)
        self._take_all(look, batches, found)
        look.step(partial(self._queue_anew, look, fenced, found))
        if found.is_whole:
            # Where the list is long, a look behind the fences is left to a tick that begins with it.
            leave = found.pages + 1 if 2 * found.pages < budget.calls else 0
            lost = [batch for batch in batches if batch.fenced_at is None and batch.file_id not in found.batches]
            new = self._fence_all(look, filter(self._is_settled, lost), leave=leave)
            if new and leave:
                look.step(partial(self._look_behind, look, new))
        left = len(batches) - look.adopted - look.requeued
        return Recovered(look.adopted, look.requeued, look.doubles, left, tuple(look.troubles))

    def _look_behind(self, look: _Look, fenced: Sequence[Batch]) -> None:
        found = self._search(fenced, look.budget)
        self._take_all(look, fenced, found)
        self._queue_anew(look, fenced, found)

    def _search(self, batches: Sequence[Batch], budget: Budget) -> _Found:
        """Read the list to before every intent, as far as the budget allows."""
        files = {batch.file_id for batch in batches}
        since = int((min(batch.intent_at for batch in batches if batch.intent_at) - SKEW).timestamp())
        found, cursor = _Found(), None
        while budget.take():
            page = self.api.page(cursor)
            found.pages += 1
            for remote in page.batches:
                if remote.input_file_id in files:
                    found.batches.setdefault(remote.input_file_id, []).append(remote)
            cursor = page.cursor
            if cursor is None or not page.batches or 0 < page.batches[-1].created_at < since:
                found.is_whole = True
                break
        return found

    def _take_all(self, look: _Look, batches: Sequence[Batch], found: _Found) -> None:
        for batch in batches:
            made = sorted(found.batches.get(batch.file_id or "", ()), key=age)
            if made and look.budget.remaining() > 0:
                look.step(partial(self._take, look, batch, made))

    def _take(self, look: _Look, batch: Batch, made: Sequence[RemoteBatch]) -> None:
        if self._adopt(batch, made[0]):
            look.adopted += 1
            look.doubles += self._cancel(batch, made[1:], look.budget)

    def _queue_anew(self, look: _Look, fenced: Sequence[Batch], found: _Found) -> None:
        """``found``: by a look that began behind their fences."""
        if not fenced or not found.is_whole or self.api.key_version() != look.key_version:
            return
        for batch in fenced:
            if batch.file_id not in found.batches and look.budget.remaining() > 0:
                look.step(partial(self._requeue, look, batch))

    def _requeue(self, look: _Look, batch: Batch) -> None:
        look.requeued += self.ledger.requeue_fenced(batch, not_before=self.clock.now())

    def _fence_all(self, look: _Look, batches: Iterable[Batch], *, leave: int) -> list[Batch]:
        """Those that are behind their fence now. ``leave``: calls that are for other things."""
        fenced: list[Batch] = []
        for batch in batches:
            if look.budget.calls > leave and len(look.troubles) < TROUBLES and look.budget.take():
                look.step(partial(self._fence_into, fenced, batch, look.key_version))
        return fenced

    def _fence_into(self, fenced: list[Batch], batch: Batch, key_version: str) -> None:
        if behind := self._fence(batch, key_version):
            fenced.append(behind)

    def _adopt(self, batch: Batch, remote: RemoteBatch) -> bool:
        now = self.clock.now()
        return self.ledger.adopt(batch, remote, now=now, check_at=pace.in_flight(now))

    def _cancel(self, batch: Batch, doubles: Sequence[RemoteBatch], budget: Budget) -> int:
        """What the adopted one leaves over. Where another poller adopted, the audit finds out which is which."""
        now, new = self.clock.now(), 0
        for remote in doubles:
            what = "cancelled: a second batch of the same input file"
            new += self.ledger.record_orphan(remote, batch.key, what=what, now=now, expires=now + pace.KEPT)
            if budget.take():  # else the audit does it
                with suppress(Rejected):  # it may have ended meanwhile
                    self.api.cancel(remote.id)
        return new

    def overdue(self, batches: Iterable[Batch]) -> int:
        """How many should be settled for long: the list was never read far enough, or no file could be deleted."""
        return sum(self._is_settled(batch, since=OVERDUE) for batch in batches)

    def _is_settled(self, batch: Batch, since: dt.timedelta = dt.timedelta(0)) -> bool:
        settled = dt.timedelta(seconds=self.settle) + since
        return batch.intent_at is not None and self.clock.now() >= batch.intent_at + settled

    def _fence(self, batch: Batch, key_version: str) -> Batch | None:
        """Delete the input file, so that a create still under way fails; the batch as it is then.

        The fence counts only if a delete of ours removed the file, in the project of the present key: this one, or one
        that is recorded (``_was_ours``). Else the operator must look.
        """
        now, fenced = self.clock.now(), batch
        if batch.fenced_at is None:
            # Where two pollers look, the one that comes second must not take the other's delete for a stranger's.
            recorded = self.ledger.record_fence(batch, key_version=key_version, now=now, lease=now + pace.TICK)
            if recorded is None:
                return None
            fenced = recorded
        removed = self.api.delete_file(batch.file_id or "")
        if self.api.key_version() != key_version:
            return None  # which of the two keys it was made under is not known
        if removed:
            return self.ledger.record_removed(fenced, key_version=key_version)
        if _was_ours(batch, key_version):
            return fenced
        self.ledger.block(fenced, reason=CANNOT_FENCE, check_at=now + pace.WINDOW)
        return None


def _was_ours(batch: Batch, key_version: str) -> bool:
    """Whether a file that is not there was removed by us, in the project of this key.

    It was, where our delete found it under this very version; or was tried under it, and its answer lost, after a
    create under the same one, since a create works only in the project of its file. A file that somebody else removed
    proves nothing, nor does one that another project's key does not see. A new version may be of another project: then
    only a delete that finds the file tells that it is not.
    """
    return batch.removed_under == key_version or batch.created_under == batch.fenced_under == key_version


def age(remote: RemoteBatch) -> tuple[int, str]:
    """Sorts the oldest first: of several of one input file, that is the one to adopt."""
    return remote.created_at, remote.id

"""Find batches at the provider that were made for us and that no item will ever own: stop them, and tell of them.

One whose create was given up as lost, and left to the operator, is adopted where it shows up after all.

List first, then read: an item that is read before its batch is listed may not know yet of the batch that is its own.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchdrop.core.errors import BatchdropError, Misconfigured, Rejected, RetryLater
from batchdrop.core.lifecycle import ENDED_STATUSES
from batchdrop.core.model import Batch, Key
from batchdrop.core.states import BatchState
from batchdrop.usecases import pace
from batchdrop.usecases.recover import SKEW, age

if TYPE_CHECKING:
    from collections.abc import Collection

    from batchdrop.core.housekeeping import Auditing
    from batchdrop.ports import BatchApi, Clock, Ledger, RemoteBatch
    from batchdrop.usecases.budget import Budget

EVERY = dt.timedelta(minutes=5)
#: How often where no job is open.
EVERY_IDLE = dt.timedelta(hours=1)
#: Ticks are not made to the second: a round is due a little before its time, or it would wait for another one.
EARLY = dt.timedelta(seconds=30)
#: A batch runs for a day; it is seen from time to time until after its end.
DEPTH = dt.timedelta(hours=26)
#: Pages of the list in one round, and how many of them for the newest batches at the most.
PAGES = 20
NEWEST = 10
#: Where the create may still be recorded or adopted, or where the operator is asked to look for its batch.
OPEN_CREATES = (BatchState.CREATING, BatchState.BLOCKED)


def is_due(at: Auditing, now: dt.datetime, *, has_jobs: bool) -> bool:
    """Whether the next round is due: for as long as jobs are open, and a day beyond. Else there is nothing to find."""
    if at.active_until is None or at.active_until <= now:
        return has_jobs
    return at.next_at is None or at.next_at <= now


def next_round(at: Auditing, now: dt.datetime, *, has_jobs: bool) -> Auditing:
    """When to come again after a round of a tick that began ``now``."""
    if has_jobs:
        return replace(at, next_at=now + EVERY - EARLY, active_until=now + DEPTH)
    return replace(at, next_at=now + EVERY_IDLE - EARLY)


@dataclass(slots=True)
class Audited:
    """What a round found. ``orphans``: those that were not known before; ``cancelled``: cancels sent.

    ``adopted``: batches of blocked items.
    ``strays`` carry our stack's id, and their job is not in this table: nobody here may touch them. ``troubles``: why
    some could not be cancelled now; a later round sees them again.
    """

    pages: int = 0
    adopted: int = 0
    orphans: int = 0
    cancelled: int = 0
    strays: int = 0
    troubles: list[BatchdropError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Audit:
    """Judge the batches that carry the stack's id, within a budget. ``settle`` as in ``usecases.recover``."""

    ledger: Ledger
    api: BatchApi
    clock: Clock
    settle: int

    def __call__(self, at: Auditing, batches: Collection[Batch], budget: Budget) -> tuple[Audited, Auditing]:
        """Go on from ``at``. ``batches``: every open one. What the round found, and how far it came."""
        now = self.clock.now()
        horizon = now - DEPTH
        newest = (at.checked_until or horizon) - dt.timedelta(seconds=self.settle) - SKEW
        current = frozenset(batch.openai_batch_id for batch in batches if batch.openai_batch_id)
        judge = _Judge(self.ledger, self.api, now, self.ledger.stack(now).id, current, budget)
        walk = _Walk(self.api, judge, horizon)
        seen_newest, below = walk(None, max(newest, horizon), NEWEST)
        seen_all, cursor = self._deeper(walk, at.cursor or below)
        judge.adopt()
        checked_until = now if seen_newest else at.checked_until
        return judge.found, replace(at, checked_until=checked_until, cursor=None if seen_all else cursor)

    def _deeper(self, walk: _Walk, cursor: str | None) -> tuple[bool, str | None]:
        """Older batches, a part of them in every round: one may become an orphan long after it was first seen."""
        if cursor is None:
            return True, None
        try:
            return walk(cursor, walk.horizon, PAGES - walk.judge.found.pages)
        except Rejected:
            return True, None  # a cursor of another key or project: begin anew


@dataclass(frozen=True, slots=True)
class _Walk:
    """Pages of the provider's list, each judged as soon as it is read; none behind ``horizon``."""

    api: BatchApi
    judge: _Judge
    horizon: dt.datetime

    def __call__(self, cursor: str | None, since: dt.datetime, pages: int) -> tuple[bool, str | None]:
        """Whether all back to ``since`` were judged, and where the page behind them begins (None: at no page)."""
        for _ in range(pages):
            if not self.judge.budget.take():
                return False, cursor
            page = self.api.page(cursor)
            self.judge.found.pages += 1
            for remote in filter(self.judge.is_suspect, page.batches):
                # A cancel may be needed. Without a call for it, this page is read again.
                if not self.judge.budget.has_call():
                    return False, cursor
                self.judge(remote)
            cursor = page.cursor
            if cursor is None or not page.batches:
                return True, None
            oldest = page.batches[-1].created_at
            if 0 < oldest < since.timestamp():
                return True, None if oldest < self.horizon.timestamp() else cursor
        return False, cursor


@dataclass(frozen=True, slots=True)
class _Judge:
    """Whose a listed batch is. ``current``: batches that open items name as theirs, which spares a read for each."""

    ledger: Ledger
    api: BatchApi
    now: dt.datetime
    stack_id: str
    current: frozenset[str]
    budget: Budget
    found: Audited = field(default_factory=Audited)
    lost: dict[Key, tuple[Batch, RemoteBatch]] = field(default_factory=dict)  #: blocked items, and the oldest of theirs

    def is_suspect(self, remote: RemoteBatch) -> bool:
        """Whether to look closer. One that ended and did no work cost nothing: it may be a former try of its item."""
        if remote.metadata.get("batchdrop_stack") != self.stack_id or remote.id in self.current:
            return False
        return _is_live(remote) or remote.completed + remote.failed > 0

    def __call__(self, remote: RemoteBatch) -> None:
        """One consistent read, made after the batch was listed, decides."""
        of = Key(remote.metadata.get("batchdrop_job", ""), remote.metadata.get("batchdrop_item", ""))
        item = self.ledger.get(of) if of.job_id and of.item else None
        if isinstance(item, Batch):
            self._own_or_stop(item, remote)
        elif item is None and of.job_id and self.ledger.job(of.job_id):
            self._stop(remote, of)
        else:
            self.found.strays += 1

    def adopt(self) -> None:
        """The oldest of each blocked item, as everywhere: it may have ended. A later round stops the others."""
        check_at = pace.in_flight(self.now)
        for item, remote in self.lost.values():
            self.found.adopted += self.ledger.adopt(item, remote, now=self.now, check_at=check_at)

    def _own_or_stop(self, item: Batch, remote: RemoteBatch) -> None:
        if not _may_own(item, remote):
            self._stop(remote, item.key)
        elif item.state is BatchState.BLOCKED and item.openai_batch_id is None:
            _, known = self.lost.get(item.key, (item, remote))
            self.lost[item.key] = item, min(known, remote, key=age)

    def _stop(self, remote: RemoteBatch, of: Key) -> None:
        """Told of first: one that is stopped before it did any work would not be found a second time."""
        what = "cancelled" if _is_live(remote) else "ended by itself: its requests were run beside those of its item"
        self.found.orphans += self.ledger.record_orphan(
            remote, of, what=what, now=self.now, expires=self.now + pace.KEPT
        )
        if _is_live(remote) and self.budget.take():
            try:
                with suppress(Rejected):  # it has ended meanwhile
                    self.api.cancel(remote.id)
            except (RetryLater, Misconfigured) as trouble:
                self.found.troubles.append(trouble)
            else:
                self.found.cancelled += 1


def _may_own(item: Batch, remote: RemoteBatch) -> bool:
    """Whether the batch is the item's, or may still become it: a create is recorded or adopted by its file alone."""
    if item.openai_batch_id == remote.id:
        return True
    return item.file_id == remote.input_file_id and item.openai_batch_id is None and item.state in OPEN_CREATES


def _is_live(remote: RemoteBatch) -> bool:
    return remote.status not in ENDED_STATUSES

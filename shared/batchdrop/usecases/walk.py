"""Going through batches at the provider, newest first: by pages of its list where they lie close, else one by one.

No guess is made of how far apart they are, for others' batches lie between them, in bursts. A page that shows two of
them was worth its call, and the next one is tried. After one that was not, they are asked for one by one, and from time
to time a page is tried again: one call in seventeen, and a few at first, is what a wrong guess costs.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core.errors import Misconfigured, Rejected, RetryLater
from batchdrop.core.housekeeping import Looking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchdrop.core.errors import BatchdropError
    from batchdrop.core.model import Batch
    from batchdrop.ports import BatchApi, BatchPage, RemoteBatch
    from batchdrop.usecases.budget import Budget

#: Batches asked for one by one after a page that was not worth its call; doubled with each, up to the second.
FEW, MANY = 2, 16
#: Calls that fail before a look is given up; one batch that cannot be shown keeps no other from being seen.
TROUBLES = 3
#: What a key may not do with the list, or with one batch, says nothing of the others; all else is true of every call.
_OF_ONE_CALL = frozenset({"permission_denied"})
#: Where no batch was seen yet.
START = Looking(2**63)


@dataclass(slots=True)
class Walk:
    """``see`` is told of each batch that is shown, ``lose`` of each that the provider does not know.

    ``expected``: by id, all that are worth seeing where a page shows them. ``due``: those of them that are to be seen.
    ``place``: how far the walk came; ``before``: the cursor of the page that brought it there. ``is_new``: the newest
    page was not read yet; ``has_list``: its end neither. ``alone``: how many are to be asked for one by one now.
    """

    api: BatchApi
    expected: dict[str, Batch]
    see: Callable[[RemoteBatch, Batch], None]
    lose: Callable[[Batch], None]
    place: Looking = START
    before: str | None = None
    is_new: bool = True
    has_list: bool = True
    pause: int = FEW
    alone: int = 0
    due: dict[str, Batch] = field(default_factory=dict)
    began: Looking = START
    troubles: list[BatchdropError] = field(default_factory=list)

    @classmethod
    def resumed(cls, walk: Walk, place: Looking) -> Walk:
        """Another one for what ``walk`` left, that goes on at ``place``."""
        is_new = place.cursor is None
        return cls(walk.api, walk.expected, walk.see, walk.lose, place, is_new=is_new, troubles=walk.troubles)

    def __call__(self, due: Iterable[Batch], budget: Budget) -> bool:
        """See all of ``due`` that are behind ``place``; False if the budget ended first."""
        self.began = self.place
        ahead = sorted(filter(self._is_ahead, due), key=age, reverse=True)
        self.due = {batch.openai_batch_id: batch for batch in ahead if batch.openai_batch_id in self.expected}
        while self.due:
            following = next(iter(self.due.values()))
            if len(self.troubles) >= TROUBLES or not budget.take():
                self._stop_at(following)
                return False
            try:
                self._go_on(following)
            except (RetryLater, Misconfigured) as trouble:
                if isinstance(trouble, Misconfigured) and trouble.code not in _OF_ONE_CALL:
                    raise
                self.troubles.append(trouble)
        return True

    def _go_on(self, following: Batch) -> None:
        if self._is_worth_a_page(following):
            self._read_page()
        else:
            self._ask_for(following)

    def _stop_at(self, following: Batch) -> None:
        """Let no batch be left behind that the list has passed by: then its page is read once more."""
        if not self._is_ahead(following):
            self.place = Looking((following.openai_created_at or 0) + 1, self.before)

    def _is_ahead(self, batch: Batch) -> bool:
        return age(batch) < (self.place.created_at, self.place.batch_id or _LAST)

    def _is_worth_a_page(self, following: Batch) -> bool:
        """Not for one alone, nor for one that the list has passed by without showing it: it lists late."""
        if self.alone or not self.has_list or len(self.due) == 1:
            return False
        can_go_on = self.place.cursor is not None or self.is_new
        return can_go_on and self._is_ahead(following)

    def _read_page(self) -> None:
        before = len(self.due)
        self._rest()  # unless it goes well
        with suppress(Rejected):  # a cursor of another key or project
            self._show(self.api.page(self.place.cursor))
            if before - len(self.due) > 1:
                self.alone, self.pause = 0, FEW

    def _show(self, page: BatchPage) -> None:
        self.is_new, self.before = False, self.place.cursor
        for remote in page.batches:
            if batch := self._take(remote.id):
                self.see(remote, batch)
        if page.cursor is None or not page.batches:
            self.has_list = False
        else:
            self._move(page.batches[-1].created_at, page.cursor)

    def _ask_for(self, batch: Batch) -> None:
        """Once: where it cannot be shown now, the others can."""
        self.alone = max(0, self.alone - 1)
        batch_id = batch.openai_batch_id or ""
        self._take(batch_id)
        with suppress(Rejected):
            self._found(batch, self.api.retrieve(batch_id))

    def _found(self, batch: Batch, remote: RemoteBatch | None) -> None:
        batch_id = batch.openai_batch_id or ""
        if remote is None:
            self.lose(batch)
        else:
            self.see(remote, batch)
        if self._is_ahead(batch):
            # Among those of one second the list has an order of its own, which its pages alone may follow.
            is_older = remote and remote.created_at < self.place.created_at
            self._move(batch.openai_created_at or 0, batch_id if is_older else self.place.cursor, batch_id)

    def _move(self, created_at: int, cursor: str | None, batch_id: str = "") -> None:
        """Never back, or a look might go round in circles."""
        if created_at > self.place.created_at or (created_at == self.place.created_at and not batch_id):
            created_at, batch_id = self.place.created_at, self.place.batch_id
        if created_at < self.place.created_at:
            self._forget_seen(self.place.created_at)
        self.place = Looking(created_at, cursor, batch_id)

    def _forget_seen(self, created_at: int) -> None:
        """Those of the second that the former look ended in: it has seen them, or the page behind it showed them."""
        if created_at == self.began.created_at and self.began.cursor:
            for batch_id in [name for name, batch in self.due.items() if batch.openai_created_at == created_at]:
                del self.due[batch_id]

    def _take(self, batch_id: str) -> Batch | None:
        self.due.pop(batch_id, None)
        return self.expected.pop(batch_id, None)

    def _rest(self) -> None:
        self.alone, self.pause = self.pause, min(2 * self.pause, MANY)


_LAST = chr(0x10FFFF)  #: behind every id


def age(batch: Batch) -> tuple[int, str]:
    """Sorts as the provider's list does, but for batches of one second."""
    return batch.openai_created_at or 0, batch.openai_batch_id or ""

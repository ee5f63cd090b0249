"""Find out what became of a create whose answer was lost: adopt early, buy again late, and only behind a fence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.usecases import pace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchdrop.core.model import Batch
    from batchdrop.ports import BatchApi, Clock, Ledger, RemoteBatch

#: The provider's clock and ours may differ by this much.
SKEW = dt.timedelta(minutes=5)
#: Blocks a batch that may exist and that nothing can rule out; never queued again by itself.
CANNOT_FENCE = "cannot_fence: its input file was removed by somebody else; look for its batch at the provider"
#: Pages of the list to search at the most.
PAGES = 60


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of the unknown ones; ``doubles``: further batches of a same file, cancelled."""

    adopted: int = 0
    requeued: int = 0
    doubles: int = 0
    open: int = 0


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
        found = self._search(batches)
        adopted = requeued = doubles = 0
        for batch in batches:
            made = sorted(found.get(batch.file_id or "", []), key=lambda remote: (remote.created_at, remote.id))
            if made:
                doubles += self._cancel(made[1:])
                adopted += self._adopt(batch, made[0])
            elif self._is_settled(batch):
                requeued += self._fence(batch)
        return Recovered(adopted, requeued, doubles, len(batches) - adopted - requeued)

    def _search(self, batches: Sequence[Batch]) -> dict[str, list[RemoteBatch]]:
        """The provider's batches by input file, as far back as the oldest intent."""
        files = {batch.file_id for batch in batches}
        since = min(batch.intent_at for batch in batches if batch.intent_at) - SKEW
        found: dict[str, list[RemoteBatch]] = {}
        for remote in self._listed(int(since.timestamp())):
            if remote.input_file_id in files:
                found.setdefault(remote.input_file_id, []).append(remote)
        return found

    def _listed(self, since: int) -> Iterator[RemoteBatch]:
        cursor: str | None = None
        for _ in range(PAGES):
            page = self.api.page(cursor)
            yield from page.batches
            cursor = page.cursor
            if cursor is None or not page.batches or page.batches[-1].created_at < since:
                return

    def _adopt(self, batch: Batch, remote: RemoteBatch) -> bool:
        now = self.clock.now()
        return self.ledger.adopt(batch, remote, now=now, check_at=pace.in_flight(now))

    def _cancel(self, doubles: Sequence[RemoteBatch]) -> int:
        for remote in doubles:
            self.api.cancel(remote.id)
        return len(doubles)

    def _is_settled(self, batch: Batch) -> bool:
        return batch.intent_at is not None and self.clock.now() >= batch.intent_at + dt.timedelta(seconds=self.settle)

    def _fence(self, batch: Batch) -> bool:
        """Delete the input file, so that a create still under way fails; look once more; only then queue it anew.

        The fence counts only if a delete of ours removed the file: this one, or one that we recorded and whose answer
        was lost. A file that somebody else removed proves nothing; the operator must look.
        """
        now = self.clock.now()
        fenced = self.ledger.record_fence(batch, now=now)
        if fenced is None:
            return False
        if not self.api.delete_file(batch.file_id or "") and batch.fenced_at is None:
            self.ledger.block(fenced, reason=CANNOT_FENCE, check_at=now + pace.WINDOW)
            return False
        if made := self._search([fenced]).get(fenced.file_id or ""):
            self._adopt(fenced, made[0])
            return False
        return self.ledger.requeue_fenced(fenced, not_before=now)

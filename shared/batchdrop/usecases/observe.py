"""See at the provider what became of the batches in flight, with as few calls as will do."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchdrop.core.errors import Rejected
from batchdrop.core.lifecycle import ENDED_STATUSES, rank
from batchdrop.core.states import BatchState
from batchdrop.usecases import pace

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batchdrop.core.model import Batch
    from batchdrop.ports import BatchApi, Clock, Deadline, Ledger, Messages, RemoteBatch

#: Blocks a batch of ours that the provider does not know: a key of another project, a table restored elsewhere.
UNKNOWN = "batch_unknown_to_api: no such batch under the present key; use a key of the project that it was made in"
#: Calls to the provider in one tick.
CALLS = 120
#: Of those, pages of the list at the most: it may be longer than can be read, and what is behind it must be seen too.
PAGES = 60


@dataclass(frozen=True, slots=True)
class Observed:
    """What a look gave. ``unseen``: batches that were due and for which no call was left."""

    calls: int = 0
    ended: int = 0
    changed: int = 0
    unknown: tuple[str, ...] = ()  #: ids that the provider says it does not know
    unseen: int = 0
    odd_statuses: tuple[str, ...] = ()


@dataclass(slots=True)
class _Look:
    """The batches still to be seen, by the provider's id, and what was counted on the way."""

    wanted: dict[str, Batch]
    calls: int = 0
    ended: int = 0
    changed: int = 0
    unknown: list[str] = field(default_factory=list)
    odd: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Observe:
    """Look at batches in flight, in half of the time that is left. A look that shows nothing new writes nothing."""

    ledger: Ledger
    api: BatchApi
    messages: Messages
    clock: Clock

    def __call__(self, batches: Iterable[Batch], deadline: Deadline) -> Observed:
        look = _Look({batch.openai_batch_id: batch for batch in self._due(batches) if batch.openai_batch_id})
        enough = deadline.remaining() / 2
        self._by_list(look, lambda: deadline.remaining() > enough)
        self._one_by_one(look, lambda: deadline.remaining() > enough)
        return Observed(
            look.calls, look.ended, look.changed, tuple(look.unknown), len(look.wanted), tuple(sorted(look.odd))
        )

    def _due(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Young batches every time; each of the others in its own minute of every five, so that nothing is written."""
        now = self.clock.now()
        minutes = int(pace.EVERY.total_seconds()) // 60
        slot = int(now.timestamp()) // 60 % minutes
        for batch in batches:
            is_young = batch.in_flight_at is None or now - batch.in_flight_at < pace.YOUNG
            if is_young or zlib.crc32(batch.item.encode() + batch.job_id.encode()) % minutes == slot:
                yield batch

    def _by_list(self, look: _Look, has_time: Callable[[], bool]) -> None:
        """Page through the list, newest first, while that finds batches in fewer calls than asking for each."""
        cursor: str | None = None
        while len(look.wanted) > 1 and look.calls < PAGES and has_time():
            page = self.api.page(cursor)
            look.calls += 1
            found = [remote for remote in page.batches if remote.id in look.wanted]
            for remote in found:
                self._see(look, remote)
            cursor = page.cursor
            if cursor is None or not page.batches:
                return
            if self._is_farther(look, page.batches) or (not found and _is_past(look, page.batches)):
                return

    def _is_farther(self, look: _Look, page: Sequence[RemoteBatch]) -> bool:
        """Whether paging on to the oldest wanted batch takes more calls than asking for each that is left."""
        if not look.wanted:
            return False
        oldest = min(batch.openai_created_at or 0 for batch in look.wanted.values())
        span = max(page[0].created_at - page[-1].created_at, 1)
        pages = (page[-1].created_at - oldest) / span
        return pages > len(look.wanted)

    def _one_by_one(self, look: _Look, has_time: Callable[[], bool]) -> None:
        for batch_id in self._in_turns(look.wanted):
            if look.calls >= CALLS or not has_time():
                return
            look.calls += 1
            try:
                remote = self.api.retrieve(batch_id)
            except Rejected:
                continue  # this one cannot be shown now; the others can
            if remote is None:
                look.unknown.append(batch_id)
                self._lose(look.wanted.pop(batch_id))
            else:
                self._see(look, remote)

    def _lose(self, batch: Batch) -> None:
        """It may run and be paid for, under another key or project: it is looked at again, and not made again."""
        if batch.state is BatchState.IN_FLIGHT:
            self.ledger.lose(batch, reason=UNKNOWN, check_at=pace.in_flight(self.clock.now()))

    def _in_turns(self, wanted: Iterable[str]) -> list[str]:
        """In another order each minute: where calls do not suffice for all, no batch is always the last."""
        minute = int(self.clock.now().timestamp()) // 60
        return sorted(wanted, key=lambda batch_id: zlib.crc32(f"{minute} {batch_id}".encode()))

    def _see(self, look: _Look, remote: RemoteBatch) -> None:
        batch = look.wanted.pop(remote.id)
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


def _is_past(look: _Look, page: Sequence[RemoteBatch]) -> bool:
    """Whether the list is already older than everything wanted: what is left is not listed (yet)."""
    return all((batch.openai_created_at or 0) > page[0].created_at for batch in look.wanted.values())


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
    seen = batch.remote_status, batch.remote_completed, batch.remote_failed
    return seen != (remote.status, remote.completed, remote.failed)

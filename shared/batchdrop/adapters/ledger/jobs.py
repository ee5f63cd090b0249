"""Writes of jobs and chunks."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.adapters.ledger.reads import pointer_key
from batchdrop.adapters.ledger.table import MOST_CHANGES
from batchdrop.adapters.ledger.writing import NO_LONGER_DUE, birth, died, plain, replaced, step, taken, to, with_job
from batchdrop.core import cost
from batchdrop.core.answers import CANCELLED, stopped
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Chunk, Item, Job
from batchdrop.core.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from batchdrop.adapters.ledger.table import Table
    from batchdrop.core.change import Path
    from batchdrop.core.model import Batch, Counts, Cursor
    from batchdrop.ports import Deadline

_GONE: dict[str, Any] = dict.fromkeys(NO_LONGER_DUE)
EXPIRY_SECONDS = 10.0  #: no further items are told when they expire with less than this left
_AT_WORK = (JobState.RUNNING, JobState.ASSEMBLING)
_CLAIMS = {JobState.PLANNING: "J2.claim", JobState.RUNNING: "J5", JobState.ASSEMBLING: "J5.claim"}


class JobWrites:
    """Writes of ``ports.Ledger`` whose item is a job or a chunk."""

    _table: Table

    def open_job(self, job: Job, *, after: str | None) -> bool:
        changes = [birth("J1", job)]
        if job.state is JobState.PLANNING:
            pointer = pointer_key(job.bucket, job.input_key)
            guards: dict[Guard, Any] = {Guard.UNBORN: None} if after is None else {Guard.POINTER: after}
            put = {"job_id": pointer.job_id, "item": pointer.item, "newest_job_id": job.job_id}
            changes.append(Change(pointer, guards=guards, put=put))
        return self._table.commit(changes)

    def claim_job(self, job: Job, *, lease: datetime, now: datetime) -> Job | None:
        row = _CLAIMS.get(job.state)
        if row is None:
            return None
        change = step(
            row,
            job,
            guards={Guard.LEASE_OVER: now},
            claim=job.claim + 1,
            lease_until=lease,
            next_check_at=lease,
            **died(job, now),
        )
        return taken(self._table, job, change)

    def add_chunk(self, job: Job, chunk: Chunk, batches: Iterable[Batch], cursor: Cursor) -> Job | None:
        change = step(
            "J2",
            job,
            guards={Guard.CURSOR: job.cursor},
            cursor=cursor,
            counts=job.counts,
            chunks=job.chunks,
            open_chunks=job.open_chunks,
            mapped_ids=job.mapped_ids,
            estimates=_by_name(job.estimates),
            crashes=None,
            reason=None,
        )
        changes = [change, birth("C0", chunk), *(birth("B0", batch) for batch in batches)]
        return replaced(job, change) if self._table.commit(changes) else None

    def rest_plan(self, job: Job, check_at: datetime, *, reason: str | None = None) -> bool:
        return self._table.commit([step("J2.rest", job, lease_until=None, next_check_at=check_at, reason=reason)])

    def start_job(self, job: Job) -> bool:
        change = step(
            "J3",
            job,
            guards={Guard.CURSOR: job.cursor},
            counts=job.counts,
            chunks=job.chunks,
            open_chunks=job.open_chunks,
            mapped_ids=job.mapped_ids,
            usage=_by_name(job.usage),
            long_usage=_by_name(job.long_usage),
            estimates=_by_name(job.estimates),
            prices=_by_name(job.prices),
            cost=cost.summary(job),
            planned_at=job.planned_at,
            next_check_at=job.planned_at,
            lease_until=None,
            crashes=None,
            reason=None,
        )
        return self._table.commit([change])

    def fail_job(self, job: Job, *, code: str, reason: str, now: datetime) -> bool:
        known: dict[str, Any] = {}
        if job.prices:
            estimates, prices = _by_name(job.estimates), _by_name(job.prices)
            known = {"estimates": estimates, "prices": prices, "cost": cost.summary(job)}
        change = step("J4", job, code=code, reason=reason, ended_at=now, next_check_at=now, lease_until=None, **known)
        return self._table.commit([change])

    def lose_input(self, job: Job, *, code: str, reason: str, now: datetime) -> Job | None:
        said: dict[str, Any] = {"code": code, "reason": reason}
        stop = job.cancel_requested_at or now
        change = step(
            "J4.lost", job, **said, cancel_requested_at=stop, ended_at=now, next_check_at=now, lease_until=None
        )
        return replaced(job, change) if self._table.commit([change]) else None

    def request_cancel(self, job: Job, *, now: datetime, because: tuple[str, str] | None = None) -> bool:
        said: dict[str, Any] = {"code": because[0], "reason": because[1]} if because else {}
        return self._table.commit([step("J7", job, cancel_requested_at=now, **said)])

    def note_upload(self, job: Job, upload: Mapping[str, str], published_as: str) -> Job | None:
        # Who read the job before this must not claim it afterwards: they would begin another upload.
        change = step("J5.note", job, claim=job.claim + 1, upload=dict(upload), published_as=published_as)
        return taken(self._table, job, change)

    def rest_assembly(self, job: Job, *, check_at: datetime) -> bool:
        return self._table.commit([step("J5.rest", job, lease_until=None, next_check_at=check_at)])

    def finish_job(self, job: Job, outputs: Mapping[str, Mapping[str, str]], now: datetime) -> Job | None:
        state = JobState.CANCELLED if stopped(job) == CANCELLED else JobState.COMPLETED
        change = step(
            "J6",
            job,
            target=state,
            outputs=plain(outputs),
            cost=cost.summary(job),
            ended_at=now,
            next_check_at=now,
            lease_until=None,
        )
        return replaced(job, change) if self._table.commit([change]) else None

    def note_announced(self, job: Job, now: datetime) -> Job | None:
        change = step("J8.told", job, announced_at=now)
        return replaced(job, change) if self._table.commit([change]) else None

    def expire_items(self, job: Job, *, expires: datetime, deadline: Deadline) -> bool:
        left = (item for item in self._table.query(job.job_id, "chunk#") if "expires" not in item)
        assign = to(expires=int(expires.timestamp()))
        while some := list(islice(left, MOST_CHANGES)):
            changes = [Change(msgspec.convert(item, Item).key, assign=assign, drop=NO_LONGER_DUE) for item in some]
            if deadline.remaining() < EXPIRY_SECONDS or not self._table.commit(changes):
                return False
        return True

    def note_cleaned(self, job: Job, *, now: datetime) -> bool:
        return self._table.commit([step("J8", job, cleaned_at=now, **_GONE)])

    def note_status(self, job: Job, *, digest: str, due_at: datetime) -> None:
        assign = to(status_digest=digest, status_due_at=due_at)
        if job.state in _AT_WORK:
            assign |= to(cost=cost.summary(job))
        # A look from before the end does not overwrite the last word.
        states = _AT_WORK if job.state in _AT_WORK else tuple(JobState)
        self._table.commit([Change(job.key, states=states, assign=assign)])

    def claim_chunk(self, chunk: Chunk, *, lease: datetime, now: datetime) -> Chunk | None:
        change = step(
            "C1.claim",
            chunk,
            guards={Guard.LEASE_OVER: now},
            claim=chunk.claim + 1,
            lease_until=lease,
            next_check_at=lease,
            **died(chunk, now),
        )
        return taken(self._table, chunk, change)

    def rest_chunk(self, chunk: Chunk, *, check_at: datetime, reason: str | None) -> bool:
        return self._table.commit([step("C1.rest", chunk, lease_until=None, next_check_at=check_at, reason=reason)])

    def collect_chunk(
        self, chunk: Chunk, *, results_bytes: int, errors_bytes: int, counted: Counts, reason: str | None = None
    ) -> bool:
        said = _GONE | {"reason": reason}
        change = step("C1", chunk, results_bytes=results_bytes, errors_bytes=errors_bytes, **said)
        add: dict[Path, int] = {("counts", name): number for name, number in plain(counted).items() if number}
        add["open_chunks",] = -1
        return self._table.commit(with_job(change, add=add))


def _by_name(values: Mapping[str, msgspec.Struct]) -> dict[str, Any]:
    return {name: plain(value) for name, value in values.items()}

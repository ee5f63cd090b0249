"""Writes of batches, in the order of a batch's life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchdrop.adapters.ledger.writing import NO_LONGER_DUE, birth, died, plain, replaced, step, taken, to, with_job
from batchdrop.core import crowding, discretion
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import FINAL, Guard, rank
from batchdrop.core.states import BatchState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from batchdrop.adapters.ledger.table import Table
    from batchdrop.core.change import Path
    from batchdrop.core.model import AnyItem, Batch
    from batchdrop.ports import Fetched, RemoteBatch

_GONE: dict[str, Any] = dict.fromkeys(NO_LONGER_DUE)
_REQUEUES = {
    BatchState.CREATING: "B7.refused",
    BatchState.ENDED: "B11",
    BatchState.BLOCKED: "B8.mended",
}
_FENCE = ("fenced_at", "fenced_under", "removed_under")
#: What an attempt at OpenAI leaves on the item, and what the next one must not inherit.
_REMOTE = (
    "file_id",
    "intent_at",
    "created_under",
    *_FENCE,
    "openai_batch_id",
    "openai_created_at",
    "in_flight_at",
    "cancel_sent_at",
    "remote_status",
    "output_file_id",
    "error_file_id",
    "ended_at",
    "lease_until",
)
_FRESH: dict[str, Any] = dict.fromkeys(_REMOTE) | {"rank": 0, "remote_completed": 0, "remote_failed": 0}
#: Of one batch's errors; an item must not grow with what a provider finds to say.
_CODES = 50


class BatchWrites:
    """Writes of ``ports.Ledger`` whose item is a batch."""

    _table: Table

    def admit(self, batch: Batch, *, lease: datetime, pool_tokens: int | None = None) -> bool:
        change = step("B1", batch, lease_until=lease, next_check_at=lease, pool_tokens=pool_tokens)
        return self._table.commit(with_job(change))

    def probe(self, batch: Batch, *, lease: datetime) -> bool:
        gone: dict[str, Any] = dict.fromkeys(("not_before", "reason", "pool_tokens"))
        return self._table.commit(with_job(step("B8.probe", batch, lease_until=lease, next_check_at=lease, **gone)))

    def claim_upload(self, batch: Batch, *, lease: datetime) -> Batch | None:
        change = step("B2", batch, claim=batch.claim + 1, lease_until=lease, next_check_at=lease)
        return taken(self._table, batch, change)

    def record_intent(
        self, batch: Batch, *, file_id: str, key_version: str, now: datetime, lease: datetime
    ) -> Batch | None:
        intent: dict[str, Any] = {"file_id": file_id, "intent_at": now, "created_under": key_version}
        held: dict[str, Any] = {"lease_until": lease, "next_check_at": lease}
        change = step("B3", batch, claim=batch.claim + 1, **intent, **held, **dict.fromkeys(_FENCE))
        return taken(self._table, batch, change)

    def note_unknown(self, batch: Batch) -> bool:
        return self._table.commit([step("B3.unknown", batch, lease_until=None)])

    def record_created(self, batch: Batch, remote: RemoteBatch, *, now: datetime, check_at: datetime) -> bool:
        return self._table.commit([step("B4", batch, **_in_flight(remote, now, check_at))])

    def adopt(self, batch: Batch, remote: RemoteBatch, *, now: datetime, check_at: datetime) -> bool:
        guards = {Guard.SAME_FILE: remote.input_file_id}
        return self._table.commit([step("B5", batch, guards=guards, **_in_flight(remote, now, check_at))])

    def requeue(self, batch: Batch, *, not_before: datetime, now: datetime, reason: str | None = None) -> bool:
        lease_over = reason is None and batch.state in (BatchState.ADMITTED, BatchState.UPLOADING)
        row = _REQUEUES.get(batch.state, "B6.lease" if lease_over else "B6.refused")
        refusals = batch.refusals + (not lease_over and batch.state is not BatchState.BLOCKED)
        fresh = _FRESH | {"not_before": not_before, "next_check_at": not_before, "refusals": refusals, "reason": reason}
        more = died(batch, now) if lease_over and batch.state is BatchState.UPLOADING else {}
        if crowding.is_crowded(reason):
            more |= {"no_room_at": now}
        return self._table.commit([step(row, batch, guards={Guard.LEASE_OVER: now}, **fresh, **more)])

    def record_fence(self, batch: Batch, *, key_version: str, now: datetime, lease: datetime) -> Batch | None:
        guards = {Guard.SAME_FILE: batch.file_id}
        fence: dict[str, Any] = {"fenced_at": now, "fenced_under": key_version}
        held: dict[str, Any] = {"lease_until": lease, "next_check_at": lease}
        change = step("B7.fence", batch, guards=guards, **fence, **held, **died(batch, now))
        return replaced(batch, change) if self._table.commit([change]) else None

    def record_removed(self, batch: Batch, *, key_version: str) -> Batch | None:
        change = step("B7.removed", batch, guards={Guard.SAME_FILE: batch.file_id}, removed_under=key_version)
        return replaced(batch, change) if self._table.commit([change]) else None

    def requeue_fenced(self, batch: Batch, *, not_before: datetime) -> bool:
        fresh = _FRESH | {"not_before": not_before, "next_check_at": not_before}
        return self._table.commit([step("B7.fenced", batch, guards={Guard.SAME_FILE: batch.file_id}, **fresh)])

    def end_refused(self, batch: Batch, *, code: str, reason: str, now: datetime) -> bool:
        change = step(
            "B7.ended",
            batch,
            error_codes=(code,),
            reason=reason,
            ended_at=now,
            next_check_at=now,
            lease_until=None,
        )
        return self._table.commit([change])

    def block(self, batch: Batch, *, reason: str, check_at: datetime) -> bool:
        # What a create may have made is kept: the operator looks for it by the file's id. What has ended, is over.
        left = _FRESH if batch.state is BatchState.ENDED else {"lease_until": None}
        change = step("B8", batch, **(left | {"reason": reason, "next_check_at": check_at}))
        return self._table.commit([change])

    def lose(self, batch: Batch, *, reason: str, check_at: datetime) -> bool:
        guards = {Guard.SAME_BATCH: batch.openai_batch_id}
        return self._table.commit([step("B8.unknown", batch, guards=guards, reason=reason, next_check_at=check_at)])

    def find(self, batch: Batch, *, check_at: datetime) -> bool:
        guards = {Guard.SAME_BATCH: batch.openai_batch_id}
        return self._table.commit([step("B8.known", batch, guards=guards, reason=None, next_check_at=check_at)])

    def observe(self, batch: Batch, remote: RemoteBatch, *, check_at: datetime) -> bool:
        guards = {Guard.SAME_BATCH: remote.id, Guard.RANK: rank(remote.status)}
        return self._table.commit([step("B9", batch, guards=guards, next_check_at=check_at, **_seen(remote))])

    def note_cancel(self, batch: Batch, *, now: datetime, check_at: datetime) -> bool:
        guards = {Guard.SAME_BATCH: batch.openai_batch_id}
        change = step("B9.cancel", batch, guards=guards, cancel_sent_at=now, next_check_at=check_at)
        return self._table.commit([change])

    def end(self, batch: Batch, remote: RemoteBatch, *, now: datetime, check_at: datetime) -> bool:
        change = step(
            "B10",
            batch,
            guards={Guard.SAME_BATCH: remote.id},
            ended_at=now,
            next_check_at=check_at,
            lease_until=None,
            output_file_id=remote.output_file_id,
            error_file_id=remote.error_file_id,
            error_codes=tuple(sorted({error.code for error in remote.errors})[:_CODES]),
            reason=discretion.kept(remote.errors[0].message) if remote.errors else None,
            **_seen(remote),
        )
        return self._table.commit([change])

    def claim_ended(self, batch: Batch, *, lease: datetime, now: datetime) -> Batch | None:
        change = step(
            "B12.claim",
            batch,
            guards={Guard.LEASE_OVER: now},
            claim=batch.claim + 1,
            lease_until=lease,
            next_check_at=lease,
            **died(batch, now),
        )
        return taken(self._table, batch, change)

    def rest_fetch(self, batch: Batch, *, check_at: datetime, reason: str | None) -> bool:
        return self._table.commit([step("B12.rest", batch, lease_until=None, next_check_at=check_at, reason=reason)])

    def record_fetched(self, batch: Batch, fetched: Fetched, follow_ups: Iterable[Batch], *, now: datetime) -> bool:
        change = step(
            "B12",
            batch,
            completed=fetched.completed,
            failed=fetched.failed,
            repeated=fetched.repeated,
            fetched_at=now,
            **_GONE,
        )
        born = list(follow_ups)
        # What goes again although it was never run (a refused batch, its halves) is no execution beyond the first.
        run_again = any(new.attempt > batch.attempt for new in born)
        add: dict[Path, int] = {
            ("counts", "completed"): fetched.completed,
            ("counts", "failed"): fetched.failed,
            ("counts", "retried"): fetched.repeated if run_again else 0,
        }
        add |= {("usage", batch.model, name): number for name, number in plain(fetched.usage).items()}
        if fetched.long_usage and fetched.long_usage.requests:
            add |= {("long_usage", batch.model, name): number for name, number in plain(fetched.long_usage).items()}
        return self._table.commit([*with_job(change, add=add), *(birth("B0", new) for new in born)])

    def split(self, batch: Batch, halves: Iterable[Batch]) -> bool:
        change = step("B13", batch, **_GONE)
        return self._table.commit([*with_job(change), *(birth("B0", half) for half in halves)])

    def retire(self, batch: Batch, *, reason: str) -> bool:
        return self._table.commit(with_job(step("B14", batch, reason=reason, **_GONE)))

    def give_up(self, batch: Batch, *, reason: str, now: datetime) -> bool:
        change = step("B14.late", batch, guards={Guard.LEASE_OVER: now}, reason=reason, **_GONE)
        return self._table.commit(with_job(change))

    def quarantine(self, batch: Batch, *, reason: str) -> bool:
        return self._table.commit([step("B15", batch, reason=reason, **_GONE)])

    def postpone(self, item: AnyItem, *, check_at: datetime) -> None:
        if item.state not in FINAL:
            guards = {Guard.CLAIM: item.claim}
            assign = to(next_check_at=check_at)
            self._table.commit([Change(item.key, states=(item.state,), guards=guards, assign=assign)])

    def release(self, item: AnyItem, *, now: datetime) -> bool:
        guards = {Guard.CLAIM: item.claim}
        change = Change(item.key, None, (item.state,), guards, assign=to(next_check_at=now), drop=("crashes",))
        return self._table.commit([change])


def _in_flight(remote: RemoteBatch, now: datetime, check_at: datetime) -> dict[str, Any]:
    return {
        "openai_batch_id": remote.id,
        "openai_created_at": remote.created_at,
        "in_flight_at": now,
        "next_check_at": check_at,
        "lease_until": None,
        "crashes": None,
        "reason": None,
        **_seen(remote),
    }


def _seen(remote: RemoteBatch) -> dict[str, Any]:
    return {
        "remote_status": remote.status,
        "rank": rank(remote.status),
        "remote_completed": remote.completed,
        "remote_failed": remote.failed,
    }

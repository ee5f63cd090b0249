"""The records of the poller's rounds: how far they came, and what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchdrop.adapters.ledger.reads import STACK
from batchdrop.adapters.ledger.writing import plain, to
from batchdrop.core.change import Change
from batchdrop.core.housekeeping import Housekeeping
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from batchdrop.adapters.ledger.table import Table
    from batchdrop.ports import RemoteBatch

_HOUSEKEEPING = Key(STACK, "housekeeping")
_POKE = Key(STACK, "poke")
_ORPHAN = "orphan#"


class HousekeepingRecords:
    """Records of ``ports.Ledger`` that belong to no job and change with every round."""

    _table: Table

    def housekeeping(self) -> Housekeeping:
        return msgspec.convert(self._table.get(_HOUSEKEEPING) or {}, Housekeeping)

    def claim_housekeeping(self, record: Housekeeping, *, lease: datetime, now: datetime) -> Housekeeping | None:
        claim = record.claim + 1
        is_first = record.claim == 0
        held: dict[Guard, Any] = {Guard.CLAIM: record.claim, Guard.LEASE_OVER: plain(now)}
        guards: dict[Guard, Any] = {Guard.UNBORN: None} if is_first else held
        change = Change(_HOUSEKEEPING, guards=guards, assign=to(claim=claim, lease_until=lease))
        if not self._table.commit([change]):
            return None
        return msgspec.structs.replace(record, claim=claim, lease_until=lease)

    def note_housekeeping(self, record: Housekeeping) -> bool:
        known = to(sweep=record.sweep, audit=record.audit, look=record.look, lease_until=record.lease_until)
        assign = {path: value for path, value in known.items() if value is not None}
        drop = tuple(name for (name,) in known.keys() - assign.keys())
        return self._table.commit([Change(_HOUSEKEEPING, guards={Guard.CLAIM: record.claim}, assign=assign, drop=drop)])

    def take_poke(self, *, now: datetime, until: datetime) -> bool:
        return self._table.commit([Change(_POKE, guards={Guard.LEASE_OVER: plain(now)}, assign=to(lease_until=until))])

    def record_orphan(self, remote: RemoteBatch, of: Key, *, what: str, now: datetime, expires: datetime) -> bool:
        key = Key(STACK, _ORPHAN + remote.id)
        put = {
            "job_id": key.job_id,
            "item": key.item,
            "of_job": of.job_id,
            "of_item": of.item,
            "what": what,
            "untold": True,
            "remote_status": remote.status,
            "file_id": remote.input_file_id,
            "openai_created_at": remote.created_at,
            "created_at": plain(now),
            "expires": int(expires.timestamp()),
        }
        return self._table.commit([Change(key, guards={Guard.UNBORN: None}, put=put)])

    def untold_orphans(self) -> list[str]:
        return [item["item"].removeprefix(_ORPHAN) for item in self._table.query(STACK, _ORPHAN) if "untold" in item]

    def note_orphans_told(self, batch_ids: Iterable[str], *, now: datetime) -> None:
        for batch_id in batch_ids:
            key = Key(STACK, _ORPHAN + batch_id)
            change = Change(key, guards={Guard.UNTOLD: None}, assign=to(told_at=now), drop=("untold",))
            self._table.commit([change])

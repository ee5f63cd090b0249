"""The records that admission goes by: who leads, what is paid for, what was learned of each pool."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from batchdrop.adapters.ledger.reads import STACK
from batchdrop.adapters.ledger.writing import plain, to
from batchdrop.core.allowance import Learned, experienced, refused, relearned
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Key, attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchdrop.adapters.ledger.table import Table
    from batchdrop.core.allowance import Named, Pool
    from batchdrop.core.model import Batch, Usage

_ADMISSION = Key(STACK, "admission")


class _Admission(msgspec.Struct):
    creates_paid_until: dt.datetime | None = None


class AllowanceRecords:
    """Records of ``ports.Ledger`` that say how much may go to the provider."""

    _table: Table

    def lead(self, name: str, *, lease: dt.datetime, now: dt.datetime) -> bool:
        assign = to(leader=name, lease_until=lease)
        held: tuple[dict[Guard, object], ...] = ({Guard.LEASE_OVER: plain(now)}, {Guard.LEADER: name})
        return any(self._table.commit([Change(_ADMISSION, guards=guards, assign=assign)]) for guards in held)

    def paid_creates(self) -> dt.datetime | None:
        return msgspec.convert(self._table.get(_ADMISSION) or {}, _Admission).creates_paid_until

    def pay_creates(self, name: str, *, until: dt.datetime) -> bool:
        return self._table.commit(
            [Change(_ADMISSION, guards={Guard.LEADER: name}, assign=to(creates_paid_until=until))]
        )

    def limits(self) -> Mapping[Pool, Learned]:
        found = self._table.query(STACK, "limit#")
        return {(item["api"], item["model"]): msgspec.convert(item, Learned) for item in found}

    def learn_limit(self, pool: Pool, limit: Named, *, now: dt.datetime | None = None) -> None:
        known = self._learned(pool)
        self._note(pool, known, relearned(known, limit, now=now))

    def note_refused(self, batch: Batch, *, now: dt.datetime) -> None:
        pool = batch.api, batch.model
        known = self._learned(pool)
        self._note(pool, known, refused(known, batch, now=now))

    def note_seen(self, pool: Pool, tokens: int) -> None:
        known = self._learned(pool)
        self._note(pool, known, msgspec.structs.replace(known, seen_tokens=max(tokens, known.seen_tokens)))

    def note_taken(self, batch: Batch, usage: Usage) -> None:
        pool = batch.api, batch.model
        known = self._learned(pool)
        self._note(pool, known, experienced(known, batch, usage))

    def _learned(self, pool: Pool) -> Learned:
        return msgspec.convert(self._table.get(_limit(pool)) or {}, Learned)

    def _note(self, pool: Pool, known: Learned, new: Learned) -> None:
        if new != known:
            api, model = pool
            self._table.commit([Change(_limit(pool), assign=to(api=api, model=model, **attributes(new)))])


def _limit(pool: Pool) -> Key:
    return Key(STACK, f"limit#{pool[0]}#{pool[1]}")

"""The records of the poller's rounds, on a dict and on DynamoDB."""

from __future__ import annotations

import dataclasses
import datetime as dt

import msgspec

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.housekeeping import Auditing, Housekeeping, Looking, Sweeping, VersionCursor
from batchdrop.core.model import Key
from tests import samples
from tests.contract.ledgers import REMOTE
from tests.samples import LATER, NOW

SWEEPING = Sweeping(next_at=LATER, cursor=VersionCursor("ü.jsonl", "v1"), began_at=NOW, checked_until=NOW)
AUDITING = Auditing(next_at=LATER, cursor="batch_1", active_until=LATER)
HOUSEKEEPING = Key("stack", "housekeeping")


def claimed(ledger: TableLedger) -> Housekeeping:
    mine = ledger.claim_housekeeping(ledger.housekeeping(), lease=LATER, now=NOW)
    assert mine
    return mine


def test_of_many_who_ask_for_a_tick_one_is_heard_until_some_time_is_over(ledger: TableLedger) -> None:
    assert [ledger.take_poke(now=NOW, until=LATER) for _ in range(3)] == [True, False, False]
    assert ledger.take_poke(now=LATER, until=LATER + dt.timedelta(minutes=1))


def test_before_the_first_round_the_record_is_empty(ledger: TableLedger) -> None:
    assert ledger.housekeeping() == Housekeeping()


def test_how_far_the_rounds_came_is_remembered(ledger: TableLedger) -> None:
    mine = msgspec.structs.replace(claimed(ledger), sweep=SWEEPING, audit=AUDITING, lease_until=None)
    assert ledger.note_housekeeping(mine)
    assert ledger.housekeeping() == Housekeeping(claim=1, sweep=SWEEPING, audit=AUDITING)


def test_a_cursor_that_is_done_with_is_forgotten(ledger: TableLedger) -> None:
    mine = claimed(ledger)
    ledger.note_housekeeping(msgspec.structs.replace(mine, sweep=SWEEPING, lease_until=None))
    again = claimed(ledger)
    ledger.note_housekeeping(msgspec.structs.replace(again, sweep=Sweeping(next_at=LATER), lease_until=None))
    assert ledger.housekeeping().sweep == Sweeping(next_at=LATER)


def test_where_a_look_was_cut_short_is_remembered_until_one_was_not(ledger: TableLedger) -> None:
    look = Looking(1_795_305_600, "batch_1", "batch_2")
    ledger.note_housekeeping(msgspec.structs.replace(claimed(ledger), look=look, lease_until=None))
    assert ledger.housekeeping().look == look
    ledger.note_housekeeping(msgspec.structs.replace(claimed(ledger), look=None, lease_until=None))
    assert ledger.housekeeping().look is None


def test_of_two_pollers_one_makes_the_round_until_its_lease_is_over(ledger: TableLedger) -> None:
    fresh = ledger.housekeeping()
    mine = claimed(ledger)
    assert ledger.claim_housekeeping(fresh, lease=LATER, now=NOW) is None
    assert ledger.claim_housekeeping(mine, lease=LATER, now=NOW) is None
    assert ledger.claim_housekeeping(mine, lease=LATER, now=LATER)


def test_who_was_overtaken_notes_nothing(ledger: TableLedger) -> None:
    mine = claimed(ledger)
    theirs = ledger.claim_housekeeping(mine, lease=LATER + dt.timedelta(minutes=5), now=LATER)
    assert theirs
    assert not ledger.note_housekeeping(msgspec.structs.replace(mine, sweep=SWEEPING, lease_until=None))
    assert ledger.housekeeping() == theirs


def test_the_record_can_be_read_by_a_person(ledger: TableLedger, table: Table) -> None:
    ledger.note_housekeeping(msgspec.structs.replace(claimed(ledger), sweep=SWEEPING, lease_until=None))
    item = table.get(HOUSEKEEPING)
    assert item
    assert item["sweep"] == {
        "next_at": "2026-11-22T12:20:00Z",
        "cursor": {"key": "ü.jsonl", "version_id": "v1"},
        "began_at": "2026-11-22T12:00:00Z",
        "checked_until": "2026-11-22T12:00:00Z",
    }
    assert list(table.due()) == []


def test_an_orphan_is_noted_once_until_it_expires(ledger: TableLedger, table: Table) -> None:
    of = samples.batch().key
    assert ledger.record_orphan(REMOTE, of, what="cancelled", now=NOW, expires=LATER)
    assert not ledger.record_orphan(REMOTE, of, what="cancelled", now=LATER, expires=LATER)
    item = table.get(Key("stack", "orphan#batch_1"))
    assert item
    assert (item["of_job"], item["of_item"], item["what"]) == (of.job_id, of.item, "cancelled")
    assert (item["created_at"], item["expires"]) == ("2026-11-22T12:00:00Z", int(LATER.timestamp()))


def test_an_orphan_is_untold_until_somebody_says_that_it_was_told(ledger: TableLedger, table: Table) -> None:
    others = dataclasses.replace(REMOTE, id="batch_2")
    for remote in (REMOTE, others):
        ledger.record_orphan(remote, samples.batch().key, what="cancelled", now=NOW, expires=LATER)
    assert ledger.untold_orphans() == ["batch_1", "batch_2"]
    for _ in range(2):
        ledger.note_orphans_told(["batch_1", "batch_3"], now=LATER)
    assert ledger.untold_orphans() == ["batch_2"]
    told = table.get(Key("stack", "orphan#batch_1"))
    assert told
    assert told["told_at"] == "2026-11-22T12:20:00Z"
    assert table.get(Key("stack", "orphan#batch_3")) is None, "what has expired is not born again"

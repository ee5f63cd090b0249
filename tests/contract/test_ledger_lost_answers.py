"""A claim whose answer was lost is the claimant's all the same: else it runs out, and looks like a death."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.change import Change
from batchdrop.core.errors import RetryLater
from batchdrop.core.model import AnyItem, Batch, Key
from batchdrop.core.states import BatchState, JobState
from tests import samples
from tests.contract.ledgers import moved, put, read
from tests.samples import LATER, NOW

AFTER = LATER + dt.timedelta(minutes=1)
Claim = Callable[[TableLedger], AnyItem | None]


class Forgetful:
    """A table that makes every write, or none, and never answers."""

    def __init__(self, table: Table, *, makes: bool) -> None:
        self._table = table
        self._makes = makes

    def commit(self, changes: Sequence[Change]) -> bool:
        if self._makes:
            self._table.commit(changes)
        raise RetryLater("the answer was lost")

    def get(self, key: Key) -> dict[str, Any] | None:
        return self._table.get(key)


def _upload(ledger: TableLedger, table: Table) -> Claim:
    batch = moved(ledger, table, BatchState.ADMITTED)
    return lambda of: of.claim_upload(batch, lease=AFTER)


def _intent(ledger: TableLedger, table: Table) -> Claim:
    batch = moved(ledger, table, BatchState.UPLOADING)
    return lambda of: _intent_of(of, batch, "file-1")


def _intent_of(ledger: TableLedger, batch: Batch, file_id: str) -> Batch | None:
    return ledger.record_intent(batch, file_id=file_id, key_version="1", now=NOW, lease=AFTER)


def _fetch(ledger: TableLedger, table: Table) -> Claim:
    batch = moved(ledger, table, BatchState.ENDED)
    return lambda of: of.claim_ended(batch, lease=AFTER, now=NOW)


def _join(ledger: TableLedger, table: Table) -> Claim:
    put(table, samples.running(), samples.chunk())
    return lambda of: of.claim_chunk(samples.chunk(), lease=AFTER, now=NOW)


def _plan(ledger: TableLedger, table: Table) -> Claim:
    put(table, samples.job())
    return lambda of: of.claim_job(samples.job(), lease=AFTER, now=NOW)


def _upload_of_outputs(ledger: TableLedger, table: Table) -> Claim:
    job = samples.running(state=JobState.ASSEMBLING)
    put(table, job)
    return lambda of: of.note_upload(job, {"key": "a", "upload_id": "u"}, "a")


CLAIMS = [_upload, _intent, _fetch, _join, _plan, _upload_of_outputs]
Begin = Callable[[TableLedger, Table], Claim]


@pytest.mark.parametrize("begin", CLAIMS)
def test_a_claim_that_was_made_is_ours_though_nobody_said_so(begin: Begin, ledger: TableLedger, table: Table) -> None:
    claim = begin(ledger, table)
    mine = claim(TableLedger(Forgetful(table, makes=True)))  # type: ignore[arg-type]
    assert mine is not None
    there = ledger.get(mine.key)
    assert there is not None
    assert there.claim == mine.claim


@pytest.mark.parametrize("begin", CLAIMS)
def test_a_claim_that_was_not_made_is_an_error(begin: Begin, ledger: TableLedger, table: Table) -> None:
    claim = begin(ledger, table)
    with pytest.raises(RetryLater):
        claim(TableLedger(Forgetful(table, makes=False)))  # type: ignore[arg-type]
    assert claim(ledger), "it is still to be had"


def test_a_claim_that_another_one_made_meanwhile_is_not_taken_for_ours(ledger: TableLedger, table: Table) -> None:
    put(table, samples.running(), samples.chunk())
    assert ledger.claim_chunk(samples.chunk(), lease=LATER, now=NOW)
    with pytest.raises(RetryLater):
        TableLedger(Forgetful(table, makes=False)).claim_chunk(samples.chunk(), lease=AFTER, now=NOW)  # type: ignore[arg-type]


def test_an_intent_of_another_file_is_not_taken_for_ours(ledger: TableLedger, table: Table) -> None:
    batch = moved(ledger, table, BatchState.UPLOADING)
    assert _intent_of(ledger, batch, "file-2")
    with pytest.raises(RetryLater):
        _intent_of(TableLedger(Forgetful(table, makes=False)), batch, "file-1")  # type: ignore[arg-type]
    assert read(ledger, batch).file_id == "file-2"

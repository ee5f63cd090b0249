"""Items brought to a state by the ledger's own steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.adapters.ledger import TableLedger
from batchdrop.adapters.ledger.table import Table
from batchdrop.core.change import Change
from batchdrop.core.lifecycle import Guard
from batchdrop.core.model import Batch, Job, Key, Usage, attributes
from batchdrop.core.states import BatchState
from batchdrop.ports import Fetched, RemoteBatch
from tests import samples
from tests.samples import JOB_ID, LATER, NOW

if TYPE_CHECKING:
    import msgspec

REMOTE = RemoteBatch(id="batch_1", status="validating", input_file_id="file-1", created_at=1)


FETCHED = Fetched(completed=1, failed=1, repeated=0, usage=Usage(requests=1, input_tokens=7, output_tokens=3))


def put(table: Table, *items: msgspec.Struct) -> None:
    for item in items:
        plain = attributes(item)
        assert table.commit([Change(Key(plain["job_id"], plain["item"]), guards={Guard.UNBORN: None}, put=plain)])


def read(ledger: TableLedger, item: Batch) -> Batch:
    found = ledger.get(item.key)
    assert isinstance(found, Batch)
    return found


def moved(ledger: TableLedger, table: Table, to: BatchState) -> Batch:
    """A batch brought to a state by the ledger's own steps."""
    put(table, samples.running(), samples.chunk(), samples.batch())
    batch = read(ledger, samples.batch())
    if to is BatchState.QUEUED:
        return batch
    assert ledger.admit(batch, lease=LATER)
    if to is BatchState.ADMITTED:
        return read(ledger, batch)
    uploading = ledger.claim_upload(read(ledger, batch), lease=LATER)
    assert uploading
    if to is BatchState.UPLOADING:
        return uploading
    creating = ledger.record_intent(uploading, file_id="file-1", key_version="1", now=NOW, lease=LATER)
    assert creating
    if to is BatchState.CREATING:
        return creating
    assert ledger.record_created(creating, REMOTE, now=NOW, check_at=LATER)
    if to is BatchState.IN_FLIGHT:
        return read(ledger, batch)
    assert ledger.end(read(ledger, batch), ended_remote(), now=NOW, check_at=LATER)
    return read(ledger, batch)


def ended_remote() -> RemoteBatch:
    return RemoteBatch(
        id="batch_1", status="completed", input_file_id="file-1", created_at=1, completed=2, output_file_id="file-2"
    )


def planned(ledger: TableLedger) -> Job:
    ledger.open_job(samples.job(), after=None)
    opened = ledger.job(JOB_ID)
    assert opened
    claimed = ledger.claim_job(opened, lease=LATER, now=NOW)
    assert claimed
    return claimed

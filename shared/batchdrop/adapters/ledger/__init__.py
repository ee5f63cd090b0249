"""The ledger: intents, each one conditional write or transaction on a ``Table``."""

from __future__ import annotations

from batchdrop.adapters.ledger.allowances import AllowanceRecords
from batchdrop.adapters.ledger.batches import BatchWrites
from batchdrop.adapters.ledger.housekeeping import HousekeepingRecords
from batchdrop.adapters.ledger.jobs import JobWrites
from batchdrop.adapters.ledger.reads import Reads


class TableLedger(Reads, JobWrites, BatchWrites, AllowanceRecords, HousekeepingRecords):
    """Implements ``ports.Ledger`` on any ``Table``."""

"""Where a job, a chunk and a batch may stand, a sentence for each (the ways between them: ``core.lifecycle``)."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. ``completed``, ``failed`` and ``cancelled`` are final."""

    PLANNING = "planning"  #: its file is being judged; nothing may be bought
    RUNNING = "running"  #: batches are bought, fetched and joined
    ASSEMBLING = "assembling"  #: every chunk is joined; the outputs are being put together
    COMPLETED = "completed"  #: the results are in place, even if every request failed
    FAILED = "failed"  #: nothing was bought, or its input is gone; ``reason`` says why
    CANCELLED = "cancelled"  #: on request; what was finished is in place


class ChunkState(StrEnum):
    """Where a chunk stands."""

    OPEN = "open"  #: some of its batches are not fetched yet; it stays so where its job failed
    COLLECTED = "collected"  #: its part is in the output bucket


class BatchState(StrEnum):
    """Where a batch stands. ``fetched``, ``retired`` and ``quarantined`` are final."""

    QUEUED = "queued"  #: waits for room under the token limit
    ADMITTED = "admitted"  #: has room; a message tells the submitter
    UPLOADING = "uploading"  #: its input file is on the way to OpenAI
    CREATING = "creating"  #: the intent is recorded; the batch may or may not exist at OpenAI
    IN_FLIGHT = "in_flight"  #: OpenAI works on it
    ENDED = "ended"  #: OpenAI is done with it; its answers are to be fetched
    FETCHED = "fetched"  #: its answers are in the work bucket
    RETIRED = "retired"  #: replaced by its halves, or cancelled before it was bought
    QUARANTINED = "quarantined"  #: its work crashed five times
    BLOCKED = "blocked"  #: waits for the operator; ``reason`` says for what


State = JobState | ChunkState | BatchState

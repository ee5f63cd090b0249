"""Every transition there is, as data.

The conditional writes, the table in docs/data-model.md and the test oracle come from it.

A ``Row`` says: an item in one of ``sources`` may become ``target`` if its guards hold, under the same write as what
``also`` says. No source means that the item is born; ``target`` None that its state stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from batchdrop.core.states import BatchState as B
from batchdrop.core.states import ChunkState as C
from batchdrop.core.states import JobState as J

if TYPE_CHECKING:
    from batchdrop.core.states import State


class Op(Enum):
    """How a guard compares an attribute."""

    ABSENT = "is absent"
    PRESENT = "is there"
    EQUAL = "="
    AT_MOST = "<="  # also true where the attribute is absent
    ZERO = "= 0"


class Guard(Enum):
    """A condition besides the state left: (attribute, comparison, words for the docs)."""

    UNBORN = ("item", Op.ABSENT, "no such item")
    CLAIM = ("claim", Op.EQUAL, "claim")
    LEASE_OVER = ("lease_until", Op.AT_MOST, "lease over")
    CURSOR = ("cursor", Op.EQUAL, "cursor as read")
    SAME_FILE = ("file_id", Op.EQUAL, "same file id")
    SAME_BATCH = ("openai_batch_id", Op.EQUAL, "same batch id")
    NO_BATCH = ("openai_batch_id", Op.ABSENT, "no batch of it at the provider")
    RANK = ("rank", Op.AT_MOST, "rank not lower")
    UNFENCED = ("fenced_at", Op.ABSENT, "not fenced yet")
    ALL_COLLECTED = ("open_chunks", Op.ZERO, "open chunks = 0")
    NOT_CANCELLED = ("cancel_requested_at", Op.ABSENT, "no cancel asked")
    CANCEL_ASKED = ("cancel_requested_at", Op.PRESENT, "cancel asked")
    LEADER = ("leader", Op.EQUAL, "admission lease held")
    UNTOLD = ("untold", Op.PRESENT, "nobody was told of it yet")
    POINTER = ("newest_job_id", Op.EQUAL, "pointer as read")

    @property
    def attribute(self) -> str:
        return self.value[0]

    @property
    def op(self) -> Op:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Row:
    """One transition. ``job`` are guards on the job item in the same transaction, with the states it must be in."""

    id: str
    sources: tuple[State, ...]
    target: State | tuple[State, ...] | None
    guards: tuple[Guard, ...] = ()
    also: str = ""
    job_states: tuple[State, ...] = ()
    job_guards: tuple[Guard, ...] = ()

    @property
    def targets(self) -> tuple[State, ...]:
        """States that it may lead to; the source's own where the state stays."""
        if self.target is None:
            return self.sources
        return self.target if isinstance(self.target, tuple) else (self.target,)


_RUNS = (J.RUNNING,)
_CLAIMED = "claim + 1, lease; a crash if its last holder died"

ROWS = {
    row.id: row
    for row in (
        Row("J1", (), (J.PLANNING, J.FAILED), (Guard.UNBORN,), "the key's pointer to its newest job"),
        Row(
            "J2",
            (J.PLANNING,),
            None,
            (Guard.CLAIM, Guard.CURSOR),
            "new cursor; the chunk and its batches, each absent; crashes = 0",
        ),
        Row("J2.claim", (J.PLANNING,), None, (Guard.CLAIM, Guard.LEASE_OVER), _CLAIMED),
        Row("J2.rest", (J.PLANNING,), None, (Guard.CLAIM,), "lease given back; due when it is worth another try"),
        Row(
            "J3",
            (J.PLANNING,),
            J.RUNNING,
            (Guard.CLAIM, Guard.CURSOR),
            "totals; from here spending is permitted; crashes = 0",
        ),
        Row("J4", (J.PLANNING,), J.FAILED, (Guard.CLAIM,), "reason"),
        Row("J4.lost", (J.RUNNING,), J.FAILED, (), "the input's version is gone: reason; its batches are stopped"),
        Row("J5", (J.RUNNING,), J.ASSEMBLING, (Guard.ALL_COLLECTED, Guard.CLAIM), "claim + 1, lease"),
        Row("J5.claim", (J.ASSEMBLING,), None, (Guard.CLAIM, Guard.LEASE_OVER), _CLAIMED),
        Row("J5.rest", (J.ASSEMBLING,), None, (Guard.CLAIM,), "lease given back; due when it is worth another try"),
        Row("J5.note", (J.ASSEMBLING,), None, (Guard.CLAIM,), "how far the outputs are; claim + 1"),
        Row("J6", (J.ASSEMBLING,), (J.COMPLETED, J.CANCELLED), (Guard.CLAIM,), "version ids of the outputs"),
        Row("J7", (J.RUNNING,), None, (Guard.NOT_CANCELLED,), "time of the request; a deadline's code and reason"),
        Row("J8.told", (J.COMPLETED, J.CANCELLED, J.FAILED), None, (), "time at which the world was told"),
        Row("J8", (J.COMPLETED, J.CANCELLED, J.FAILED), None, (), "cleaned: no longer due"),
        Row("C0", (), C.OPEN, (Guard.UNBORN,), "part of J2"),
        Row("C1.claim", (C.OPEN,), None, (Guard.CLAIM, Guard.LEASE_OVER), _CLAIMED),
        Row("C1.rest", (C.OPEN,), None, (Guard.CLAIM,), "lease given back; due when it is worth another try"),
        Row("C1", (C.OPEN,), C.COLLECTED, (Guard.CLAIM,), "part's size; the job's open chunks - 1", _RUNS),
        Row("B0", (), B.QUEUED, (Guard.UNBORN,), "part of J2, B12 or B13"),
        Row(
            "B1",
            (B.QUEUED,),
            B.ADMITTED,
            (Guard.CLAIM,),
            "lease; under the admission lease",
            job_states=_RUNS,
            job_guards=(Guard.NOT_CANCELLED,),
        ),
        Row("B2", (B.ADMITTED,), B.UPLOADING, (Guard.CLAIM,), "claim + 1, lease = deadline + 60 s"),
        Row(
            "B3",
            (B.UPLOADING,),
            B.CREATING,
            (Guard.CLAIM,),
            "file id, intent and under which key, no fence, claim + 1, lease = now + CreateLeaseSeconds",
            job_states=_RUNS,
            job_guards=(Guard.NOT_CANCELLED,),
        ),
        Row("B3.unknown", (B.CREATING,), None, (Guard.CLAIM,), "the create's answer was lost: lease given back"),
        Row("B4", (B.CREATING,), B.IN_FLIGHT, (Guard.CLAIM,), "OpenAI's batch id; crashes = 0"),
        Row("B5", (B.CREATING, B.BLOCKED), B.IN_FLIGHT, (Guard.SAME_FILE, Guard.NO_BATCH), "adopted; crashes = 0"),
        Row(
            "B6.lease",
            (B.ADMITTED, B.UPLOADING),
            B.QUEUED,
            (Guard.CLAIM, Guard.LEASE_OVER),
            "not before; a crash if it was uploading",
        ),
        Row("B6.refused", (B.ADMITTED, B.UPLOADING), B.QUEUED, (Guard.CLAIM,), "passing refusal; not before"),
        Row(
            "B7.refused",
            (B.CREATING,),
            B.QUEUED,
            (Guard.CLAIM,),
            "definite passing refusal; file id removed; not before",
        ),
        Row(
            "B7.fence",
            (B.CREATING,),
            None,
            (Guard.SAME_FILE, Guard.UNFENCED),
            "time of the try to delete its file, and under which key; lease; a crash if the creator died",
        ),
        Row("B7.removed", (B.CREATING,), None, (Guard.SAME_FILE,), "its file was found and deleted: under which key"),
        Row("B7.fenced", (B.CREATING,), B.QUEUED, (Guard.SAME_FILE,), "file deleted, none listed; file id removed"),
        Row("B7.ended", (B.UPLOADING, B.CREATING), B.ENDED, (Guard.CLAIM,), "definite lasting refusal: its error"),
        Row(
            "B8",
            (B.ADMITTED, B.UPLOADING, B.CREATING, B.ENDED),
            B.BLOCKED,
            (Guard.CLAIM,),
            "operator must act: reason",
        ),
        Row(
            "B8.probe",
            (B.BLOCKED,),
            B.ADMITTED,
            (Guard.CLAIM, Guard.NO_BATCH),
            "one tells whether it is mended: lease",
            job_states=_RUNS,
            job_guards=(Guard.NOT_CANCELLED,),
        ),
        Row("B8.mended", (B.BLOCKED,), B.QUEUED, (Guard.CLAIM, Guard.NO_BATCH), "another went through; reason removed"),
        Row("B8.unknown", (B.IN_FLIGHT,), B.BLOCKED, (Guard.SAME_BATCH,), "the provider does not know it: reason"),
        Row("B8.known", (B.BLOCKED,), B.IN_FLIGHT, (Guard.SAME_BATCH,), "the provider shows it again; reason removed"),
        Row("B9", (B.IN_FLIGHT,), None, (Guard.SAME_BATCH, Guard.RANK), "remote status, counts"),
        Row(
            "B9.cancel", (B.IN_FLIGHT,), None, (Guard.SAME_BATCH,), "time at which the provider was asked to cancel it"
        ),
        Row("B10", (B.IN_FLIGHT,), B.ENDED, (Guard.SAME_BATCH,), "file ids, error codes"),
        Row("B11", (B.ENDED,), B.QUEUED, (Guard.CLAIM,), "failed for a passing reason; not before, file id removed"),
        Row("B12.claim", (B.ENDED,), None, (Guard.CLAIM, Guard.LEASE_OVER), _CLAIMED),
        Row("B12.rest", (B.ENDED,), None, (Guard.CLAIM,), "lease given back; due when it is worth another try"),
        Row(
            "B12",
            (B.ENDED,),
            B.FETCHED,
            (Guard.CLAIM,),
            "its usage and counts into the job; the batches of what goes again, each absent",
            job_states=_RUNS,
        ),
        Row("B13", (B.UPLOADING,), B.RETIRED, (Guard.CLAIM,), "the batches that it is split into, each absent", _RUNS),
        Row(
            "B14",
            (B.QUEUED, B.ADMITTED, B.BLOCKED),
            B.RETIRED,
            (Guard.CLAIM, Guard.NO_BATCH),
            "dropped, its job being stopped",
            job_states=(J.RUNNING, J.FAILED),
            job_guards=(Guard.CANCEL_ASKED,),
        ),
        Row(
            "B14.late",
            (B.CREATING, B.IN_FLIGHT, B.BLOCKED, B.ENDED),
            B.RETIRED,
            (Guard.CLAIM, Guard.LEASE_OVER),
            "given up an hour or more after its job was stopped",
            job_states=(J.RUNNING, J.FAILED),
            job_guards=(Guard.CANCEL_ASKED,),
        ),
        Row(
            "B15",
            (B.QUEUED, B.ENDED),
            B.QUARANTINED,
            (Guard.CLAIM,),
            "five crashes on this item: where its answers are",
        ),
    )
}

#: Remote statuses in the order that a batch passes them. An unknown one ranks lowest: shown, never final.
RANKS = {"validating": 1, "in_progress": 2, "finalizing": 3, "cancelling": 3}
ENDED_STATUSES = frozenset({"completed", "failed", "expired", "cancelled"})


def rank(status: str) -> int:
    """How far a remote status is; 4 for those that end a batch, 0 for one that we do not know."""
    return 4 if status in ENDED_STATUSES else RANKS.get(status, 0)


#: States in which a batch counts against the token limit.
OCCUPYING = frozenset({B.ADMITTED, B.UPLOADING, B.CREATING, B.IN_FLIGHT})
#: States in which a batch may be at the provider and run there, or come to be; one that has no batch yet is dropped.
UNRESOLVED = OCCUPYING | {B.BLOCKED}
#: States in which nothing more happens to a batch.
FINAL = frozenset({B.FETCHED, B.RETIRED, B.QUARANTINED})

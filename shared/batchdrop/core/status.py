"""What a job's status object says."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.core.lifecycle import FINAL
from batchdrop.core.model import attributes
from batchdrop.core.states import BatchState, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.core.model import Batch, Job


def report(job: Job, batches: Iterable[Batch]) -> dict[str, Any]:
    """The status of ``job``, of which ``batches`` are all that there are so far.

    While batches run, their finished requests are counted as the provider counts them.
    """
    batches = list(batches)
    states: Counter[str] = Counter()
    running = blocked = failing = 0
    for batch in batches:
        states[batch.state.value] += 1
        if batch.state in (BatchState.IN_FLIGHT, BatchState.ENDED):
            running += batch.remote_completed
            failing += batch.remote_failed
        if batch.state is BatchState.BLOCKED:
            blocked += batch.requests
    counts = job.counts
    return {
        "job_id": job.job_id,
        "state": job.state.value,
        **({"code": job.code, "reason": job.reason} if job.code else {}),
        "input": {"bucket": job.bucket, "key": job.input_key, "version_id": job.version_id, "bytes": job.bytes},
        "counts": {
            "total": counts.requests,
            "completed": counts.completed + running,
            "failed": counts.failed + failing,
            "invalid": counts.invalid,
            "retried": counts.retried,
            "blocked": blocked,
        },
        "mapped_ids": job.mapped_ids,
        **_waiting(batches),
        "batches": dict(sorted(states.items())),
        "usage": {model: attributes(usage) for model, usage in sorted(job.usage.items())},
        "times": _times(job),
        "outputs": job.outputs,
    }


def _waiting(batches: Iterable[Batch]) -> dict[str, Any]:
    """Why batches that are not under way were put off or blocked, and when the next of them is due."""
    found: dict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        if batch.reason and batch.state not in (BatchState.IN_FLIGHT, *FINAL):
            found[batch.reason].append(batch)
    told = [
        {
            "reason": reason,
            "batches": len(some),
            "next_try_at": min(str(msgspec.to_builtins(b.next_check_at)) for b in some),
        }
        for reason, some in sorted(found.items())
    ]
    return {"waiting": told} if told else {}


def digest(status: dict[str, Any]) -> str:
    """Changes when the status says something new."""
    return hashlib.sha256(msgspec.json.encode(status, order="deterministic")).hexdigest()[:16]


def is_final(job: Job) -> bool:
    """Whether nothing about the job will change any more."""
    return job.state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


def _times(job: Job) -> dict[str, Any]:
    times = {
        "input_last_modified": job.last_modified,
        "created_at": job.created_at,
        "planned_at": job.planned_at,
        "cancel_requested_at": job.cancel_requested_at,
        "ended_at": job.ended_at,
    }
    return {name: msgspec.to_builtins(time) for name, time in times.items() if time is not None}

"""What a job's status object says."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from batchdrop.core import cost, poison
from batchdrop.core.lifecycle import FINAL
from batchdrop.core.model import Batch, Chunk, Job, attributes
from batchdrop.core.states import BatchState, ChunkState, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchdrop.core.model import AnyItem

#: Items that are named in full at the most.
TOLD = 20
_UNDER_WAY = frozenset({BatchState.IN_FLIGHT, ChunkState.COLLECTED, *FINAL})


def report(job: Job, parts: Iterable[Chunk | Batch]) -> dict[str, Any]:
    """The status of ``job``, of which ``parts`` are all the chunks and batches that there are so far.

    While batches run, their finished requests are counted as the provider counts them.
    """
    parts = list(parts)
    batches = [part for part in parts if isinstance(part, Batch)]
    states: Counter[str] = Counter()
    running = blocked = failing = 0
    for batch in batches:
        if not (job.state is JobState.FAILED and batch.state is BatchState.QUEUED):  # it waits for nothing any more
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
            "quarantined": counts.quarantined,
            "blocked": blocked,
        },
        "mapped_ids": job.mapped_ids,
        **({} if job.state is JobState.FAILED else _waiting(job, parts)),
        **_quarantined(parts),
        "batches": dict(sorted(states.items())),
        "usage": {model: attributes(usage) for model, usage in sorted(job.usage.items())},
        **({"cost": known} if (known := cost.report(job)) else {}),
        "times": _times(job),
        "outputs": job.outputs,
    }


def _waiting(job: Job, parts: Iterable[Chunk | Batch]) -> dict[str, Any]:
    """Why what is not under way waits, was put off, blocked or parked, and when the next of it is tried.

    What most wait for comes first, of many.
    """
    found: dict[str, list[AnyItem]] = defaultdict(list)
    for item in (job, *parts):
        if poison.is_parked(item) and item.due:
            found[f"parked: it crashed {item.crashes} times and is tried every hour; see the logs"].append(item)
        elif item.reason and item.state not in _UNDER_WAY and (item is not job or job.state is JobState.PLANNING):
            found[item.reason].append(item)
        elif isinstance(item, Batch) and item.state is BatchState.QUEUED and job.state is JobState.RUNNING:
            found[f"queued: room for more of {item.model} under OpenAI's limits, or its turn"].append(item)
    told = [
        {
            "reason": reason,
            "batches": sum(isinstance(item, Batch) for item in some),
            **_next_try(some),
        }
        for reason, some in sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))[:TOLD]
    ]
    return {"waiting": told} if told else {}


def _next_try(items: Iterable[AnyItem]) -> dict[str, str]:
    """None is known where every tick may be the one."""
    times = [item.next_check_at for item in items if item.next_check_at]
    return {"next_try_at": msgspec.to_builtins(min(times))} if times else {}


def _quarantined(parts: Iterable[Chunk | Batch]) -> dict[str, Any]:
    """What was given up, and where its answers are; the first of many."""
    told = [{"item": part.item, "reason": part.reason} for part in parts if not part.due and _is_given_up(part)]
    return {"quarantined": told[:TOLD]} if told else {}


def _is_given_up(part: Chunk | Batch) -> bool:
    return part.state is BatchState.QUARANTINED or (isinstance(part, Chunk) and poison.is_poisoned(part))


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

"""One batch, and how it looks from outside (CONTRACT section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.openai.identity import digest
from local.openai.plans import BatchFault
from local.openai.question import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.openai.execution import Run
    from local.openai.parameters import BatchParameters
    from local.openai.settings import Pace

#: The statuses that never change again.
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})

_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


@dataclass
class Batch:
    """The true state; times are seconds since 1970, one for each status that was entered."""

    id: str
    asked: BatchParameters
    created: float
    expires: float
    pace: Pace
    fault: BatchFault = field(default_factory=BatchFault)
    status: str = "validating"
    times: dict[str, float] = field(default_factory=dict)
    model: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    run: Run | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    ticket: int = 0  #: of its one change on the agenda that counts

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in ENDED

    def enter(self, status: str, at: float) -> None:
        """Change to ``status`` at a time."""
        self.status = status
        self.times[status] = at

    def view(
        self, now: float, missing_file_id: str | None = None, names: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """OpenAI's batch object at ``now``.

        ``missing_file_id`` stands for a file that there is not, ``names`` are what a provider calls its statuses.
        """
        late = self.ended and now < self.times[self.status] + self.fault.ids_late_seconds
        absent = missing_file_id if self.ended else None
        if late:
            absent = self.fault.ids_late_as
        view: dict[str, Any] = {
            "id": self.id,
            "object": "batch",
            "endpoint": self.asked.endpoint,
            "model": self.model,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.asked.input_file_id,
            "completion_window": self.asked.completion_window,
            "status": (names or {}).get(self.status, self.status),
            "output_file_id": absent if late or not self.output_file_id else self.output_file_id,
            "error_file_id": absent if late or not self.error_file_id else self.error_file_id,
            "created_at": int(self.created),
            "expires_at": int(self.created) + round(self.expires - self.created),
            "request_counts": self._counts(),
            "usage": self._usage(),
            "metadata": self.asked.metadata,
        }
        view |= {f"{status}_at": int(self.times[status]) if status in self.times else None for status in _TIMES}
        return view | self.fault.show

    def _counts(self) -> dict[str, int]:
        run = self.run
        return {"total": self.total, "completed": run.completed if run else 0, "failed": run.failed if run else 0}

    def _usage(self) -> dict[str, Any]:
        usage = self.run.usage if self.run and self.ended else Usage()
        return {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        }


def lasts(batch: Batch, status: str) -> float:
    """Seconds that ``batch`` stays in ``status``, spread by its id."""
    luck = int.from_bytes(digest(batch.id, status)[:4]) / 2**32
    seconds: float = getattr(batch.pace, status)
    return seconds * (1 + batch.pace.spread * (2 * luck - 1))


def target(batch: Batch, run: Run) -> int:
    """How many requests are done at the end of the present slice of a run."""
    share = min(1.0, run.slice / batch.pace.slices)
    return min(int(batch.total * share + 1e-9), _stop(batch))


def _stop(batch: Batch) -> int:
    share = batch.fault.expire_at_share
    return batch.total if share is None else int(batch.total * share + 1e-9)


def stops_here(batch: Batch, run: Run) -> bool:
    """Whether a fault makes the batch expire now."""
    scripted = batch.fault.expire_at_share is not None and run.done >= _stop(batch)
    return scripted or (run.done >= batch.total and bool(run.left))

"""Do what is next for an ended batch, a complete chunk or a finished job, as far as time allows."""

from __future__ import annotations

from dataclasses import dataclass

from batchdrop.core import naming, poison
from batchdrop.core.errors import Misconfigured, Rejected, RetryLater
from batchdrop.core.model import AnyItem, Batch, Chunk, Job, Key
from batchdrop.core.states import BatchState, JobState
from batchdrop.core.status import is_final
from batchdrop.ports import Clock, Deadline, Ledger
from batchdrop.usecases.assemble import Assemble
from batchdrop.usecases.clean import Clean
from batchdrop.usecases.explain import Explain
from batchdrop.usecases.fetch import Fetch
from batchdrop.usecases.join import Join

#: No further step with less than this left: the poller starts it anew with a whole invocation before it.
STEP_SECONDS = 300.0
INPUT_GONE = "input_gone"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a step could not be done now, and whether it is the operator's to mend."""

    reason: str
    misconfigured: bool = False


@dataclass(frozen=True)
class Collect:
    """The collector's one entry. A message that is late, doubled or about nothing does no harm.

    A call answers what kept it from going on now, None if nothing did: the poller sends what is overdue again.
    """

    ledger: Ledger
    clock: Clock
    fetch: Fetch
    join: Join
    assemble: Assemble
    explain: Explain
    clean: Clean

    def __call__(self, key: Key, deadline: Deadline) -> Trouble | None:
        try:
            item = self._collect(key, deadline)
        except Rejected as refusal:
            return Trouble(self._give_up(key.job_id, refusal))
        except (RetryLater, Misconfigured) as trouble:
            return Trouble(str(trouble), isinstance(trouble, Misconfigured))
        given_up = self._why_given_up(item)
        return Trouble(given_up) if given_up else None

    def _why_given_up(self, item: AnyItem | None) -> str | None:
        """Whoever hands this message over shall not take it for done: it is for the dead-letter queue."""
        if item is None or isinstance(item, Job) or item.crashes < poison.CRASHES - 1:
            return None
        after = self.ledger.get(item.key)
        return after.reason if after and poison.is_given_up(after) else None

    def _give_up(self, job_id: str, refusal: Rejected) -> str:
        """Without its input nothing can be put into order; any other refusal may be mended, and is tried again."""
        job = self.ledger.job(job_id)
        if refusal.code == INPUT_GONE and job is not None:
            lost = self.ledger.lose_input(job, code=refusal.code, reason=refusal.reason, now=self.clock.now())
            if lost is not None:
                self.assemble.announce(lost)
        return str(refusal)

    def _collect(self, key: Key, deadline: Deadline) -> AnyItem | None:
        item = self.ledger.get(key)
        if isinstance(item, Batch):
            self._batch(item, deadline)
        elif isinstance(item, Chunk):
            self._chunk(item, deadline)
        elif isinstance(item, Job):
            self._job(item, deadline)
        return item

    def _batch(self, batch: Batch, deadline: Deadline) -> None:
        if batch.state is BatchState.ENDED and not self.fetch(batch, deadline):
            return
        chunk = self.ledger.get(Key(batch.job_id, naming.chunk_item(batch.chunk)))
        if isinstance(chunk, Chunk) and _has_time(deadline):
            self._chunk(chunk, deadline)

    def _chunk(self, chunk: Chunk, deadline: Deadline) -> None:
        if self.join(chunk, deadline) and _has_time(deadline):
            job = self.ledger.job(chunk.job_id)
            if job is not None:
                self._job(job, deadline)

    def _job(self, job: Job, deadline: Deadline) -> None:
        if not is_final(job):
            ended = self.assemble(job, deadline)
            # What was given up stays open until the poller has seen and counted it.
            if ended is not None and not ended.counts.quarantined and _has_time(deadline):
                self.clean(ended, deadline)
        elif job.cleaned_at is None:
            self.explain(job)
            if job.announced_at and job.state is JobState.FAILED and job.cancel_requested_at:
                self.assemble.announce.publish(job)  # what became of its batches since it was told of
            # The call that ended it may have died before it could say so.
            self.clean(job if job.announced_at else self.assemble.announce(job), deadline)


def _has_time(deadline: Deadline) -> bool:
    return deadline.remaining() >= STEP_SECONDS

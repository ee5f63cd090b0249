"""Put the finished chunks together under the names that users look at, and say that the job has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from batchdrop.core import naming, poison
from batchdrop.core.assembly import Span
from batchdrop.core.errors import BatchdropError
from batchdrop.core.model import Chunk, Job
from batchdrop.core.publishing import Claimant, Holder, claimant, holder
from batchdrop.core.states import ChunkState, JobState
from batchdrop.ports import (
    Clock,
    Deadline,
    IfAbsent,
    IfMatch,
    Ledger,
    ObjectInfo,
    ObjectStore,
    Written,
)
from batchdrop.usecases import pace
from batchdrop.usecases.announce import Announce
from batchdrop.usecases.concatenate import Concatenate, Unfinished
from batchdrop.usecases.resting import given_back

LOOKS = 10  #: at a name that keeps changing hands; then the poller asks again
KINDS = ("errors", "results")  #: in this order: the results are what says that it is done


@dataclass(frozen=True)
class Assemble:
    """Safe to run any number of times, at once or after a crash: one of them publishes, the others find it done."""

    ledger: Ledger
    objects: ObjectStore
    clock: Clock
    output_bucket: str
    announce: Announce

    def __call__(self, job: Job, deadline: Deadline) -> Job | None:
        """The job at its end; None if it is not there yet: another call, now or later, goes on."""
        if job.state not in (JobState.RUNNING, JobState.ASSEMBLING) or job.open_chunks:
            return None
        now = self.clock.now()
        mine = self.ledger.claim_job(job, lease=pace.lease(now, deadline), now=now)
        if mine is None:
            return None
        ended = self._assembled(mine, deadline)
        return ended and self.announce(ended)

    def _assembled(self, job: Job, deadline: Deadline) -> Job | None:
        """The job at its end. One that is not there yet is given back: the next invocation goes on at once."""
        run = Concatenate(self.ledger, self.objects, self.output_bucket, job, deadline)
        try:
            if poison.is_parked(job):
                self.ledger.postpone(job, check_at=self.clock.now() + pace.PARKED)
            outputs = self._deliver(run)
            ended = self.ledger.finish_job(run.job, outputs, self.clock.now())
        except Unfinished:
            self._rest(run.job, self.clock.now())
            return None
        except BatchdropError as trouble:
            self._rest(run.job, pace.again(self.clock.now(), trouble))
            raise
        if ended is None:
            self._rest(run.job, self.clock.now() + pace.REST)
        return ended

    def _rest(self, job: Job, check_at: datetime) -> None:
        given_back(partial(self.ledger.rest_assembly, job, check_at=check_at))

    def _deliver(self, run: Concatenate) -> dict[str, dict[str, str]]:
        """Every output in its place; which version of which object that is."""
        chunks = list(self.ledger.chunks(run.job.job_id))
        if any(chunk.state is not ChunkState.COLLECTED for chunk in chunks):
            raise Unfinished
        us = claimant(run.job, self.ledger.newest_job(run.job.bucket, run.job.input_key))
        taken = run.job.published_as not in (None, run.job.stem) or self._is_taken(run.job, us)
        if not taken:
            outputs = self._under(run, run.job.stem, chunks, us)
            if outputs is not None:
                return outputs
        self._withdraw(run, us)
        outputs = self._under(run, f"{run.job.stem}.{run.job.job_id}", chunks, us)
        if outputs is None:
            raise Unfinished
        return outputs

    def _under(
        self, run: Concatenate, name: str, chunks: Sequence[Chunk], us: Claimant
    ) -> dict[str, dict[str, str]] | None:
        """The outputs under ``name``; None if somebody else holds it."""
        if run.job.published_as != name:
            run.note(run.job.upload, name)
        outputs: dict[str, dict[str, str]] = {}
        for kind in KINDS:
            key, spans = naming.output_key(name, kind), _spans(run.job, chunks, kind)
            if kind == "errors" and not spans:
                self._remove_older(key, us)
                continue
            written = self._place(run, key, spans, us)
            if written is None:
                return None
            outputs[kind] = {"key": key} | ({"version_id": written.version_id} if written.version_id else {})
        return outputs

    def _place(self, run: Concatenate, key: str, spans: Sequence[Span], us: Claimant) -> Written | None:
        """Write unless it is done; after a lost precondition look again. None if the name is somebody else's."""
        for _ in range(LOOKS):
            info, who = self._look(key, us)
            if who is Holder.OTHER:
                run.abandon(key)
                return None
            if info is not None and who is Holder.US:
                run.abandon(key)
                return Written(info.etag, info.version_id)
            written = run(key, spans, us.metadata, IfMatch(info.etag) if info else IfAbsent())
            if written is not None:
                return written
        raise Unfinished

    def _look(self, key: str, us: Claimant) -> tuple[ObjectInfo | None, Holder]:
        info = self.objects.head(self.output_bucket, key)
        return info, holder(info.metadata if info else None, us)

    def _is_taken(self, job: Job, us: Claimant) -> bool:
        return any(self._look(naming.output_key(job.stem, kind), us)[1] is Holder.OTHER for kind in KINDS)

    def _withdraw(self, run: Concatenate, us: Claimant) -> None:
        """Leave nothing of ours under a name that we do not get."""
        for kind in KINDS:
            key = naming.output_key(run.job.stem, kind)
            run.abandon(key)
            if self._look(key, us)[1] is Holder.US:
                self.objects.delete(self.output_bucket, key)

    def _remove_older(self, key: str, us: Claimant) -> None:
        """Errors of an earlier run do not belong to these results."""
        if self._look(key, us)[1] is Holder.OLDER:
            self.objects.delete(self.output_bucket, key)


def _spans(job: Job, chunks: Sequence[Chunk], kind: str) -> list[Span]:
    sizes = ((chunk.number, chunk.errors_bytes if kind == "errors" else chunk.results_bytes) for chunk in chunks)
    return [Span(naming.part_key(job.stem, job.job_id, number, kind), 0, size) for number, size in sizes if size]

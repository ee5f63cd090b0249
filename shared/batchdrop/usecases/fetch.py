"""Bring the answers of an ended batch home, and send again what may still succeed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from batchdrop.core import answers, blocking, naming, poison, retrying, stream
from batchdrop.core.answers import Sieve, Taken
from batchdrop.core.errors import BatchdropError, Rejected, RetryLater
from batchdrop.core.model import Batch, Job, Source, Usage
from batchdrop.core.states import BatchState, JobState
from batchdrop.ports import BatchApi, Clock, Deadline, Fetched, Ledger, LineError, Messages, ObjectStore
from batchdrop.usecases import dividing, learning, pace
from batchdrop.usecases.resting import given_back

DOWNLOADS = 3  #: tries within one invocation; then the queue and the poller try again
RESTART_SECONDS = 330.0  #: no new download with less than this left: one that is taken up again takes five minutes
GRACE = timedelta(hours=1)  #: for so long a missing file may still turn up; one with answers in it, for ever

Otherwise = tuple[str, str] | None  #: code and reason of what was never answered; None where it goes again


class _Request(msgspec.Struct):
    custom_id: str


_REQUEST = msgspec.json.Decoder(_Request)


@dataclass(frozen=True)
class Fetch:
    """Safe to run any number of times, at once or after a crash: it always makes the same objects and the same items.

    ``spool``: a directory for temporary files.
    """

    ledger: Ledger
    objects: ObjectStore
    api: BatchApi
    messages: Messages
    clock: Clock
    work_bucket: str
    spool: Path
    keep_openai_files: bool = False

    def __call__(self, batch: Batch, deadline: Deadline) -> bool:
        """Whether the batch is done now. ``RetryLater`` where the provider does not hand the answers over."""
        job = self.ledger.job(batch.job_id)
        if job is None or job.state is not JobState.RUNNING or batch.state is not BatchState.ENDED:
            return False
        now = self.clock.now()
        mine = self.ledger.claim_ended(batch, lease=pace.lease(now, deadline), now=now)
        if mine is None:
            return False
        try:
            if poison.is_poisoned(mine):
                return self.ledger.quarantine(mine, reason=_where_its_answers_are(mine))
            return self._after_refusal(mine) if _was_refused(mine) else self._after_work(job, mine, deadline)
        except BatchdropError as trouble:
            check_at = pace.again(self.clock.now(), trouble)
            # What the provider said of a refused batch stands nowhere else: its requests are to be told it.
            reason = (mine.error_codes and mine.reason) or str(trouble)[:500]
            given_back(partial(self.ledger.rest_fetch, mine, check_at=check_at, reason=reason))
            raise

    # the provider worked on it

    def _after_work(self, job: Job, batch: Batch, deadline: Deadline) -> bool:
        ids = self._ids(batch)
        otherwise = None if batch.attempt < job.options.max_attempts else answers.NO_ANSWER
        stopped = answers.stopped(job)
        price = job.prices.get(batch.model)
        fresh = partial(Sieve, ids, run_only=stopped is not None, long_above=price.above if price else None)
        sieve = self._store_answers(batch, fresh, list(ids), deadline, stopped or otherwise)
        missing = sieve.missing
        waves = [self._wave(batch, missing, attempt=batch.attempt + 1)] if missing else []
        fetched = Fetched(sieve.completed, sieve.failed, len(missing), sieve.usage, sieve.long_usage)
        return self._record(batch, fetched, waves)

    def _store_answers(
        self, batch: Batch, fresh: Callable[[], Sieve], ids: list[str], deadline: Deadline, otherwise: Otherwise
    ) -> Sieve:
        """Write the final records; ``otherwise``, if nothing goes again, is the error of what was never answered."""
        for attempt in range(DOWNLOADS):
            sieve = fresh()
            try:
                self._write_answers(batch, self._sifted(batch, sieve, ids, otherwise))
            except RetryLater:
                if attempt == DOWNLOADS - 1 or deadline.remaining() < RESTART_SECONDS:
                    raise
            else:
                return sieve
        raise AssertionError("unreachable")

    def _sifted(self, batch: Batch, sieve: Sieve, ids: list[str], otherwise: Otherwise) -> Iterator[bytes]:
        """The final records, as the provider wrote them; then, if nothing goes again, one for each that has none."""
        with tempfile.TemporaryFile(dir=self.spool) as aside:
            held: dict[int, tuple[int, int]] = {}
            for line in self._provided(batch):
                taken, ordinal = sieve.take(line)
                if taken is Taken.FINAL:
                    yield line
                elif taken is Taken.HELD:
                    held[ordinal] = (aside.tell(), len(line))
                    aside.write(line)
            for ordinal in sieve.missing if otherwise else ():
                sieve.settle(ordinal)
                if ordinal in held:
                    aside.seek(held[ordinal][0])
                    yield aside.read(held[ordinal][1])
                elif otherwise:
                    yield answers.record(ids[ordinal], *otherwise)

    def _provided(self, batch: Batch) -> Iterator[bytes]:
        """Every line of the output file, then of the error file; a file that is not there has none."""
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            try:
                with self.api.download(file_id) as pieces:
                    yield from stream.lines(pieces)
            except Rejected as error:
                if error.code != "file_gone":
                    raise
                is_paid = file_id == batch.output_file_id and batch.remote_completed > 0
                if is_paid or batch.ended_at is None or self.clock.now() < batch.ended_at + GRACE:
                    raise RetryLater(f"{file_id} cannot be read yet", code="file_gone") from error

    # the provider refused it

    def _after_refusal(self, batch: Batch) -> bool:
        complaints = self._complaints(batch)
        verdict = retrying.judge(
            complaints,
            requests=batch.requests,
            halvings=batch.halvings,
            refusals=batch.refusals,
            tokens=batch.estimated_tokens,
        )
        if isinstance(verdict, retrying.Block):
            self._block(batch, verdict)
            return False
        if isinstance(verdict, retrying.Wait):
            self._requeue(batch, verdict)
            return False
        if not retrying.says_enough(verdict):
            verdict = retrying.looked_into(verdict, dividing.requests(self.objects, batch))
        if isinstance(verdict, retrying.Halve):
            halvings = batch.halvings + 1
            halves = dividing.divided(self.objects, batch, 2, now=self.clock.now(), halvings=halvings)
            return self._record(batch, Fetched(0, 0, batch.requests, Usage()), halves)
        return self._report(batch, verdict)

    def _complaints(self, batch: Batch) -> tuple[LineError, ...]:
        """All errors of the batch: the table holds only their codes."""
        remote = self.api.retrieve(batch.openai_batch_id) if batch.openai_batch_id else None
        if remote is not None and remote.errors:
            return remote.errors
        return tuple(LineError(code, batch.reason or code) for code in batch.error_codes)

    def _block(self, batch: Batch, verdict: retrying.Block) -> None:
        self._drop_file(batch)
        check_at = self.clock.now() + blocking.EVERY
        self.ledger.block(batch, reason=verdict.reason[:500], check_at=check_at)

    def _drop_file(self, batch: Batch) -> None:
        """The next try uploads anew, so this file goes first: once the batch is queued, its id is forgotten."""
        if batch.file_id and not self.keep_openai_files:
            self.api.delete_file(batch.file_id)

    def _requeue(self, batch: Batch, verdict: retrying.Wait) -> None:
        self._drop_file(batch)
        now = self.clock.now()
        learning.learn(self.ledger, batch, verdict.reason, now)
        not_before = now + timedelta(seconds=verdict.seconds)
        self.ledger.requeue(batch, not_before=not_before, now=now, reason=verdict.reason[:500])

    def _report(self, batch: Batch, verdict: retrying.Report) -> bool:
        ids = list(self._ids(batch))
        complaints = [verdict.everyone or verdict.lines.get(line) for line in range(1, len(ids) + 1)]
        named = zip(ids, complaints, strict=True)
        self._write_answers(batch, (answers.record(id_, said.code, said.message) for id_, said in named if said))
        rest = [ordinal for ordinal, said in enumerate(complaints) if said is None]
        waves = [self._wave(batch, rest, attempt=batch.attempt)] if rest else []
        return self._record(batch, Fetched(0, len(ids) - len(rest), len(rest), Usage()), waves)

    # what both have in common

    def _record(self, batch: Batch, fetched: Fetched, follow_ups: list[Batch]) -> bool:
        now = self.clock.now()
        done = self.ledger.record_fetched(batch, fetched, follow_ups, now=now)
        if done:
            learning.experience(self.ledger, batch, fetched.usage)
        if done and follow_ups:
            self.messages.tick()
        if not done:
            given_back(partial(self.ledger.rest_fetch, batch, check_at=now + pace.REST, reason=batch.reason))
        return done

    def _write_answers(self, batch: Batch, records: Iterator[bytes]) -> None:
        key = naming.answers_key(batch.job_id, batch.chunk, batch.name)
        self.objects.write(self.work_bucket, key, stream.packed(record + b"\n" for record in records))

    def _ids(self, batch: Batch) -> dict[str, int]:
        """The batch's custom ids in the order of its requests, with their ordinals from 0."""
        return {
            _REQUEST.decode(line).custom_id: ordinal
            for ordinal, line in enumerate(dividing.requests(self.objects, batch))
        }

    def _wave(self, batch: Batch, ordinals: list[int], *, attempt: int) -> Batch:
        """These requests, byte for byte, as a batch of their own."""
        wanted = bytearray(batch.requests)
        for ordinal in ordinals:
            wanted[ordinal] = 1
        key = naming.wave_key(batch.job_id, batch.chunk, batch.name)
        size = 0

        def chosen() -> Iterator[bytes]:
            nonlocal size
            for ordinal, line in enumerate(dividing.requests(self.objects, batch)):
                if wanted[ordinal]:
                    size += len(line) + 1
                    yield line + b"\n"

        self.objects.write(self.work_bucket, key, stream.packed(chosen()))
        source = Source(bucket=self.work_bucket, key=key, first_byte=0, end_byte=size)
        return dividing.child(batch, "r", source, len(ordinals), now=self.clock.now(), attempt=attempt)


def _where_its_answers_are(batch: Batch) -> str:
    """What a person needs to get at answers that are paid for and that no function of ours can take."""
    files = [f"{name} {id_}" for name, id_ in (("output", batch.output_file_id), ("error", batch.error_file_id)) if id_]
    kept = f"; its files are kept there: {', '.join(files)}" if files else ""
    crashes = f"Fetching its answers crashed {batch.crashes} times"
    return f"{poison.QUARANTINED}: {crashes}. It is {batch.openai_batch_id or 'no batch'} at the provider{kept}."


def _was_refused(batch: Batch) -> bool:
    """Whether the provider never worked on it: refused at its creation, or failed in validation."""
    has_files = batch.output_file_id or batch.error_file_id
    return batch.openai_batch_id is None or (batch.remote_status == "failed" and not has_files)

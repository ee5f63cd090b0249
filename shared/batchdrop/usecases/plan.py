"""Judge a dropped file and cut it into chunks and batches. Nothing may be bought before its last line is judged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchdrop.core import appearance, blocking, cost, limits, naming, nothing_valid, poison
from batchdrop.core.allowance import Learned
from batchdrop.core.codes import said
from batchdrop.core.errors import Misconfigured, Rejected, RetryLater
from batchdrop.core.metering import Meter
from batchdrop.core.model import Job, Usage
from batchdrop.core.options import InvalidLines
from batchdrop.core.planning import Cutter, cuts
from batchdrop.core.request import Pair
from batchdrop.core.states import JobState
from batchdrop.usecases import pace, tabling
from batchdrop.usecases.reading import first_block, no_lines, reading
from batchdrop.usecases.refusals import refusals
from batchdrop.usecases.resting import given_back

if TYPE_CHECKING:
    from batchdrop.core.cut import Cut
    from batchdrop.ports import Clock, Deadline, Ledger, Messages, ObjectStore, Prices
    from batchdrop.usecases.announce import Announce
    from batchdrop.usecases.opening import Open
    from batchdrop.usecases.reading import Input
    from batchdrop.usecases.staging import Stage

RESERVE_SECONDS = 120.0  #: a chunk takes less: some 10 s to judge it, at most 60 s to copy it

NAMED = 5  #: lines that the reason of a job names


@dataclass(frozen=True)
class Plan:
    """Safe to run any number of times, at once or after a crash: one version of an object gives one job.

    A call returns the job as it leaves it; None if there is nothing to do, or another invocation has it. One that is
    ``planning`` and has a ``reason`` waits for the operator.
    """

    ledger: Ledger
    objects: ObjectStore
    messages: Messages
    clock: Clock
    prices: Prices
    open: Open
    stage: Stage
    announce: Announce
    reserve_seconds: float = RESERVE_SECONDS

    def __call__(self, bucket: str, key: str, version_id: str | None, deadline: Deadline) -> Job | None:
        """An object was dropped."""
        opened = self.open(bucket, key, version_id)
        if opened is None:
            return None
        if opened.is_new and opened.job.state is JobState.FAILED:
            return self.announce(opened.job)
        return self._claimed(opened.job, deadline)

    def resume(self, job_id: str, deadline: Deadline) -> Job | None:
        """Go on with a plan that was begun."""
        job = self.ledger.job(job_id)
        return None if job is None else self._claimed(job, deadline)

    def _claimed(self, job: Job, deadline: Deadline) -> Job | None:
        if job.state is not JobState.PLANNING:
            return job if poison.is_given_up(job) else None
        now = self.clock.now()
        mine = self.ledger.claim_job(job, lease=pace.lease(now, deadline), now=now)
        return None if mine is None else _Planning(self, mine, deadline).run()


class _Pass(Enum):
    """How one invocation's reading of the file ended."""

    WHOLE = "whole"  #: the last line is judged
    OUT_OF_TIME = "out of time"
    LOST = "lost"  #: another invocation has the job


class _Planning:
    """One invocation's share of planning a job. ``job`` is as the table has it."""

    def __init__(self, plan: Plan, job: Job, deadline: Deadline) -> None:
        self.plan = plan
        self.job = job
        self.deadline = deadline
        self.meter = Meter(every_line=job.options.max_cost_usd is not None)
        self.pairs: set[Pair] = set()

    def run(self) -> Job | None:
        try:
            return self._planned()
        except RetryLater:
            self._rest()
            raise

    def _planned(self) -> Job | None:
        try:
            if poison.is_poisoned(self.job):
                raise _poisoned(self.job)
            match self._read():
                case _Pass.WHOLE:
                    return self._start()
                case _Pass.OUT_OF_TIME:
                    return self._rest()
                case _Pass.LOST:
                    self._rest()
                    return None
        except Rejected as error:
            return self._fail(error)
        except Misconfigured as trouble:
            return self._wait(trouble)

    def _read(self) -> _Pass:
        known = self.plan.ledger.batches(self.job.job_id) if self.job.chunks else ()
        self.pairs |= {Pair(batch.model, batch.endpoint) for batch in known}
        with reading(self.plan.objects, self.job, self.deadline, self.plan.stage.folder) as source:
            cutter = Cutter(self.plan.stage.limit, lines=self.job.cursor.lines)
            for cut in cuts(source.pieces(), cutter, self.meter, source.forget):
                self._accept(cut)
                job = self._record(source, cut)
                if job is None:
                    return _Pass.LOST
                self.job = job
                if job.counts.invalid >= limits.REQUESTS_PER_CHUNK:
                    self._accept_invalid()  # no more of them are told
                if self.deadline.remaining() < self.plan.reserve_seconds:
                    return _Pass.OUT_OF_TIME
        return _Pass.WHOLE

    def _accept(self, cut: Cut) -> None:
        """``Rejected`` where the chunk decides that the whole file is not run."""
        self.pairs |= cut.loads.keys()
        if len(self.pairs) > limits.PAIRS_PER_JOB:
            raise Rejected(*said("too_many_pairs", most=limits.PAIRS_PER_JOB, line=cut.lines))

    def _record(self, source: Input, cut: Cut) -> Job | None:
        """The job with this chunk; None if another invocation was first."""
        number = self.job.cursor.chunks + 1
        now = self.plan.clock.now()
        if cut.plain and not source.is_packed:
            batches = tabling.untouched(self.job, number, cut, now)
        else:
            with source.again(cut) as pieces:
                staged = self.plan.stage(self.job.job_id, number, cut, pieces)
            batches = tabling.staged(self.job, number, staged, now)
        is_staged = source.is_packed or not cut.plain
        chunk = tabling.chunk(self.job, number, cut, len(batches), is_staged=is_staged, now=now)
        return self.plan.ledger.add_chunk(
            tabling.counted(self.job, cut, self.meter.drain(batches)),
            chunk,
            batches,
            tabling.cursor(self.job, number, cut),
        )

    def _start(self) -> Job | None:
        self._accept_lines()
        self.job = self._priced()
        cost.check(self.job)
        usage = {pair.model: Usage() for pair in sorted(self.pairs)}
        long_usage = {model: Usage() for model, price in self.job.prices.items() if price.beyond}
        running = replace(self.job, usage=usage, long_usage=long_usage, planned_at=self.plan.clock.now())
        if not self.plan.ledger.start_job(running):
            return None
        self.plan.messages.tick()
        return replace(running, state=JobState.RUNNING)

    def _accept_lines(self) -> None:
        """``Rejected`` where the lines that are no requests decide so."""
        counts = self.job.counts
        if counts.requests == counts.invalid:
            raise nothing_valid.refusal(counts.requests, first_block(self.plan.objects, self.job), self._errors)
        if counts.invalid and (kind := appearance.array(first_block(self.plan.objects, self.job))):
            raise no_lines(kind)
        self._accept_invalid()

    def _accept_invalid(self) -> None:
        invalid = self.job.counts.invalid
        if invalid and self.job.options.invalid_lines is InvalidLines.REJECT:
            refused = refusals(self.plan.ledger, self.plan.objects, self.plan.stage.work_bucket, self.job)
            first = [f"line {row.line} ({row.code})" for row in islice(refused, NAMED)]
            more = f" and {invalid - len(first):,} more" if invalid > len(first) else ""
            raise Rejected(*said("invalid_lines", named=", ".join(first) + more, errors=self._errors))

    @property
    def _errors(self) -> str:
        """Where it will be told what is wrong with each line, if the file is not run for them."""
        return naming.explanation_key(self.job.stem, self.job.job_id)

    def _priced(self) -> Job:
        """With what its requests may take, by what is known of their models now, and what that costs."""
        now, learned = self.plan.clock.now(), self.plan.ledger.limits()
        estimates = {
            model: replace(
                estimate,
                input_tokens=learned.get((self.job.options.api, model), Learned()).corrected(estimate.input_tokens),
            )
            for model, estimate in self.job.estimates.items()
        }
        prices = {model: price for model in estimates if (price := self.plan.prices.of(model, now))}
        return replace(self.job, estimates=estimates, prices=prices)

    def _rest(self) -> Job:
        given_back(partial(self.plan.ledger.rest_plan, self.job, self.plan.clock.now()))
        return self.job

    def _wait(self, trouble: Misconfigured) -> Job:
        """For the operator: it is tried again from time to time, and goes on by itself once it is mended."""
        check_at, reason = self.plan.clock.now() + blocking.EVERY, str(trouble)[:500]
        if not given_back(partial(self.plan.ledger.rest_plan, self.job, check_at, reason=reason)):
            raise trouble  # the job was judged before it: that stands
        return replace(self.job, reason=reason)

    def _fail(self, error: Rejected) -> Job | None:
        now = self.plan.clock.now()
        if not self.plan.ledger.fail_job(self.job, code=error.code, reason=error.reason, now=now):
            return None
        failed = replace(self.job, state=JobState.FAILED, code=error.code, reason=error.reason, ended_at=now)
        if self._errors in error.reason:
            self.plan.announce.publish(failed)
            return failed  # the collector tells the world, once they are there
        return self.plan.announce(failed)


def _poisoned(job: Job) -> Rejected:
    """Nothing is known of what it dies of, but where."""
    where = f"behind line {job.cursor.lines:,}" if job.cursor.lines else "at its first lines"
    return Rejected(*said("quarantined.file", crashes=job.crashes, where=where))

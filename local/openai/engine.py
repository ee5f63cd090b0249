"""The life of batches: validating, in progress, finalizing, ended (CONTRACT B1-B12).

Reading and executing files happens in one worker thread, everything else in the event loop, so that a batch never
changes while a request looks at it.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from local.openai.batch import Batch, lasts, stops_here, target
from local.openai.errors import ApiError
from local.openai.execution import Executor, Run
from local.openai.intake import Intake
from local.openai.plans import BatchFault
from local.openai.relay import Relay
from local.openai.results import Results
from local.openai.validation import api_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor as Worker
    from pathlib import Path

    from local.openai.agenda import Agenda
    from local.openai.clock import Clock
    from local.openai.faults import Faults
    from local.openai.files import FileStore
    from local.openai.identity import Ids
    from local.openai.journal import Journal
    from local.openai.parameters import BatchParameters
    from local.openai.settings import Settings
    from local.openai.upstream import Upstream
    from local.openai.validation import Findings


T = TypeVar("T")


class Engine:
    """Every batch of the server, oldest first. The agenda holds the next change of each."""

    def __init__(  # noqa: PLR0913 - the composition root's one call
        self,
        *,
        seed: int,
        clock: Clock,
        agenda: Agenda,
        ids: Ids,
        settings: Settings,
        files: FileStore,
        faults: Faults,
        journal: Journal,
        worker: Worker,
        upstream: Upstream | None,
        watch: Callable[[Batch, float], None],
    ) -> None:
        self.batches: dict[str, Batch] = {}
        self.intake = Intake(files, settings, worker)
        self._results = Results(files, settings)
        self._seed = seed
        self._clock = clock
        self._agenda = agenda
        self._ids = ids
        self._settings = settings
        self._files = files
        self._faults = faults
        self._journal = journal
        self._worker = worker
        self._watch = watch
        self._executor = Executor(faults, journal, settings)
        self.relay = Relay(upstream, self._executor, journal) if upstream else None

    def create(self, asked: BatchParameters, findings: Findings | None = None) -> Batch:
        """Accept a batch; two equal calls make two. Raises ``ApiError`` 400 if ``findings`` do not fit the queue."""
        now = self._clock.now()
        fault = self._faults.for_batch(asked.metadata) or BatchFault()
        batch = Batch(
            id=self._ids.batch(),
            asked=asked,
            created=now,
            expires=now + self._settings.completion_windows[asked.completion_window],
            pace=self._settings.pace.changed(fault.pace),
            fault=fault,
        )
        if fault.seen:
            self._journal.note("batch", "fault", batch.id)
        if findings is not None:
            self._admit(batch.id, findings, now)
        self.batches[batch.id] = batch
        self._schedule(batch, now + lasts(batch, "validating"))
        return batch

    def _admit(self, batch_id: str, findings: Findings, now: float) -> None:
        self.intake.enqueue(batch_id, findings, now)
        for error in findings.errors:
            raise ApiError(400, error["message"], code=error["code"])

    def cancel(self, batch_id: str) -> Batch:
        """Ask for a cancel. Raises ``ApiError`` 404, and 409 where the batch has ended otherwise."""
        batch = self.get(batch_id)
        if batch.status in ("completed", "failed", "expired"):  # expired: assumed (A15), like a cancel while validating
            raise ApiError(409, f"Cannot cancel a batch with status '{batch.status}'.")
        if batch.status not in ("cancelling", "cancelled"):
            now = self._clock.now()
            self._enter(batch, "cancelling", now)
            self._schedule(batch, now + lasts(batch, "cancelling"))
        return batch

    def get(self, batch_id: str) -> Batch:
        """The batch. Raises ``ApiError`` 404."""
        try:
            return self.batches[batch_id]
        except KeyError:
            raise ApiError(404, f"No batch found with id '{batch_id}'.") from None

    def forget(self, batch_id: str) -> None:
        """Drop a batch for good, as the API does with old ones. Raises ``ApiError`` 404."""
        self.get(batch_id)
        del self.batches[batch_id]
        self.intake.limits.release(batch_id, self._clock.now())

    def created_since(self, since: float, most: int) -> int:
        """How many batches were created after ``since``; counts up to ``most``."""
        newest = itertools.takewhile(lambda batch: batch.created > since, reversed(self.batches.values()))
        return sum(1 for _ in itertools.islice(newest, most))

    def _enter(self, batch: Batch, status: str, at: float) -> None:
        batch.enter(status, at)
        self._watch(batch, at)

    def _schedule(self, batch: Batch, due: float) -> None:
        """Let ``batch`` change at ``due``, and at no other time."""
        batch.ticket += 1
        self._agenda.add(due, partial(self._step, batch, batch.ticket, due))

    async def _step(self, batch: Batch, ticket: int, at: float) -> None:
        if batch.ticket != ticket or batch.id not in self.batches:
            return
        if batch.status == "validating":
            await self._validate(batch, at)
        elif batch.status == "in_progress" and batch.run is not None:
            await self._progress(batch, batch.run, at)
        elif batch.status == "finalizing":
            await self._end(batch, "completed", at)
        elif batch.status == "cancelling":
            await self._end(batch, "cancelled", at)

    async def _validate(self, batch: Batch, at: float) -> None:
        copy = self._files.scratch_path()
        findings = await self.intake.read(batch, copy)
        if batch.status == "validating" and not findings.errors:
            self.intake.enqueue(batch.id, findings, at)
        if batch.status != "validating" or findings.errors:
            copy.unlink(missing_ok=True)
        if batch.status != "validating":
            return
        if findings.errors:
            codes = self._settings.error_codes
            batch.errors = [error | {"code": codes.get(error["code"], error["code"])} for error in findings.errors]
            self.intake.limits.release(batch.id, at)
            self._enter(batch, "failed", at)
            return
        batch.model = self._settings.snapshot(findings.model or "") or None
        batch.total = findings.requests
        batch.run = self._new_run(batch, findings, copy)
        self._enter(batch, "in_progress", at)
        self._begin(batch, batch.run)

    def _begin(self, batch: Batch, run: Run) -> None:
        if self.relay is None:
            self._schedule_slice(batch, run)
        else:
            self._schedule(batch, self._expiry(batch))
            self.relay.start(run, lambda: self._schedule(batch, self._clock.now()))

    def _new_run(self, batch: Batch, findings: Findings, copy: Path) -> Run:
        return Run(
            batch_id=batch.id,
            input=copy,
            output=self._files.scratch_path(),
            errors=self._files.scratch_path(),
            endpoint=api_path(batch.asked.endpoint),
            offsets=findings.offsets,
            seed=self._seed,
            created=int(batch.created),
        )

    async def _progress(self, batch: Batch, run: Run, at: float) -> None:
        expired = at >= self._expiry(batch)
        if not expired:
            await self._execute(batch, run)
        if batch.status != "in_progress":
            return
        if expired or stops_here(batch, run):
            await self._end(batch, "expired", at)
        elif run.done >= batch.total:
            self._enter(batch, "finalizing", at)
            self._schedule(batch, at + lasts(batch, "finalizing"))
        else:
            self._schedule_slice(batch, run)

    async def _execute(self, batch: Batch, run: Run) -> None:
        if self.relay is not None:
            await self.relay.join(batch.id)
            return
        run.slice += 1
        count = target(batch, run)
        await self._in_worker(lambda: self._executor.run_until(run, count))

    def _schedule_slice(self, batch: Batch, run: Run) -> None:
        share = (run.slice + 1) / batch.pace.slices
        due = batch.times["in_progress"] + lasts(batch, "in_progress") * share
        self._schedule(batch, min(due, self._expiry(batch)))

    def _expiry(self, batch: Batch) -> float:
        return math.inf if batch.fault.never_expires or self._settings.never_expires else batch.expires

    async def _end(self, batch: Batch, status: str, at: float) -> None:
        if self.relay is not None:
            await self.relay.stop(batch.id)
        if batch.run is not None:
            if status != "completed":
                await self._finish(batch.run, f"batch_{status}")
            self._results.publish(batch, batch.run)
            batch.run.release()
        self._enter(batch, status, at)
        self.intake.limits.release(batch.id, at)

    async def _finish(self, run: Run, code: str) -> None:
        await self._in_worker(lambda: self._executor.finish(run, code))

    async def _in_worker(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

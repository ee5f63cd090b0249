"""Batches whose requests another server answers: each one sent on, a bounded number at a time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.openai.execution import Executor, Run
    from local.openai.journal import Journal
    from local.openai.upstream import Upstream


class Relay:
    """Runs batches beside the agenda: how long they take is the upstream's affair."""

    def __init__(self, upstream: Upstream, executor: Executor, journal: Journal) -> None:
        self._upstream = upstream
        self._executor = executor
        self._journal = journal
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, run: Run, done: Callable[[], None]) -> None:
        """Execute every request of a batch, then call ``done``; ``join`` tells how it went."""
        self._running[run.batch_id] = asyncio.create_task(self._run(run, done))

    async def join(self, batch_id: str) -> None:
        """Return when a batch that called ``done`` is through. Raises what stopped it, if something did."""
        task = self._running.pop(batch_id, None)
        if task is not None:
            await task

    async def stop(self, batch_id: str) -> None:
        """Break off what is under way: those requests are left, with the ones that had no turn."""
        task = self._running.pop(batch_id, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Break off everything."""
        for batch_id in list(self._running):
            await self.stop(batch_id)

    async def _run(self, run: Run, done: Callable[[], None]) -> None:
        try:
            with run.opened() as files:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self._upstream.options.concurrency, len(run.order))):
                        group.create_task(self._work(run, *files))
        except Exception:
            done()
            raise
        done()

    async def _work(self, run: Run, source: BinaryIO, out: BinaryIO, err: BinaryIO) -> None:
        while run.done < len(run.order):
            turn = self._executor.take(run, source)
            if turn is None:
                continue
            try:
                reply = turn.scripted() or await self._upstream.ask(turn.question)
            except asyncio.CancelledError:
                run.left.append(turn.line)
                raise
            self._journal.record_executions([self._executor.write(run, turn, reply, out, err)])

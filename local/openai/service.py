"""The parts of one server, put together; and its beginning again."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from local.openai.agenda import Agenda
from local.openai.clock import Clock
from local.openai.deliveries import Deliveries
from local.openai.disruption import Disruption
from local.openai.engine import Engine
from local.openai.faults import Faults
from local.openai.files import FileStore
from local.openai.identity import Ids
from local.openai.journal import Journal
from local.openai.parts import Uploads
from local.openai.upstream import Upstream
from local.openai.webhooks import Endpoints

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.settings import Settings
    from local.openai.upstream import UpstreamOptions

_LONGEST_SLEEP = 60.0


class Service:
    """State of the server. ``seed`` null: ids differ in every run, answers do not."""

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        *,
        virtual: bool,
        seed: int | None,
        upstream: UpstreamOptions | None = None,
    ) -> None:
        self._directory = directory
        self.settings = settings
        self.clock = Clock(virtual=virtual)
        self._upstream = Upstream(upstream) if upstream else None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
        directory.mkdir(parents=True, exist_ok=True)
        self._begin(seed)

    def _begin(self, seed: int | None) -> None:
        self.ids = Ids(secrets.token_hex(16) if seed is None else str(seed))
        self.faults = Faults(seed or 0)
        self.journal = Journal(self._directory / "executions.jsonl")
        self.files = FileStore(self._directory / "files", self.ids, self.clock)
        self.agenda = Agenda(self.clock)
        self.disruption = Disruption(self.clock, self.agenda)
        self.creates: dict[str, str] = {}  #: batches by the Idempotency-Key that made them
        self.uploads = Uploads(self.ids, self.clock, self.settings)
        self.endpoints = Endpoints(self.ids, self.clock)
        self.deliveries = Deliveries(
            clock=self.clock,
            agenda=self.agenda,
            ids=self.ids,
            settings=self.settings,
            faults=self.faults,
            journal=self.journal,
            endpoints=self.endpoints,
        )
        self.engine = Engine(
            seed=seed or 0,
            clock=self.clock,
            agenda=self.agenda,
            ids=self.ids,
            settings=self.settings,
            files=self.files,
            faults=self.faults,
            journal=self.journal,
            worker=self._worker,
            upstream=self._upstream,
            watch=self.deliveries.watch,
        )

    async def reset(self, seed: int | None) -> None:
        """Forget files, batches, faults and the journal, and start to count ids again. Settings and time stay."""
        finished = self.agenda
        await self._stop()
        self.files.clear()
        self._begin(seed)
        finished.changed.set()

    async def keep_time(self) -> None:
        """Let batches advance as time passes; runs until cancelled."""
        while True:
            agenda = self.agenda
            agenda.changed.clear()
            await agenda.settle()
            pause = _LONGEST_SLEEP if self.clock.virtual else agenda.next_due - self.clock.now()
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LONGEST_SLEEP, max(0.0, pause))):
                    await agenda.changed.wait()

    async def close(self) -> None:
        """Let the worker finish what it has begun."""
        await self._stop()
        if self._upstream is not None:
            await self._upstream.close()
        self._worker.shutdown()

    async def _stop(self) -> None:
        await self.agenda.stop()
        if self.engine.relay is not None:
            await self.engine.relay.close()
        await self.deliveries.close()

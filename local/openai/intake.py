"""The taking in of an input file: a copy of its own, judged, and let into the queue (CONTRACT B2, B3)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from local.openai.errors import ApiError
from local.openai.limits import Limits
from local.openai.validation import Findings, LineError, unknown_file, validate

if TYPE_CHECKING:
    from concurrent.futures import Executor as Worker
    from pathlib import Path

    from local.openai.batch import Batch
    from local.openai.files import FileStore
    from local.openai.parameters import BatchParameters
    from local.openai.settings import Settings


class Intake:
    """Reads input files in the worker thread, and knows what is enqueued."""

    def __init__(self, files: FileStore, settings: Settings, worker: Worker) -> None:
        self.limits = Limits(settings)
        self._files = files
        self._settings = settings
        self._worker = worker

    async def read(self, batch: Batch, copy: Path) -> Findings:
        """Judge the input of a batch. ``copy`` becomes a second name for its bytes: it outlives the input file."""
        fault = batch.fault
        if fault.fail_code is not None:
            error = LineError(fault.fail_code, fault.fail_message, fault.fail_param)
            return Findings(errors=[error.entry(fault.fail_line)])
        try:
            os.link(self._files.get(batch.asked.input_file_id).path, copy)
        except ApiError:
            return Findings(errors=[unknown_file(batch.asked.input_file_id).entry(None)])
        return await self._judged(copy, batch.asked.endpoint)

    async def preview(self, asked: BatchParameters) -> Findings | None:
        """What the input holds, for a provider that refuses at create; null where only validation can tell."""
        if not self._settings.tokens_at_create or not self._files.has(asked.input_file_id):
            return None
        findings = await self._judged(self._files.get(asked.input_file_id).path, asked.endpoint)
        return None if findings.errors else findings

    def enqueue(self, batch_id: str, findings: Findings, at: float) -> None:
        """Let a sound input into the queue; where that is full, its findings get an error."""
        refusal = self.limits.reserve(batch_id, findings, at)
        if refusal is not None:
            findings.errors.append(LineError(refusal.code, refusal.message).entry(None))

    async def _judged(self, path: Path, endpoint: str) -> Findings:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, lambda: validate(path, endpoint, self._settings))

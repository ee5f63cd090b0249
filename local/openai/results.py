"""What an ended batch leaves: its output file and its error file (CONTRACT B7, B12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.batch import Batch
    from local.openai.execution import Run
    from local.openai.files import FileStore
    from local.openai.settings import Settings


class Results:
    """Makes files of what a run wrote."""

    def __init__(self, files: FileStore, settings: Settings) -> None:
        self._files = files
        self._settings = settings

    def publish(self, batch: Batch, run: Run) -> None:
        """Give the batch its files; one without lines is none, unless the provider keeps empty error files."""
        keep = batch.asked.keep_seconds
        batch.output_file_id = self._published(run.output, f"{batch.id}_output.jsonl", keep, empty=False)
        empty = self._settings.empty_error_file
        batch.error_file_id = self._published(run.errors, f"{batch.id}_error.jsonl", keep, empty=empty)

    def _published(self, path: Path, filename: str, keep_seconds: float, *, empty: bool) -> str | None:
        path.touch()
        if path.stat().st_size == 0 and not empty:
            path.unlink()
            return None
        return self._files.add(path, filename=filename, purpose="batch_output", keep_seconds=keep_seconds).id

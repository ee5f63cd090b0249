"""Files on disk: what was uploaded, and what batches left (CONTRACT F3, F4)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.openai.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from local.openai.clock import Clock
    from local.openai.identity import Ids


@dataclass(frozen=True)
class StoredFile:
    """One file; ``created`` and ``expires`` are seconds since 1970."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created: float
    expires: float
    path: Path

    def view(self) -> dict[str, Any]:
        """OpenAI's file object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.bytes,
            "created_at": int(self.created),
            "expires_at": int(self.expires),
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class FileStore:
    """The files of one server, in one directory that belongs to it."""

    def __init__(self, directory: Path, ids: Ids, clock: Clock) -> None:
        self._directory = directory
        self._ids = ids
        self._clock = clock
        self._files: dict[str, StoredFile] = {}
        self._scratch = itertools.count(1)
        directory.mkdir(parents=True, exist_ok=True)
        self.clear()  # what a former run left has no record any more

    def scratch_path(self) -> Path:
        """A new path on the same disk, for a file that is still being written."""
        return self._directory / f"scratch-{next(self._scratch)}"

    def add(self, written: Path, *, filename: str, purpose: str, keep_seconds: float) -> StoredFile:
        """Take over a finished scratch file under a new id; it expires after ``keep_seconds``."""
        file_id = self._ids.file()
        now = self._clock.now()
        stored = StoredFile(
            id=file_id,
            filename=filename,
            purpose=purpose,
            bytes=written.stat().st_size,
            created=now,
            expires=now + keep_seconds,
            path=written.rename(self._directory / file_id),
        )
        self._files[file_id] = stored
        return stored

    def has(self, file_id: str) -> bool:
        """Whether ``get`` would find the file."""
        stored = self._files.get(file_id)
        return stored is not None and stored.expires > self._clock.now()

    def get(self, file_id: str) -> StoredFile:
        """The file, if it is neither deleted nor expired. Raises ``ApiError`` 404."""
        if not self.has(file_id):
            self._drop(file_id)
            raise ApiError(404, f"No such File object: {file_id}", param="id")
        return self._files[file_id]

    def delete(self, file_id: str) -> None:
        """Remove the file. Raises ``ApiError`` 404 the second time."""
        self.get(file_id)
        self._drop(file_id)

    def all(self, *, purpose: str | None = None, newest_first: bool = True) -> list[StoredFile]:
        """Every living file by age, of one purpose or of all."""
        now = self._clock.now()
        files = [f for f in self._files.values() if f.expires > now and purpose in (None, f.purpose)]
        return files[::-1] if newest_first else files

    def clear(self) -> None:
        """Remove every file, finished or not."""
        self._files.clear()
        for pattern in ("file-*", "scratch-*"):
            for path in self._directory.glob(pattern):
                path.unlink()

    def _drop(self, file_id: str) -> None:
        stored = self._files.pop(file_id, None)
        if stored is not None:
            stored.path.unlink(missing_ok=True)

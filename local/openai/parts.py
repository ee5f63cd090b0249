"""Uploads in parts: a file that comes in pieces and is put together at the end (CONTRACT F6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.openai.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from local.openai.clock import Clock
    from local.openai.files import StoredFile
    from local.openai.identity import Ids
    from local.openai.settings import Settings

_BLOCK = 1024 * 1024


@dataclass
class Upload:
    """An announced file of ``bytes`` bytes; its parts by id, in the order of their arrival."""

    id: str
    bytes: int
    filename: str
    purpose: str
    keep_seconds: float
    created: float
    expires: float
    status: str = "pending"
    parts: dict[str, Path] = field(default_factory=dict)
    file: StoredFile | None = None

    def view(self) -> dict[str, Any]:
        """OpenAI's object."""
        return {
            "id": self.id,
            "object": "upload",
            "bytes": self.bytes,
            "created_at": int(self.created),
            "filename": self.filename,
            "purpose": self.purpose,
            "status": self.status,
            "expires_at": int(self.expires),
            "file": self.file.view() if self.file else None,
        }

    def end(self, status: str) -> None:
        """Change to a final status, and drop the parts."""
        self.status = status
        for path in self.parts.values():
            path.unlink(missing_ok=True)
        self.parts = {}


class Uploads:
    """The uploads of the server."""

    def __init__(self, ids: Ids, clock: Clock, settings: Settings) -> None:
        self._ids = ids
        self._clock = clock
        self._settings = settings
        self._uploads: dict[str, Upload] = {}

    def create(self, *, size: int, filename: str, purpose: str, keep_seconds: float) -> Upload:
        """Announce a file. Raises ``ApiError`` 400 for a size that no upload may have."""
        most = self._settings.max_upload_total_bytes
        if not 0 < size <= most:
            message = f"Invalid 'bytes': expected a value from 1 to {most}."
            raise ApiError(400, message, param="bytes", code="integer_out_of_range")  # assumed (A22)
        now = self._clock.now()
        expires = now + self._settings.upload_life_seconds
        upload = Upload(self._ids.other("upload_"), size, filename, purpose, keep_seconds, now, expires)
        self._uploads[upload.id] = upload
        return upload

    def pending(self, upload_id: str) -> Upload:
        """The upload, if it still takes parts. Raises ``ApiError`` 404, and 400 where it has ended: assumed (A22)."""
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise ApiError(404, f"No such Upload object: {upload_id}", param="id")
        if upload.status == "pending" and upload.expires <= self._clock.now():
            upload.end("expired")
        if upload.status != "pending":
            raise ApiError(400, f"The upload has status '{upload.status}': it takes no parts any more.")
        return upload

    def add_part(self, upload: Upload, path: Path) -> dict[str, Any]:
        """Take over a part that lies on disk."""
        part_id = self._ids.other("part_")
        upload.parts[part_id] = path
        created = int(self._clock.now())
        return {"id": part_id, "object": "upload.part", "created_at": created, "upload_id": upload.id}


def join(upload: Upload, part_ids: Sequence[str], md5: str | None, target: Path) -> None:
    """Write the parts one after the other to ``target``. Raises ``ApiError`` 400; texts are assumed (A22)."""
    for part_id in part_ids:
        if part_id not in upload.parts:
            raise ApiError(400, f"No such part in this upload: '{part_id}'.", param="part_ids")
    paths = [upload.parts[part_id] for part_id in part_ids]
    size = sum(path.stat().st_size for path in paths)
    if size != upload.bytes:
        raise ApiError(400, f"The upload was announced with {upload.bytes} bytes, its parts have {size}.")
    digest = hashlib.md5(usedforsecurity=False)
    with target.open("wb") as out:
        for path in paths:
            with path.open("rb") as part:
                while block := part.read(_BLOCK):
                    digest.update(block)
                    out.write(block)
    if md5 is not None and md5 != digest.hexdigest():
        raise ApiError(400, "The md5 of the parts is not the one that was given.", param="md5")

"""As much of S3 as the functions use, on disk: the local cloud holds its objects in memory, and they are large here."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

from local.serving import running
from local.size.blobs import Blob, File

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from local.size.blobs import Body


@dataclass(slots=True)
class Upload:
    """A multipart upload under way."""

    bucket: str
    key: str
    metadata: Mapping[str, str]
    parts: dict[int, Blob] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818 - S3's answer
    """An error in S3's words."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Store:
    """Buckets of blobs; one version of each. A version id is the blob's tag, and only it is served."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        self.buckets: dict[str, dict[str, Blob]] = defaultdict(dict)
        self.uploads: dict[str, Upload] = {}
        self.modified = formatdate(usegmt=True)

    def get(self, bucket: str, key: str, version_id: str | None = None) -> Blob:
        found = self.buckets[bucket].get(key)
        if found is None or version_id not in (None, found.tag):
            raise Refused(404, "NoSuchVersion" if version_id else "NoSuchKey")
        return found

    def file(self, source: Body, size: int) -> File:
        """A body, on disk."""
        return File(self._folder, source, size)

    def put(self, bucket: str, key: str, blob: Blob, *, match: str | None = None, absent: bool = False) -> None:
        with self._lock:
            held = self.buckets[bucket].get(key)
            if (match is not None and (held is None or held.tag != match)) or (absent and held is not None):
                raise Refused(412, "PreconditionFailed")
            self.buckets[bucket][key] = blob

    def delete(self, bucket: str, key: str) -> None:
        with self._lock:
            self.buckets[bucket].pop(key, None)

    def listed(self, bucket: str, prefix: str, after: str, most: int) -> tuple[list[tuple[str, Blob]], bool]:
        """Objects by name, and whether there are more."""
        with self._lock:
            found = sorted((key, blob) for key, blob in self.buckets[bucket].items() if key.startswith(prefix))
        left = [one for one in found if one[0] > after]
        return left[:most], len(left) > most

    def start(self, bucket: str, key: str, metadata: Mapping[str, str]) -> str:
        upload_id = uuid.uuid4().hex
        self.uploads[upload_id] = Upload(bucket, key, metadata)
        return upload_id

    def upload(self, upload_id: str) -> Upload:
        if upload_id not in self.uploads:
            raise Refused(404, "NoSuchUpload")
        return self.uploads[upload_id]

    def whole(self, upload_id: str, chosen: list[tuple[int, str]]) -> Blob:
        """The object that the chosen parts make."""
        upload = self.upload(upload_id)
        parts = [upload.parts[number] for number, _ in chosen]
        if [part.tag for part in parts] != [tag for _, tag in chosen]:
            raise Refused(400, "InvalidPart")
        if any(part.size < 5 * 2**20 for part in parts[:-1]):
            raise Refused(400, "EntityTooSmall")
        segments = tuple(segment for part in parts for segment in part.segments)
        return Blob(segments, upload.metadata, f"{uuid.uuid4().hex}-{len(parts)}")

    @property
    def left(self) -> dict[str, list[str]]:
        """What lies in each bucket."""
        return {bucket: sorted(blobs) for bucket, blobs in self.buckets.items() if blobs}


class Server(ThreadingHTTPServer):
    """Serves one store on loopback."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, store: Store) -> None:
        from local.size.s3_http import Handler  # noqa: PLC0415 - it names this class

        super().__init__(("127.0.0.1", 0), Handler)
        self.store = store

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that has enough hangs up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def serving(folder: Path) -> AbstractContextManager[Server]:
    """A server for as long as the block runs."""
    return running(Server(Store(folder)))

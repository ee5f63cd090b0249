"""The uploads that are timed: ``uploading_child S3_URL OPENAI_URL PATH ROUNDS``. The object is the file at ``PATH``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from batchdrop.adapters.aws import BODIES
from batchdrop.adapters.openai_batches import OpenAIBatches
from batchdrop.adapters.openai_client import Client
from batchdrop.adapters.s3 import S3Objects
from batchdrop.core import limits
from batchdrop.core.model import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client
    from openai import OpenAI

_BUCKET, _KEY = "input", "upload.jsonl"
_NAME = "upload.jsonl"


class Key:
    """A key that is never refused."""

    def current(self) -> str:
        return "sk-local"

    def version(self) -> str:
        return "1"

    def renewed(self) -> bool:
        return False


class Body:
    """An S3 body with as much of a file around it as the SDK looks for: a length, by seeking to the end."""

    def __init__(self, client: S3Client, size: int) -> None:
        self._size = size
        self._at = 0
        self.read = client.get_object(Bucket=_BUCKET, Key=_KEY)["Body"].read

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = self._size if whence else offset
        return self._at

    def tell(self) -> int:
        return self._at


def main(s3_url: str, openai_url: str, path: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Wall and CPU seconds of each in every round."""
    s3 = boto3.client("s3", config=BODIES, endpoint_url=s3_url)
    objects, api, client = S3Objects(s3), OpenAIBatches(openai_url, Key()), Client(openai_url, Key().current).shared
    size = path.stat().st_size
    source = Source(bucket=_BUCKET, key=_KEY, first_byte=0, end_byte=size)

    def from_file() -> None:
        with path.open("rb") as file:
            _bare(client, file)

    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: api.upload(_NAME, objects.replayable(source)),
        "stream": lambda: _bare(client, Body(s3, size)),
        "file": from_file,
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name in sorted(runs, reverse=number % 2 == 0):
            wall, cpu = time.perf_counter(), time.process_time()
            runs[name]()
            found[name].append({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})
    # The first one, which imports and connects, is the slowest and never counts.
    return {name: taken[1:] for name, taken in found.items()}


def _bare(client: OpenAI, body: object) -> None:
    expiry = {"anchor": "created_at", "seconds": limits.UPLOAD_SECONDS_TO_LIVE}
    client.files.create(file=(_NAME, body), purpose="batch", expires_after=expiry)  # type: ignore[arg-type]


if __name__ == "__main__":
    _, s3_url, openai_url, path, rounds = sys.argv
    print(json.dumps(main(s3_url, openai_url, Path(path), int(rounds))))

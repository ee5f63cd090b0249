"""A byte range of an S3 object uploaded to OpenAI, against a bare copy of the same bytes through the same client.

The bare copy reads from S3 as a stream too: boto3's body goes into the SDK as it is, with no more around it than the
length that the SDK asks for. The same bytes from a file on this disk, with no S3 to read from, are shown beside it.

The servers take more of the time than what is measured does, and not the same each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.bench import children
from local.bench.figure import Figure, compared, tell
from local.bench.inputs import written
from local.size import blobs, s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET, KEY = "input", "upload.jsonl"
_LINE = 1_200


def figures(folder: Path, *, size: int = 60_000_000, rounds: int = 21) -> Iterator[Figure]:
    """Seconds, and CPU seconds of the uploading process."""
    path = written(folder / "upload.jsonl", size // _LINE, _LINE)
    with children.openai(folder) as openai, s3.serving(folder / "s3") as server:
        with path.open("rb") as file:
            blob = blobs.of(server.store.file(file, path.stat().st_size))
        server.store.put(BUCKET, KEY, blob)
        tell(f"uploading {blob.size / 1e6:.0f} MB, {rounds} rounds of three")
        taken = children.run("local.bench.uploading_child", server.url, f"{openai}/v1", path, rounds)
    for name, of, target in (("stream", "a bare streamed copy", 0.9), ("file", "a bare copy of a local file", None)):
        for what, unit, wanted in (("wall", "s", target), ("cpu", "s of CPU", None)):
            ours, bare = ([one[what] for one in taken[which]] for which in ("ours", name))
            title = f"upload vs {of}" + (", CPU" if what == "cpu" else "")
            yield compared(title, ours, bare, unit, target=wanted, bytes=blob.size, rounds=rounds)

"""What is measured for the plots: ``scaling_child planning|joining REQUESTS FOLDER``."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from batchdrop.core import limits, stream
from batchdrop.core.cut import Cut, Limits
from batchdrop.core.joining import Index, Joiner
from batchdrop.core.lines import windows
from batchdrop.core.planning import Cutter
from local.size.sources import Lines
from local.size.worker import peak

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WIDTH = 500
_CHUNK = limits.REQUESTS_PER_CHUNK
_ANSWER = (
    b'{"id": "batch_req_%010d", "custom_id": "r-%010d", "response": {"status_code": 200, "request_id": "req-%010d", '
    b'"body": {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5-mini", "choices": [{"index": 0, '
    b'"message": {"role": "assistant", "content": "' + b"x" * 400 + b'"}, "finish_reason": "stop"}], "usage": '
    b'{"prompt_tokens": 120, "completion_tokens": 160, "total_tokens": 280}}}, "error": null}\n'
)


class Watch:
    """CPU seconds of what is ours, chunk by chunk: what makes the input is left out."""

    def __init__(self) -> None:
        self._begun = time.process_time()
        self._outside = 0.0
        self.laps: list[float] = []

    def lap(self) -> None:
        """A chunk is done."""
        now = time.process_time()
        self.laps.append(now - self._begun - self._outside)
        self._begun, self._outside = now, 0.0

    def outside(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks, the time in which they are made not counted."""
        source = iter(blocks)
        while True:
            begun = time.process_time()
            block = next(source, None)
            self._outside += time.process_time() - begun
            if block is None:
                return
            yield block


def planning(count: int, _: Path, watch: Watch) -> int:
    """How many requests were planned."""
    found = 0
    for cut in _cuts(watch.outside(_made(Lines(count, _WIDTH)))):
        found += cut.requests
        watch.lap()
    return found


def _cuts(blocks: Iterable[bytes]) -> Iterator[Cut]:
    cutter = Cutter(Limits())
    for piece in windows(blocks):
        yield from cutter.feed(piece)
    yield from cutter.finish()


def joining(count: int, folder: Path, watch: Watch) -> int:
    """How many results were written in place."""
    lines, written = Lines(count, _WIDTH), 0
    with (folder / "gathered").open("w+b") as gathered, (folder / "results").open("wb") as results:
        for first in range(0, count, _CHUNK):
            end = min(count, first + _CHUNK)
            gathered.seek(0)
            gathered.truncate()
            index = Index()
            blocks = watch.outside(_answers(first, end))
            index.add(stream.lines(_copied(blocks, gathered.write)))
            gathered.flush()
            joiner = Joiner(index, lambda at, size: os.pread(gathered.fileno(), size, at), ("not_answered", ""))
            asked = watch.outside(_made(lines, first, end))
            results.seek(0)
            for block in stream.packed(row for row, _ in joiner.clean(stream.lines(asked), first + 1)):
                written += block.count(b"\n")
                results.write(block)
            if joiner.unanswered:
                raise AssertionError(f"{joiner.unanswered} requests have no answer")
            watch.lap()
    return written


def _made(lines: Lines, first: int = 0, end: int | None = None) -> Iterator[bytes]:
    at, stop = first * _WIDTH, (lines.count if end is None else end) * _WIDTH
    while at < stop:
        block = bytes(lines.read(at, min(stream.BLOCK, stop - at)))
        at += len(block)
        yield block


def _answers(first: int, end: int) -> Iterator[bytes]:
    """In no order: every seventh, and then the ones between."""
    order = [number for step in range(7) for number in range(first + 1 + step, end + 1, 7)]
    for start in range(0, len(order), 1_000):
        yield b"".join(_ANSWER % (number, number, number) for number in order[start : start + 1_000])


def _copied(blocks: Iterable[bytes], write: object) -> Iterator[bytes]:
    for block in blocks:
        write(block)  # type: ignore[operator]
        yield block


def main(work: str, count: int, folder: Path) -> dict[str, float]:
    """Seconds of the whole; of the fastest chunk in its second half; MB. Small sizes several times: the best counts."""
    run = {"planning": planning, "joining": joining}[work]
    runs = []
    for _ in range(max(1, min(20, 500_000 // count))):
        watch = Watch()
        if run(count, folder, watch) != count:
            raise AssertionError("not all requests came through")
        runs.append(watch.laps)
    late = min(min(laps[len(laps) // 2 :]) for laps in runs)
    return {"seconds": min(map(sum, runs)), "late": late, "peak": peak() * 2**20 / 1e6}


if __name__ == "__main__":
    _, work, count, folder = sys.argv
    print(json.dumps(main(work, int(count), Path(folder))))

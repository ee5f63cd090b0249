"""The planning pass over a file, against reading its lines and against parsing them.

Of a line of 3 kB, half of the time is the parser's, which walks over the text once to find the end of the object; an
eighth is the count of brackets (a line must not be deep before a parser sees it), as much is reading. Of 0.5 kB, the
parser takes two thirds. To read lines and do nothing else is beyond reach there: the parser alone takes three times as
long. A job with a cap on its cost is parsed once more, for how long each answer may get.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from batchdrop.core import stream
from batchdrop.core.cut import Limits
from batchdrop.core.lines import windows
from batchdrop.core.metering import Meter
from batchdrop.core.planning import Cutter, cuts
from local.bench.figure import Figure, compared, in_turns
from local.bench.inputs import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SIZES = {"3 kB": 3_000, "0.5 kB": 500}
_FILE_BYTES = 60_000_000
_ROUNDS = 7


def figures(folder: Path, *, size: int = _FILE_BYTES, rounds: int = _ROUNDS) -> Iterator[Figure]:
    """CPU seconds of one core."""
    for name, width in _SIZES.items():
        number = size // width
        path = written(folder / "plan.jsonl", number, width)
        if planned(_blocks(path)) != number:
            raise AssertionError("not all lines were planned")
        ours, capped, parsing, reading = in_turns(
            rounds,
            lambda path=path: planned(_blocks(path)),  # type: ignore[misc]
            lambda path=path: planned(_blocks(path), every_line=True),  # type: ignore[misc]
            lambda path=path: _parsed(path),  # type: ignore[misc]
            lambda path=path: _read(path),  # type: ignore[misc]
        )
        for of, baseline, target in (("json.loads loop", parsing, 3.0), ("bare line iteration", reading, 0.35)):
            title = f"planning, {name} lines, vs {of}"
            yield compared(title, ours, baseline, "s", target=target, line_bytes=width, lines=number, rounds=rounds)
        title = f"planning, {name} lines of a job with a cap, vs json.loads loop"
        yield compared(title, capped, parsing, "s", target=None, line_bytes=width, lines=number, rounds=rounds)


def planned(blocks: Iterable[bytes], *, every_line: bool = False) -> int:
    """How many requests the file has: judged, cut and metered as ``usecases.plan`` does it.

    ``every_line``: as for a job whose cost is capped.
    """
    meter = Meter(every_line=every_line)
    return sum(cut.requests for cut in cuts(windows(blocks), Cutter(Limits()), meter, lambda _: None))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        yield from stream.blocks(file.read)


def _parsed(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def _read(path: Path) -> None:
    with path.open("rb") as file:
        for _ in file:
            pass

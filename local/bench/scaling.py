"""Time and memory against the number of requests, of 0.5 kB each: straight and flat.

*Planning* judges a file that is made as it is read and cuts it into chunks and batches. *Joining* puts the answers, in
no order, back into the order of the requests, chunk by chunk, as the collector does. Each size is a process of its own;
what makes input and answers is on no curve. Table and network are not in it: they cost by the chunk, not by the line.
The time of a request is that of the fastest chunk in the second half of a file: a machine's pace changes from second to
second, and what grew with the file would show there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchdrop.core import limits
from local.bench import children, svg
from local.bench.figure import Figure, figure, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Sizes = tuple[int, ...]

SIZES = (1_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000)
_AGAINST = 100_000  #: two whole chunks: below it, what is not proportional shows
_CHUNK = limits.REQUESTS_PER_CHUNK
_WORK = ("planning", "joining")
_PLOTS: dict[str, tuple[str, str, bool]] = {
    "seconds": ("Time", "CPU seconds of one core", True),
    "peak": ("Memory", "MB resident at most", False),
}


def figures(folder: Path, *, sizes: Sizes = SIZES, against: int = _AGAINST) -> Iterator[Figure]:
    """What a request takes late in the largest file, against one of two chunks."""
    found = {work: {size: _taken(folder, work, size) for size in sizes} for work in _WORK}
    for what, drawing in _drawn(found).items():
        (folder / f"{what}.svg").write_text(drawing)
    most = max(sizes)
    for work, taken in found.items():
        each, usual = (taken[size]["late"] / min(size, _CHUNK) * 1e6 for size in (most, against))
        title = f"{work} {most:,} requests vs {against:,}"
        yield figure(
            f"{title}, time of a request", each, usual, "µs of CPU", target=1.25, sense="at most", ratio=each / usual
        )
        peak, before = taken[most]["peak"], taken[against]["peak"]
        yield figure(f"{title}, memory", peak, before, "MB", target=1.1, sense="at most", ratio=peak / before)


def _taken(folder: Path, work: str, size: int) -> dict[str, float]:
    tell(f"{work} {size:,} requests")
    found: dict[str, float] = children.run("local.bench.scaling_child", work, size, folder)
    return found


def _drawn(found: Mapping[str, Mapping[int, Mapping[str, float]]]) -> dict[str, str]:
    """The plots, by what they show."""
    return {
        what: svg.plot(
            title,
            "requests of 0.5 kB",
            unit,
            {work: [(size, one[what]) for size, one in taken.items()] for work, taken in found.items()},
            logarithmic=logarithmic,
        )
        for what, (title, unit, logarithmic) in _PLOTS.items()
    }

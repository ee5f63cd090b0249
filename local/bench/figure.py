"""One figure: what was measured, against what, and whether it is good enough."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Sense = Literal["at least", "at most"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """``value`` and ``baseline`` in ``unit``; ``ratio`` is what ``target`` is about."""

    name: str
    value: float
    baseline: float
    ratio: float
    target: float | None
    sense: Sense
    met: bool | None
    unit: str
    params: dict[str, str | int | float]
    parts: dict[str, float] = {}  #: what ``value`` is made of


def figure(
    name: str,
    value: float,
    baseline: float,
    unit: str,
    *,
    target: float | None,
    sense: Sense = "at least",
    ratio: float | None = None,
    **params: str | float,
) -> Figure:
    """``ratio``: baseline to value if it is not given, so that more is faster."""
    found = baseline / value if ratio is None else ratio
    met = None if target is None else (found >= target if sense == "at least" else found <= target)
    return Figure(
        name=name,
        value=_rounded(value),
        baseline=_rounded(baseline),
        ratio=_rounded(found),
        target=target,
        sense=sense,
        met=met,
        unit=unit,
        params=params,
    )


def best(rounds: int, *runs: Callable[[], object], clock: Callable[[], float] = time.process_time) -> list[float]:
    """The shortest of so many runs of each in seconds, in turns: what disturbs one disturbs the others."""
    found = [float("inf")] * len(runs)
    for _ in range(rounds):
        for number, run in enumerate(runs):
            start = clock()
            run()
            found[number] = min(found[number], clock() - start)
    return found


def tell(what: str) -> None:
    """Say on stderr what is under way: some parts take minutes."""
    print(f"  … {what}", file=sys.stderr, flush=True)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

"""One figure: what was measured, against what, and whether it is good enough."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def in_turns(rounds: int, *runs: Callable[[], object]) -> list[list[float]]:
    """CPU seconds of each run in every round, one run after the other, in changing order."""
    found: list[list[float]] = [[] for _ in runs]
    order = list(zip(found, runs, strict=True))
    for _ in range(rounds):
        for taken, run in order:
            start = time.process_time()
            run()
            taken.append(time.process_time() - start)
        order.reverse()
    return found


def compared(
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    unit: str,
    *,
    target: float | None,
    **params: str | float,
) -> Figure:
    """Of rounds: a ratio is that of two runs of one round, since what disturbs one disturbs the other; the median."""
    ratio = median(their / our for our, their in zip(ours, theirs, strict=True))
    return figure(name, median(ours), median(theirs), unit, target=target, sense="at least", ratio=ratio, **params)


def tell(what: str) -> None:
    """Say on stderr what is under way: some parts take minutes."""
    print(f"  … {what}", file=sys.stderr, flush=True)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

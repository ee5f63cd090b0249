"""How pytest runs the simulation: campaigns are spread over all workers, and their figures are shown at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

FIGURES, MISHAPS = "figures", "mishaps"
TITLES = ("runs", "calls", "faults", "virtual days")


class Spreading(LoadFileScheduling):  # type: ignore[misc]
    """A worker takes a whole file; of some it takes one test, since each is long and shares nothing."""

    ONE_BY_ONE = ("/simulation/", "/test_table_random.py", "/test_assemble.py")
    SHARING = ("/test_coverage.py", "/test_delays.py")

    def _split_scope(self, nodeid: str) -> str:
        is_alone = any(part in nodeid for part in self.ONE_BY_ONE) and not any(part in nodeid for part in self.SHARING)
        return nodeid if is_alone else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spreading | None:
    return Spreading(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A table of what the campaigns came to, by kind; and what went wrong in the random schedules."""
    total: dict[str, list[float]] = {}
    mishaps: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            told = dict(getattr(report, "user_properties", ())) if _is_call(report) else {}
            if FIGURES in told:
                _add(total, *told[FIGURES])
            mishaps.update(told.get(MISHAPS, {}))
    if not total:
        return
    terminalreporter.section("simulation")
    terminalreporter.line(_row("campaign", TITLES))
    for kind, figures in sorted(total.items()):
        terminalreporter.line(_row(kind, [f"{figure:,.0f}" for figure in figures]))
    terminalreporter.line(_row("all", [f"{sum(column):,.0f}" for column in zip(*total.values(), strict=True)]))
    for kind, times in mishaps.most_common():
        terminalreporter.line(f"{times:>14,}  {kind}")


def _is_call(report: Any) -> bool:
    return getattr(report, "when", None) == "call"


def _add(total: dict[str, list[float]], kind: str, figures: Iterable[float]) -> None:
    known = total.setdefault(kind, [0.0] * len(TITLES))
    total[kind] = [old + new for old, new in zip(known, figures, strict=True)]


def _row(name: str, columns: Iterable[str]) -> str:
    return f"{name:<28}" + "".join(f"{column:>14}" for column in columns)

"""``docs/performance.md``: every figure of a run, how it was measured, and the plots."""

from __future__ import annotations

import datetime as dt
import inspect
import os
import platform
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from local.bench.figure import Figure

_INTRO = """\
# Performance

Written by `make bench`, which measures each figure against a baseline of the same run, in turns, and fails where one is
missed. `make bench PARTS="planning join"` runs some parts and leaves this page as it is. The ratios of planning, join
and upload are those of two runs of one round, which what disturbs one disturbs too; the median of all rounds counts.

This run: {date}, {system}, {cores} cores, Python {python}.
"""


def write(parts: Mapping[str, tuple[ModuleType, Sequence[Figure]]], plots: Sequence[Path], docs: Path) -> None:
    """The page, and the plots beside it. ``parts``: modules, whose docstrings say how it is measured, by title."""
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for plot in plots:
        shutil.copy(plot, folder)
    text = _INTRO.format(
        date=dt.datetime.now(dt.UTC).date(),
        system=f"{platform.system()} on {platform.machine()}",
        cores=os.cpu_count(),
        python=platform.python_version(),
    )
    sections = ["\n".join(_section(title, module, figures)) for title, (module, figures) in parts.items()]
    drawn = "\n".join(f"![{plot.stem}](performance/{plot.name})\n" for plot in sorted(plots))
    (docs / "performance.md").write_text("\n".join([text, *sections, drawn]).rstrip() + "\n")


def _section(title: str, module: ModuleType, figures: Sequence[Figure]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{inspect.getdoc(module)}\n".replace("``", "`")
    yield "| | measured | baseline | ratio | to hold |"
    yield "| --- | --- | --- | --- | --- |"
    yield from map(_row, figures)
    yield ""
    for one in figures:
        if one.parts:
            yield f"{one.name[:1].upper()}{one.name[1:]}, {one.unit} by what is paid for:\n"
            yield "| | |\n| --- | --- |"
            yield from (f"| {name} | {value:.2g} |" for name, value in sorted(one.parts.items(), key=_by_value))
            yield ""


def _row(one: Figure) -> str:
    held = "" if one.target is None else f"{one.sense} {one.target:g}{'' if one.met else ', **missed**'}"
    baseline = f"{one.baseline:g} {one.unit}" if one.baseline else ""
    ratio = f"{one.ratio:g}" if one.baseline else ""
    return f"| {one.name} | {one.value:g} {one.unit} | {baseline} | {ratio} | {held} |"


def _by_value(part: tuple[str, float]) -> float:
    return -part[1]

"""Line plots as plain SVG, legible on light and on dark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 56, 56
_COLOURS = (("#0969da", "#58a6ff"), ("#bc4c00", "#f0883e"), ("#1a7f37", "#3fb950"))
_STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}"
    ".title{font-size:15px;font-weight:600}.tick{font-size:12px;fill:#59636e}"
    ".grid{stroke:#d1d9e0;stroke-width:1}.axis{stroke:#59636e;stroke-width:1}"
)
_HOLLOW = "polyline{fill:none!important;stroke-width:2}"
_DARK = "text{fill:#f0f6fc}.tick{fill:#9198a1}.grid{stroke:#3d444d}.axis{stroke:#9198a1}"


@dataclass(frozen=True)
class Scale:
    """Where a number lies between two ends, by its logarithm or by itself."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(one) if self.logarithmic else one for one in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            first, last = round(math.log10(self.low)), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        step = _step(self.high - self.low)
        return [self.low + step * number for number in range(int((self.high - self.low) / step + 1e-9) + 1)]


def plot(title: str, across: str, up: str, series: Mapping[str, Points], *, logarithmic: bool) -> str:
    """Values of a few series over sizes, which are spread by their logarithm; ``logarithmic``: the values too."""
    sizes = [x for points in series.values() for x, _ in points]
    values = [y for points in series.values() for _, y in points]
    low, high = (_power(min(values), math.floor), _power(max(values), math.ceil)) if logarithmic else (0, 0)
    horizontal = Scale(min(sizes), max(sizes), _LEFT, _WIDTH - _RIGHT, logarithmic=True)
    top = high or math.ceil(max(values) * 1.15 / _step(max(values))) * _step(max(values))
    vertical = Scale(low, top, _HEIGHT - _BOTTOM, _TOP, logarithmic)
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    colours = "".join(f".s{number}{{stroke:{light};fill:{light}}}" for number, (light, _) in enumerate(_COLOURS))
    dark = "".join(f".s{number}{{stroke:{night};fill:{night}}}" for number, (_, night) in enumerate(_COLOURS))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}{colours}{_HOLLOW}@media(prefers-color-scheme:dark){{{_DARK}{dark}}}</style>",
            _text(_LEFT, 22, title, "title"),
            *_grid(horizontal, vertical),
            _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, across, anchor="middle"),
            f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
            *_lines(series, horizontal, vertical),
            "</svg>\n",
        ]
    )


def _grid(horizontal: Scale, vertical: Scale) -> list[str]:
    drawn = []
    for value in vertical.ticks():
        y = vertical(value)
        drawn.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(_text(_LEFT - 8, y + 4, _short(value), "tick", "end"))
    for value in [*horizontal.ticks(), horizontal.high]:
        x = horizontal(value)
        drawn.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{vertical.start}" y2="{vertical.start + 5}"/>')
        drawn.append(_text(x, vertical.start + 20, _short(value), "tick", "middle"))
    base = vertical.start
    return [*drawn, f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>']


def _lines(series: Mapping[str, Points], horizontal: Scale, vertical: Scale) -> list[str]:
    drawn = []
    for number, (name, points) in enumerate(series.items()):
        placed = [(horizontal(x), vertical(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        drawn.append(f'<polyline class="s{number}" points="{path}"/>')
        drawn += [f'<circle class="s{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in placed]
        x = _LEFT + 110 * number
        drawn.append(f'<circle class="s{number}" cx="{x + 4}" cy="40" r="4"/>')
        drawn.append(_text(x + 14, 44, name))
    return drawn


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _step(span: float) -> float:
    """A round number that divides the span into four to ten."""
    power = 10.0 ** math.floor(math.log10(span))
    return next(power * share for share in (0.1, 0.2, 0.5, 1.0, 2.0) if span / (power * share) <= 7)  # noqa: PLR2004


def _power(value: float, to: object) -> float:
    return 10.0 ** to(math.log10(value))  # type: ignore[operator,no-any-return]


def _short(value: float) -> str:
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"

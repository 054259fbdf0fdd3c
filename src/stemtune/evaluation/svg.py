"""Drawings as text: the few shapes that charts in a page need, with colours left to the page.

    pixel = offset + length (value - low) / (high - low)

A shape has a class instead of a colour, so that one style sheet serves light and dark; its words are text, so that
they can be searched and read aloud.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Drawing", "Scale", "nice_range", "nice_ticks"]


@dataclass(frozen=True)
class Scale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The pixel of a value; what lies outside is put at the edge."""
        inside = min(max(value, self.low), self.high)
        return self.start + (self.stop - self.start) * (inside - self.low) / (self.high - self.low)


class Drawing:
    """An SVG that grows; coordinates are pixels at its natural size."""

    def __init__(self, width: float, height: float, *, title: str, description: str = "") -> None:
        self._size = width, height
        self._parts = [f"<title>{escape(title)}</title>", f"<desc>{escape(description)}</desc>" if description else ""]

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """A straight line."""
        self._parts.append(f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def box(self, x: float, y: float, width: float, height: float, style: str, *, radius: float = 0.0) -> None:
        """A rectangle."""
        self._parts.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
            f'rx="{radius:g}"/>'
        )

    def dot(self, x: float, y: float, radius: float, style: str, *, title: str = "") -> None:
        """A circle; its title appears under the pointer."""
        inner = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{inner}</circle>')

    def shape(self, points: Sequence[tuple[float, float]], style: str, *, title: str = "") -> None:
        """A filled polygon; its title appears under the pointer."""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        inner = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(f'<polygon class="{style}" points="{corners}">{inner}</polygon>')

    def path(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Straight lines from point to point."""
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline class="{style}" points="{steps}"/>')

    def text(self, x: float, y: float, words: str, style: str, *, anchor: str = "start") -> None:
        """Words whose base line begins, is centred or ends there."""
        self._parts.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def render(self) -> str:
        """The drawing, which fills the width that it is given."""
        width, height = self._size
        body = "\n".join(part for part in self._parts if part)
        return f'<svg class="chart" role="img" viewBox="0 0 {width:g} {height:g}">\n{body}\n</svg>'


def nice_range(values: Sequence[float], *, include: Sequence[float] = ()) -> tuple[float, float]:
    """A range that holds all finite values with a little room; never empty."""
    finite = [value for value in (*values, *include) if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    room = max(0.04 * (high - low), 0.25)
    return low - room, high + room


def nice_ticks(low: float, high: float, *, count: int = 6) -> list[float]:
    """About so many round numbers between two values."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]

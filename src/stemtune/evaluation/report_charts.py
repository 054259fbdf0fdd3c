"""The charts of a page: every track's score as a box plot, paired differences, learning curves.

    box = quartiles,  line = median,  whiskers = furthest track within 1.5 box lengths,  dot = one track

Boxes summarise; with fewer than five tracks there is nothing to summarise, and only dots and their median are drawn.
One track far from all others would squeeze the rest: what lies outside of the fences (twice the middle half of all
values, on either side of it) is drawn at the edge, as a triangle.

References:
    The arrangement, one panel for each stem and one row for each system, follows the box plots in appendix B of
    Defossez et al., 2019, which the signal separation evaluation campaign introduced.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stemtune.evaluation.comparison import MetricComparison
from stemtune.evaluation.statistics import PairedComparison
from stemtune.evaluation.svg import Drawing, Scale, nice_range, nice_ticks
from stemtune.evaluation.systems import MIXTURE_SYSTEM
from stemtune.evaluation.table import ALL_STEMS

__all__ = ["Curve", "colours_of", "draw_boxes", "draw_curves", "draw_differences"]

WIDTH = 1060.0
_ROW, _TOP, _BOTTOM = 30.0, 34.0, 40.0
_FEW = 5
_GREY = 7  # the last of the page's colours
_MANY = 120  # more dots hide each other


@dataclass(frozen=True)
class Curve:
    """A line of a chart."""

    name: str
    points: tuple[tuple[float, float], ...]
    colour: int
    is_faint: bool = False


def colours_of(systems: Sequence[str]) -> dict[str, int]:
    """A colour for every system; grey for the mixture, wherever it stands."""
    coloured = [name for name in systems if name != MIXTURE_SYSTEM]
    return {name: coloured.index(name) % _GREY if name in coloured else _GREY for name in systems}


def draw_boxes(metric: MetricComparison, systems: Sequence[str]) -> str:
    """Every track's score: one panel for each stem, one row for each system."""
    stems, colours = list(metric.scores), colours_of(systems)
    low, high = _range_of_most(
        [value for stem in metric.scores.values() for own in stem.values() for value in own.values()]
    )
    labels = 22 + 7.4 * max(len(_short(name)) for name in systems)
    columns = min(len(stems), 4 if labels < 160 else 3)
    gap, panel = 22.0, (WIDTH - labels - 22.0 * columns) / columns
    block = _TOP + _ROW * len(systems) + _BOTTOM
    drawing = Drawing(
        WIDTH,
        block * math.ceil(len(stems) / columns),
        title=f"{metric.metric} of every track, by stem and system",
        description="The same numbers are in the table of all tracks below.",
    )
    for number, stem in enumerate(stems):
        row, column = divmod(number, columns)
        top, left = row * block, labels + column * (panel + gap)
        scale = Scale(low, high, left, left + panel)
        drawing.text(left, top + 20, stem, "strong")
        _axis(drawing, scale, top + _TOP, top + _TOP + _ROW * len(systems), unit="dB")
        for index, system in enumerate(systems):
            middle = top + _TOP + _ROW * (index + 0.5)
            if column == 0:
                drawing.text(labels - 10, middle + 4, _short(system), "label", anchor="end")
            _one_box(drawing, scale, middle, metric.scores[stem][system], colours[system])
    return drawing.render()


def draw_differences(
    pairs: Sequence[PairedComparison],
    scores: Mapping[str, Mapping[str, Mapping[str, float]]],
    systems: Sequence[str],
) -> str:
    """Track by track, how much better one system is than another: dots, their median, the interval of their mean.

    Args:
        pairs: those that are to be shown, one row each.
        scores: ``scores[stem][system][track]``.
        systems: all, in order, for the colours.
    """
    dots, colours = [_differences(pair, scores) for pair in pairs], colours_of(systems)
    bounds = [bound for p in pairs if (i := p.mean_difference) for bound in (i.low, i.high)]
    low, high = _range_of_most([value for own in dots for value in own.values()] + bounds, include=[0.0])
    names = [f"{_short(pair.better)} – {_short(pair.worse)}" for pair in pairs]
    labels = 100 + 7.4 * max((len(name) for name in names), default=0)
    drawing = Drawing(
        WIDTH,
        _TOP + _ROW * len(pairs) + _BOTTOM,
        title="Differences between systems, track by track",
        description="The same numbers are in the table below.",
    )
    scale = Scale(low, high, labels + 10, WIDTH - 14)
    bottom = _TOP + _ROW * len(pairs)
    _axis(drawing, scale, _TOP, bottom, unit="dB better")
    for row, (pair, own, name) in enumerate(zip(pairs, dots, names, strict=True)):
        middle = _TOP + _ROW * (row + 0.5)
        if row == 0 or pairs[row - 1].group != pair.group:
            drawing.text(8.0, middle + 4, "all stems" if pair.group == ALL_STEMS else pair.group, "strong")
            if row:
                drawing.line(0.0, middle - _ROW / 2, WIDTH, middle - _ROW / 2, "rule")
        drawing.text(labels, middle + 4, name, "label", anchor="end")
        colour = f"c{colours[pair.better]}"
        for index, (track, value) in enumerate(own.items()):
            _dot(drawing, scale, value, middle + _jitter(index), f"dot {colour}", f"{track}: {value:+.2f} dB")
        if pair.mean_difference:
            drawing.line(scale(pair.mean_difference.low), middle, scale(pair.mean_difference.high), middle, "whisker")
            drawing.box(scale(pair.mean_difference.value) - 3.5, middle - 3.5, 7.0, 7.0, f"mark {colour}")
        if math.isfinite(pair.median_difference):
            x = scale(pair.median_difference)
            drawing.line(x, middle - 9, x, middle + 9, "median")
    return drawing.render()


def draw_curves(curves: Sequence[Curve], *, title: str, unit: str, across_unit: str = "training steps") -> str:
    """Lines over training steps, or over whatever else."""
    height, left = 300.0, 58.0
    steps = [x for curve in curves for x, _ in curve.points]
    low, high = nice_range([y for curve in curves for _, y in curve.points])
    across = Scale(0.0, max([*steps, 1.0]), left, WIDTH - 150)
    down = Scale(low, high, height - 42.0, 14.0)
    drawing = Drawing(WIDTH, height, title=title)
    for tick in nice_ticks(low, high, count=5):
        drawing.line(left, down(tick), WIDTH - 150, down(tick), "grid")
        drawing.text(left - 8, down(tick) + 4, f"{tick:g}", "tick", anchor="end")
    for tick in nice_ticks(0.0, across.high, count=8):
        drawing.text(across(tick), height - 24, f"{tick:g}", "tick", anchor="middle")
    drawing.text(left - 8, height - 8, unit, "tick", anchor="start")
    drawing.text(WIDTH - 150, height - 8, across_unit, "tick", anchor="end")
    taken: list[float] = []
    for curve in curves:
        style = f"curve l{curve.colour}{' faint' if curve.is_faint else ''}"
        drawing.path([(across(x), down(y)) for x, y in curve.points], style)
        if not curve.is_faint and curve.points:
            x, y = curve.points[-1]
            place = down(y) + 4
            while any(abs(place - other) < 14 for other in taken):
                place += 14
            taken.append(place)
            drawing.text(across(x) + 8, place, f"{_short(curve.name)} {y:.1f}", f"label t{curve.colour}")
    return drawing.render()


def _one_box(drawing: Drawing, scale: Scale, middle: float, scores: Mapping[str, float], colour: int) -> None:
    finite = {track: value for track, value in scores.items() if math.isfinite(value)}
    if not finite:
        return
    values = np.array(sorted(finite.values()))
    first, median, third = (float(value) for value in np.percentile(values, [25, 50, 75]))
    if len(values) >= _FEW:
        inside = values[(values >= first - 1.5 * (third - first)) & (values <= third + 1.5 * (third - first))]
        drawing.line(scale(float(inside[0])), middle, scale(float(inside[-1])), middle, "whisker")
        drawing.box(scale(first), middle - 9, scale(third) - scale(first), 18.0, f"box b{colour}", radius=2.0)
    if len(values) <= _MANY:
        for index, (track, value) in enumerate(finite.items()):
            _dot(drawing, scale, value, middle + _jitter(index), f"dot c{colour}", f"{track}: {value:.2f} dB")
    drawing.line(scale(median), middle - 10, scale(median), middle + 10, "median")


def _dot(drawing: Drawing, scale: Scale, value: float, y: float, style: str, title: str) -> None:
    """A dot; a triangle that points outwards, if the value lies outside of the scale."""
    if scale.low <= value <= scale.high:
        drawing.dot(scale(value), y, 3.0, style, title=title)
    else:
        tip = -5.0 if value < scale.low else 5.0
        x = scale(value)
        drawing.shape([(x, y - 4), (x + tip, y), (x, y + 4)], f"{style} outside", title=title)


def _range_of_most(values: Sequence[float], *, include: Sequence[float] = ()) -> tuple[float, float]:
    """Of all values between the fences."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        first, third = (float(value) for value in np.percentile(finite, [25, 75]))
        reach = max(2 * (third - first), 1.0)
        finite = [value for value in finite if first - reach <= value <= third + reach] or finite
    return nice_range(finite, include=include)


def _axis(drawing: Drawing, scale: Scale, top: float, bottom: float, *, unit: str) -> None:
    count = max(3, int((scale.stop - scale.start) / 42))
    ticks = nice_ticks(scale.low, scale.high, count=count)
    for tick in ticks:
        drawing.line(scale(tick), top, scale(tick), bottom, "zero" if tick == 0 else "grid")
        drawing.text(scale(tick), bottom + 16, f"{tick:g}", "tick", anchor="middle")
    drawing.text(scale.stop, bottom + 32, unit, "tick", anchor="end")


def _differences(pair: PairedComparison, scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Finite ones only, by track; none of the means over stems, whose dots would repeat the others."""
    of_stem = scores.get(pair.group)
    if of_stem is None:
        return {}
    better, worse = of_stem[pair.better], of_stem[pair.worse]
    found = {track: better[track] - worse[track] for track in better}
    return {track: value for track, value in found.items() if math.isfinite(value)}


def _jitter(index: int) -> float:
    """A little up or down, the same every time, so that dots do not hide each other."""
    return 6.0 * (((index * 0.618034 + 0.5) % 1) - 0.5)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"…{name[-23:]}"

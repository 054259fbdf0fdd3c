"""The box plots of the paper's appendix B: each ratio of BSSEval, stem by stem, with and without remixed songs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

__all__ = ["Boxes", "draw_boxes"]

Boxes = Mapping[str, Mapping[tuple[str, str], Sequence[float]]]
"""``values[ratio][condition, stem]``: medians over frames, one for each song and seed."""

_COLOURS = ("#8a8a8a", "#0072b2")


def draw_boxes(path: Path, values: Boxes, *, conditions: Sequence[str], stems: Sequence[str]) -> None:
    """One panel for each ratio; boxes are quartiles, whiskers reach 1.5 times as far, and dots lie beyond."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.ravel(figure.subplots(2, 2))
    width = 0.8 / len(conditions)
    for axes, (ratio, boxes) in zip(panels, values.items(), strict=True):
        for number, (condition, colour) in enumerate(zip(conditions, _COLOURS, strict=False)):
            places = [place for place, stem in enumerate(stems) if boxes.get((condition, stem))]
            if not places:
                continue
            drawn = axes.boxplot(
                [list(boxes[condition, stems[place]]) for place in places],
                positions=[place + (number - (len(conditions) - 1) / 2) * width for place in places],
                widths=0.85 * width,
                patch_artist=True,
                medianprops={"color": "black"},
                flierprops={"marker": ".", "markersize": 4},
            )
            for box in drawn["boxes"]:
                box.set(facecolor=colour, alpha=0.6)
        axes.set_xticks(range(len(stems)), list(stems))
        axes.set_title(ratio.upper(), fontsize=10)
        axes.set_ylabel("dB")
        axes.grid(axis="y", linewidth=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for condition, colour in zip(conditions, _COLOURS, strict=False):
        panels[0].plot([], [], "s", color=colour, alpha=0.6, label=condition)
    panels[0].legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)

"""Figures 4 to 6 of the study: scores of the stems, confusion of clusters with stems, and maps of the latents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stemtune.recipes.hung2022.examination import METRICS
from stemtune.recipes.hung2022.latents import Clusters
from stemtune.recipes.hung2022.scales import STEMS

__all__ = ["Panel", "draw_confusions", "draw_places", "draw_scores"]

_COLOURS = ("#8a8a8a", "#0072b2", "#e69f00", "#009e73")
_OF_STEMS = {"vocals": "#3b78c9", "drums": "#d1495b", "bass": "#3a9d5d", "other": "#e0a526"}  # as in the paper


@dataclass(frozen=True)
class Panel:
    """The latents of one method: its clusters, and the places of some frames with their stems."""

    title: str
    clusters: Clusters
    places: Sequence[tuple[str, float, float]]


def draw_scores(means: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Figure 4: for each metric, the stems side by side, one bar for each method."""
    figure, panels = _figure(9.0, 3.0, columns=len(METRICS))
    width = 0.8 / max(1, len(means))
    for axes, metric in zip(panels, METRICS, strict=True):
        for number, (method, values) in enumerate(means.items()):
            heights = [values[f"{metric}_{stem}"] for stem in STEMS]
            places = np.arange(len(STEMS)) + (number - (len(means) - 1) / 2) * width
            axes.bar(places, heights, 0.92 * width, color=_COLOURS[number % len(_COLOURS)], label=method)
        axes.set_xticks(range(len(STEMS)), list(STEMS))
        axes.axhline(0, color="black", linewidth=0.6)
        axes.set_title(f"{metric.upper()}, dB", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(means), frameon=False, fontsize=9)
    _save(figure, path)


def draw_confusions(panels: Sequence[Panel], path: Path) -> None:
    """Figure 5: colours logarithmic, numbers in percent of the stem's frames."""
    figure, grid = _figure(2.5 * max(1, len(panels)) + 0.5, 3.5, columns=max(1, len(panels)))
    for axes, panel in zip(grid, panels, strict=False):
        counts = np.array(panel.clusters.confusion)
        axes.imshow(np.log10(1 + counts), cmap="Blues", vmin=0)
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        dark = np.log10(1 + counts) > 0.75 * np.log10(1 + counts.max())
        for row, column in np.ndindex(counts.shape):
            ink = "white" if dark[row, column] else "#23262d"
            axes.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", color=ink, fontsize=8)
        names = panel.clusters.labels
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names if axes is grid[0] else [""] * len(names), fontsize=8)
        axes.tick_params(length=0)
        axes.set_title(f"{panel.title}: {panel.clusters.accuracy:.0%}", fontsize=10)
    _save(figure, path)


def draw_places(panels: Sequence[Panel], path: Path) -> None:
    """Figure 6: frames of the first test song; only who is near whom has a meaning."""
    figure, grid = _figure(2.4 * max(1, len(panels)), 2.8, columns=max(1, len(panels)))
    for axes, panel in zip(grid, panels, strict=False):
        for stem, colour in _OF_STEMS.items():
            here = np.array([(x, y) for label, x, y in panel.places if label == stem])
            if len(here):
                axes.scatter(here[:, 0], here[:, 1], s=4, color=colour, alpha=0.7, linewidths=0, label=stem)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(panel.title, fontsize=10)
    handles, labels = grid[-1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9, markerscale=3)
    _save(figure, path)


def _figure(width: float, height: float, *, columns: int) -> tuple[Any, list[Any]]:
    """A figure without a screen, and its axes."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(width, height), layout="constrained")
    axes: Any = figure.subplots(1, columns)
    return figure, [axes] if columns == 1 else list(axes)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)

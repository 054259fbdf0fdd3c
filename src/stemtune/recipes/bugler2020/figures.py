"""Figures 1 to 3 of the study, from whatever cells are done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stemtune.recipes.bugler2020.corpora import AUGMENTATIONS, TASKS
from stemtune.recipes.bugler2020.evidence import Condition, Evidence, compare
from stemtune.recipes.reproduce.results import mean_curve

__all__ = ["draw_augmentations", "draw_curves", "draw_pretraining"]

_GREY, _COLOURS = "#8a8a8a", ("#0072b2", "#e69f00", "#009e73", "#cc79a7")


def draw_pretraining(evidence: Evidence, corpora: Sequence[str], path: Path) -> None:
    """Figure 1: whole models without augmentation beside the baseline; dots are seeds, a star is p < .001."""
    figure, axes = _figure(7.2, 3.6)
    width = 0.8 / (len(corpora) + 1)
    named: set[str] = set()
    for place, task in enumerate(TASKS):
        baseline = evidence.condition("scratch", task)
        bars = [("scratch", baseline, _GREY)] + [
            (corpus, evidence.condition("whole", task, f"{corpus}-none"), colour)
            for corpus, colour in zip(corpora, _COLOURS, strict=False)
        ]
        for number, (label, condition, colour) in enumerate(bars):
            if condition is None:
                continue
            x = place + (number - (len(bars) - 1) / 2) * width
            axes.bar(x, condition.mean, 0.9 * width, color=colour, label=None if label in named else label)
            named.add(label)
            axes.plot([x] * len(condition.seeds), condition.seed_means, "k.", markersize=4)
            comparison = compare(condition, baseline) if label != "scratch" else None
            if comparison and comparison.is_better:
                top = max(*condition.seed_means, condition.mean, 0.0)
                axes.annotate("*", (x, top), ha="center", va="bottom", fontsize=14)
    axes.set_xticks(range(len(TASKS)), list(TASKS))
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel("mean si_sdr, dB")
    axes.margins(y=0.12)
    axes.legend(
        title="pre-trained on", frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0)
    )
    _save(figure, path)


def draw_augmentations(evidence: Evidence, corpora: Sequence[str], path: Path) -> None:
    """Figure 2: what augmentation during pre-training adds to whole models, for each task and corpus."""
    figure, axes = _figure(7.2, 3.6)
    names = AUGMENTATIONS[1:]
    everything: list[float] = []
    for place, augmentation in enumerate(names):
        values: list[float] = []
        for task, marker in zip(TASKS, "os^", strict=True):
            for corpus, colour in zip(corpora, _COLOURS, strict=False):
                treated = evidence.condition("whole", task, f"{corpus}-{augmentation}", only_first=True)
                comparison = compare(treated, evidence.condition("whole", task, f"{corpus}-none", only_first=True))
                if comparison is None:
                    continue
                values.append(comparison.gain)
                offset = 0.08 * (len(values) - 5)
                is_sure = comparison.is_better or comparison.is_worse
                axes.plot(
                    place + offset, comparison.gain, marker, color=colour, fillstyle="full" if is_sure else "none"
                )
        if values:
            axes.hlines(float(np.median(values)), place - 0.4, place + 0.4, color="black", linewidth=1)
        everything += values
    for corpus, colour in zip(corpora, _COLOURS, strict=False):
        axes.plot([], [], "s", color=colour, label=corpus)
    for task, marker in zip(TASKS, "os^", strict=True):
        axes.plot([], [], marker, color="black", fillstyle="none", label=task)
    axes.set_xticks(range(len(names)), list(names))
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel("gain over no augmentation, dB")
    axes.legend(frameon=False, fontsize=8, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _save(figure, path)


def draw_curves(evidence: Evidence, corpora: Sequence[str], path: Path) -> None:
    """Figure 3, for every task: score on test excerpts against the steps on the task's own data."""
    figure, panels = _figure(9.6, 3.2, columns=len(TASKS))
    for axes, task in zip(panels, TASKS, strict=True):
        _curve(axes, evidence.condition("scratch", task), "scratch", _GREY)
        for corpus, colour in zip(corpora, _COLOURS, strict=False):
            _curve(axes, evidence.condition("whole", task, f"{corpus}-none"), corpus, colour)
        axes.set_title(task, fontsize=10)
        axes.set_xlabel("steps on the task")
        if axes.lines:
            axes.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("si_sdr, dB")
    _save(figure, path)


def _curve(axes: Any, condition: Condition | None, label: str, colour: str) -> None:
    """The mean over seeds, and each seed thinly."""
    if condition is None:
        return
    for curve in condition.curves:
        steps = [point.step - condition.steps_before for point in curve]
        axes.plot(steps, [point.score for point in curve], color=colour, linewidth=0.6, alpha=0.5)
    mean = mean_curve(condition.curves)
    steps = [point.step - condition.steps_before for point in mean]
    axes.plot(steps, [point.score for point in mean], color=colour, linewidth=1.8, label=label)


def _figure(width: float, height: float, *, columns: int = 1) -> tuple[Any, Any]:
    """A figure without a screen, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes: Any = figure.subplots(1, columns)
    for panel in np.atleast_1d(axes):
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)

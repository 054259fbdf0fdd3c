"""The study's report: Tables 1 and 2, Figure 2, codebooks, and masks against decoders, from whatever cells are done.

gain of transfer = score of (i) - score of (ii) or (iii), seed by seed, each the mean over the test songs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError
from stemtune.recipes.reproduce.results import mean_curve, read_curve, read_record, read_scores
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Scores, Study
from stemtune.recipes.zai2022.baselines import read_baselines
from stemtune.recipes.zai2022.examination import SCORED
from stemtune.recipes.zai2022.grid import EXPERIMENTS, PRETRAIN, VARIANTS

__all__ = ["COLLAPSED_PERPLEXITY", "write_report"]

COLLAPSED_PERPLEXITY = 2.0
"""A codebook whose codes are less varied than two equally frequent ones says nothing."""

_PAPER: Mapping[str, Mapping[str, float]] = {
    "i": {"drums": 4.925, "bass": 4.073, "other": 2.695, "vocals": 5.060},
    "ii": {"drums": -0.002, "bass": -0.087, "other": -0.026, "vocals": 0.00},
    "iii": {"drums": 1.06, "bass": -1.072, "other": 0.79, "vocals": 0.33},
}
_PAPER_SYSTEMS: Mapping[str, Mapping[str, float]] = {
    "Demucs (paper)": {"drums": 6.509, "bass": 6.470, "other": 4.018, "vocals": 6.496},
    "(i) (paper)": _PAPER["i"],
    "Wave-U-Net (paper)": {"drums": 4.22, "bass": 3.21, "other": 2.25, "vocals": 3.25},
    "scaled mixture (paper)": {"drums": 0.578, "bass": 0.745, "other": 1.136, "vocals": 1.090},
}
_MEANING = {
    "i": "(i) from music, fine-tuned",
    "ii": "(ii) from scratch",
    "iii": "(iii) from music, as it is",
    "i-from-stem": "(i), encoder from the stem's own",
    "i-from-music": "(i), encoder from music's",
    "i-lmix": "(i), largest errors twice",
}
_COLOURS = {"i": "#0072b2", "ii": "#8a8a8a", "iii": "#e69f00"}


@dataclass(frozen=True)
class _Done:
    """A finished cell: ``PHASE/STEM/KIND/seed-S``."""

    phase: str
    stem: str
    kind: str
    seed: str
    scores: Scores
    folder: Path

    def mean(self, column: str) -> float:
        """Over songs; NaN if no song has it."""
        place = self.scores.columns.index(column)
        values = [value for _, row in self.scores.rows if (value := row[place]) is not None]
        return fmean(values) if values else float("nan")


def write_report(study: Study, places: Places) -> Path:
    """Write ``report.md`` and its figure into the results folder.

    Raises:
        InputError: if no cell is done.
    """
    names = [cell.name for cell in study.cells if read_record(places.result(cell.name)) is not None]
    if not names:
        raise InputError(f"{places.results}: no cell is done yet; run `stemtune reproduce {study.name}` first")
    records = [read_record(places.result(name)) for name in names]
    hours = sum(record.minutes for record in records if record) / 60
    done = [
        _Done(*name.split("/"), scores=read_scores(places.result(name)), folder=places.result(name))
        for name in names
        if name != PRETRAIN
    ]
    stems = tuple(dict.fromkeys(cell.name.split("/")[1] for cell in study.cells if "/" in cell.name))
    _draw_curves(done, stems, places.results / "figure-2.png")
    sections = (
        f"# {study.name} at the scale {study.scale}\n",
        f"{len(names)} of {len(study.cells)} cells are done; they took {hours:.1f} hours of wall clock. Scores are "
        "`sdr_global` in dB (the MDX definition, mean over test songs), of mono mixtures unless it is said otherwise; "
        "silence scores 0.\n",
        _table_1(done, stems),
        _gains(done, stems),
        _table_2(done, stems, places),
        "## Figure 2: score against step of phase 2\n\n![Figure 2](figure-2.png)\n",
        _auto_encoders(done, stems, places),
        _masks(done, stems),
    )
    path = places.results / "report.md"
    write_text_atomically(path, "\n".join(sections))
    return path


def _table_1(done: Sequence[_Done], stems: Sequence[str]) -> str:
    lines = [
        "## Table 1: what the auto-encoder starts from\n",
        f"| | seeds | {' | '.join(stems)} | mean | {' | '.join(f'{stem} (paper)' for stem in stems)} |",
        "|---" * (3 + 2 * len(stems)) + "|",
    ]
    for kind in (*EXPERIMENTS, *VARIANTS):
        found = {stem: _values(done, "mixture", stem, kind, "mono") for stem in stems}
        if not any(found.values()):
            continue
        means = [fmean(values) for values in found.values() if values]
        paper = " | ".join(_number(_PAPER.get(kind, {}).get(stem)) for stem in stems)
        seeds = max(len(values) for values in found.values())
        average = _number(fmean(means)) if len(means) == len(stems) else ""
        lines.append(
            f"| {_MEANING[kind]} | {seeds} | {' | '.join(_spread(values) for values in found.values())} | "
            f"{average} | {paper} |"
        )
    return "\n".join([*lines, "\nMean and, of several seeds, the lowest and the highest.\n"])


def _gains(done: Sequence[_Done], stems: Sequence[str]) -> str:
    lines = ["## What transfer gains, seed by seed\n"]
    for other in ("ii", "iii"):
        for stem in stems:
            pairs = [
                (ours.seed, ours.mean("mono") - theirs.mean("mono"))
                for ours in _found(done, "mixture", stem, "i")
                for theirs in _found(done, "mixture", stem, other)
                if ours.seed == theirs.seed
            ]
            if pairs:
                told = ", ".join(f"{gain:+.2f} ({seed})" for seed, gain in pairs)
                lines.append(f"- {stem}, (i) over ({other}): {told} dB")
    return "\n".join([*lines, ""])


def _table_2(done: Sequence[_Done], stems: Sequence[str], places: Places) -> str:
    lines = ["## Table 2: beside other ways\n", f"| | {' | '.join(stems)} |", "|---" * (1 + len(stems)) + "|"]
    systems: dict[str, Mapping[str, float]] = {}
    for kind, label in (("mono", "(i), decoded"), ("mono_refined", "(i), mask")):
        found = {stem: values for stem in stems if (values := _values(done, "mixture", stem, "i", kind))}
        if found:
            systems[label] = {stem: fmean(values) for stem, values in found.items()}
    for label, values in (systems | read_baselines(places.results) | dict(_PAPER_SYSTEMS)).items():
        lines.append(f"| {label} | {' | '.join(_number(values.get(stem)) for stem in stems)} |")
    return "\n".join([*lines, "\nThe paper's are of MUSDB18-HQ's test songs, the others of ours.\n"])


def _auto_encoders(done: Sequence[_Done], stems: Sequence[str], places: Places) -> str:
    """How well stems survive their codes, and how much of the codebooks is used."""
    lines = [
        "## Auto-encoders: the stem itself, written down and played again\n",
        "| stem | | seeds | score | codes used, % | perplexity |",
        "|---|---|---|---|---|---|",
    ]
    collapsed: list[str] = []
    if read_record(places.result(PRETRAIN)) is not None:
        music = read_scores(places.result(PRETRAIN))
        for stem in stems:
            known = _Done("codec", stem, "iii", "seed-0", music, places.result(PRETRAIN))
            lines.append(_codec_row(stem, "iii", [known]))
            collapsed += [f"{PRETRAIN} ({stem})"] if known.mean(f"{stem}_perplexity") < COLLAPSED_PERPLEXITY else []
    for stem in stems:
        for kind in ("i", "ii"):
            found = _found(done, "codec", stem, kind)
            if found:
                lines.append(_codec_row(stem, kind, found))
            collapsed += [
                f"{stem}/{kind}/{item.seed}" for item in found if item.mean(f"{stem}_perplexity") < COLLAPSED_PERPLEXITY
            ]
    told = f"**Collapsed: {', '.join(collapsed)}.**" if collapsed else "No codebook has collapsed."
    return "\n".join([*lines, f"\n{told} (That is, a perplexity below {COLLAPSED_PERPLEXITY:g}.)\n"])


def _codec_row(stem: str, kind: str, found: Sequence[_Done]) -> str:
    score, used, perplexity = (
        fmean(item.mean(column) for item in found) for column in (stem, f"{stem}_used", f"{stem}_perplexity")
    )
    return f"| {stem} | {_MEANING[kind]} | {len(found)} | {score:.2f} | {used:.0f} | {perplexity:.0f} |"


def _masks(done: Sequence[_Done], stems: Sequence[str]) -> str:
    lines = [
        "## The plain decoder against a mask from what it decoded\n",
        "| stem | | seeds | mono | mono, mask | stereo | stereo, mask | codes used, % | perplexity |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for stem in stems:
        for kind in EXPERIMENTS:
            found = _found(done, "mixture", stem, kind)
            if found:
                columns = (*SCORED, "used", "perplexity")
                values = " | ".join(f"{fmean(item.mean(column) for item in found):.2f}" for column in columns)
                lines.append(f"| {stem} | {_MEANING[kind]} | {len(found)} | {values} |")
    return "\n".join([*lines, ""])


def _draw_curves(done: Sequence[_Done], stems: Sequence[str], path: Path) -> None:
    """Figure 2: thin lines are seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(stems), 3.2), layout="constrained")
    panels: Any = figure.subplots(1, len(stems), squeeze=False, sharey=True)
    for axes, stem in zip(panels[0], stems, strict=True):
        for kind in EXPERIMENTS:
            curves = [curve for item in _found(done, "mixture", stem, kind) if (curve := read_curve(item.folder))]
            for curve in curves:
                axes.plot(
                    [p.step for p in curve], [p.score for p in curve], color=_COLOURS[kind], linewidth=0.6, alpha=0.5
                )
            if mean := mean_curve(curves):
                axes.plot(
                    [p.step for p in mean],
                    [p.score for p in mean],
                    ".-",
                    color=_COLOURS[kind],
                    linewidth=1.8,
                    label=_MEANING[kind],
                )
        axes.axhline(0, color="black", linewidth=0.6)
        axes.set_title(stem, fontsize=10)
        axes.set_xlabel("step")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("sdr_global of two songs, dB")
    handles, labels = panels[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, frameon=False, fontsize=8, ncols=3, loc="outside upper center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _found(done: Sequence[_Done], phase: str, stem: str, kind: str) -> list[_Done]:
    return [item for item in done if (item.phase, item.stem, item.kind) == (phase, stem, kind)]


def _values(done: Sequence[_Done], phase: str, stem: str, kind: str, column: str) -> list[float]:
    return [item.mean(column) for item in _found(done, phase, stem, kind)]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    told = f"{fmean(values):.2f}"
    return f"{told} ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else told


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

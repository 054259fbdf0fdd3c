"""The study's report: Figures 1 to 3, Table 2, and an answer to each of its questions, from whatever cells are done.

    H1 pre-trained > scratch?   H2 augmented > not?   R1 which corpus?   R2 mask head alone against the whole model?

All tests are Wilcoxon's signed-rank test, one-sided, on the same excerpts, with the paper's threshold of .001.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stemtune.data.files import write_text_atomically
from stemtune.errors import InputError
from stemtune.recipes.bugler2020.corpora import AUGMENTATIONS, TASKS
from stemtune.recipes.bugler2020.evidence import Comparison, Evidence, compare, steps_to_reach
from stemtune.recipes.bugler2020.figures import draw_augmentations, draw_curves, draw_pretraining
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Study

__all__ = ["write_report"]


def write_report(study: Study, places: Places) -> Path:
    """Write ``report.md`` and its figures into the results folder.

    Raises:
        InputError: if no cell is done.
    """
    evidence = Evidence(study, places)
    if not evidence.num_done:
        raise InputError(f"{places.results}: no cell is done yet; run `stemtune reproduce {study.name}` first")
    corpora = _corpora(study)
    draw_pretraining(evidence, corpora, places.results / "figure-1.png")
    draw_augmentations(evidence, corpora, places.results / "figure-2.png")
    draw_curves(evidence, corpora, places.results / "figure-3.png")
    sections = (
        f"# {study.name} at the scale {study.scale}\n",
        f"{evidence.num_done} of {evidence.num_cells} cells are done; they took {evidence.minutes / 60:.1f} hours of "
        "wall clock. Scores are `si_sdr` in dB, means over excerpts and over the stems that sound in them; p-values "
        "are of the one-sided Wilcoxon signed-rank test on excerpts.\n",
        _pretraining(evidence, corpora),
        _augmentations(evidence, corpora),
        _masks(evidence, corpora),
    )
    path = places.results / "report.md"
    write_text_atomically(path, "\n".join(sections))
    return path


def _corpora(study: Study) -> tuple[str, ...]:
    """In the order of the study."""
    names = (cell.name.split("/")[1].rpartition("-")[0] for cell in study.cells if cell.name.startswith("pretrain/"))
    return tuple(dict.fromkeys(names))


def _pretraining(evidence: Evidence, corpora: Sequence[str]) -> str:
    lines = [
        "## H1 and R1: pre-trained against from scratch\n",
        "![Figure 1](figure-1.png)\n",
        "| task | pre-trained on | seeds | score | gain | of each seed | p (better) | p (worse) | steps to its score |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        baseline = evidence.condition("scratch", task)
        if baseline is None:
            continue
        lines.append(f"| {task} | (scratch) | {len(baseline.seeds)} | {baseline.mean:.2f} | | | | | {baseline.steps} |")
        level = float(np.mean([curve[-1].score for curve in baseline.curves]))
        for corpus in corpora:
            condition = evidence.condition("whole", task, f"{corpus}-none")
            comparison = compare(condition, baseline)
            if condition is None or comparison is None:
                continue
            steps = steps_to_reach(condition.curves, level, steps_before=condition.steps_before)
            lines.append(
                f"| {task} | {corpus} | {len(condition.seeds)} | {condition.mean:.2f} | {_gain(comparison)} | "
                f"{_signed(comparison.seed_gains)} | {comparison.p_better:.1e} | {comparison.p_worse:.1e} | "
                f"{'not reached' if steps is None else f'{steps:.0f}'} |"
            )
    return "\n".join([*lines, "\n![Figure 3](figure-3.png)\n"])


def _augmentations(evidence: Evidence, corpora: Sequence[str]) -> str:
    lines = [
        "## H2: augmentation while pre-training (whole models, first seed, gain over none)\n",
        "![Figure 2](figure-2.png)\n",
        "| augmentation | " + " | ".join(f"{task}, {corpus}" for task in TASKS for corpus in corpora) + " | median |",
        "|---" * (2 + len(TASKS) * len(corpora)) + "|",
    ]
    for augmentation in AUGMENTATIONS[1:]:
        cells: list[str] = []
        gains: list[float] = []
        for task in TASKS:
            for corpus in corpora:
                treated = evidence.condition("whole", task, f"{corpus}-{augmentation}", only_first=True)
                comparison = compare(treated, evidence.condition("whole", task, f"{corpus}-none", only_first=True))
                cells.append(_gain(comparison) if comparison else "")
                gains += [comparison.gain] if comparison else []
        if gains:
            lines.append(f"| {augmentation} | {' | '.join(cells)} | {np.median(gains):+.2f} |")
    return "\n".join([*lines, ""])


def _masks(evidence: Evidence, corpora: Sequence[str]) -> str:
    lines = [
        "## R2: Table 2, the mask model minus the whole model (first seed)\n",
        f"| augmentation | pre-trained on | {' | '.join(TASKS)} |",
        "|---" * (2 + len(TASKS)) + "|",
    ]
    for augmentation in AUGMENTATIONS:
        for corpus in corpora:
            start = f"{corpus}-{augmentation}"
            comparisons = [
                compare(
                    evidence.condition("mask", task, start, only_first=True),
                    evidence.condition("whole", task, start, only_first=True),
                )
                for task in TASKS
            ]
            if any(comparisons):
                row = " | ".join(_gain(comparison) if comparison else "" for comparison in comparisons)
                lines.append(f"| {augmentation} | {corpus} | {row} |")
    return "\n".join([*lines, "\n**Bold**: better with p < .001; _italic_: worse with p < .001.\n"])


def _gain(comparison: Comparison) -> str:
    """In bold if it is surely a gain, in italics if it is surely a loss."""
    mark = "**" if comparison.is_better else "_" if comparison.is_worse else ""
    return f"{mark}{comparison.gain:+.2f}{mark}"


def _signed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:+.2f}" for value in values)

"""What the finished cells say: scores of each condition, excerpt by excerpt, and comparisons between them.

An excerpt's score is the mean ``si_sdr`` of the stems that sound in it; the score of a condition is the mean over its
seeds, excerpt by excerpt, so that each test is one of a thousand pairs whatever the number of seeds.

    gain(excerpt) = mean over seeds of treatment(excerpt) - mean over seeds of control(excerpt).

Excerpts of one song are not independent of each other, so these p-values, like the paper's, say how sure it is that
other excerpts of the same songs would give the same answer, and less about other songs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stemtune.evaluation.statistics import wilcoxon_signed_rank
from stemtune.recipes.reproduce.results import CurvePoint, read_curve, read_record, read_scores
from stemtune.recipes.reproduce.running import Places
from stemtune.recipes.reproduce.study import Study

__all__ = ["Comparison", "Condition", "Evidence", "compare", "steps_to_reach"]

THRESHOLD = 1e-3


@dataclass(frozen=True)
class Condition:
    """All seeds of one kind of model on one task.

    Attributes:
        seeds: those whose cells are done.
        scores: ``seed excerpt``, in dB.
        curves: of each seed.
        steps: of the last phase; curves count from ``steps_before``.
        steps_before: of the pre-training.
    """

    seeds: tuple[int, ...]
    scores: NDArray[np.float64]
    curves: tuple[tuple[CurvePoint, ...], ...]
    steps: int
    steps_before: int

    @cached_property
    def excerpts(self) -> NDArray[np.float64]:
        """The mean over seeds of each excerpt."""
        return self.scores.mean(axis=0)

    @property
    def mean(self) -> float:
        """Over excerpts and seeds."""
        return float(np.nanmean(self.excerpts))

    @property
    def seed_means(self) -> tuple[float, ...]:
        """Of each seed."""
        return tuple(float(value) for value in np.nanmean(self.scores, axis=1))


@dataclass(frozen=True)
class Comparison:
    """A treatment against a control on the same excerpts.

    Attributes:
        gain: mean difference, in dB.
        p_better: one-sided, that the treatment is no better.
        p_worse: one-sided, that the treatment is no worse.
        seed_gains: differences of the means of each seed that both have.
    """

    gain: float
    p_better: float
    p_worse: float
    seed_gains: tuple[float, ...]

    @property
    def is_better(self) -> bool:
        """Whether the treatment is better at the paper's threshold."""
        return self.p_better < THRESHOLD

    @property
    def is_worse(self) -> bool:
        """Whether the treatment is worse at the paper's threshold."""
        return self.p_worse < THRESHOLD


class Evidence:
    """Reads the finished cells of a study."""

    def __init__(self, study: Study, places: Places) -> None:
        self._places = places
        self._done = [cell for cell in study.cells if read_record(places.result(cell.name)) is not None]
        self.num_cells, self.num_done = len(study.cells), len(self._done)

    @property
    def minutes(self) -> float:
        """That the finished cells took."""
        records = [read_record(self._places.result(cell.name)) for cell in self._done]
        return sum(record.minutes for record in records if record)

    def condition(self, *parts: str, only_first: bool = False) -> Condition | None:
        """The cells ``PART/.../seed-*``; None if none of them is done.

        Args:
            parts: of the name, without the seed.
            only_first: whether to leave out all but the first seed, for comparisons with what has one seed only.
        """
        prefix = "/".join(parts) + "/seed-"
        cells = [cell for cell in self._done if cell.name.startswith(prefix)][: 1 if only_first else None]
        if not cells:
            return None
        folders = [self._places.result(cell.name) for cell in cells]
        values = [[_mean(row) for _, row in read_scores(folder).rows] for folder in folders]
        return Condition(
            seeds=tuple(cell.experiment.seed for cell in cells),
            scores=np.array(values, dtype=np.float64),
            curves=tuple(read_curve(folder) for folder in folders),
            steps=cells[0].steps,
            steps_before=cells[0].steps_before,
        )


def compare(treatment: Condition | None, control: Condition | None) -> Comparison | None:
    """Both, excerpt by excerpt; None if either is missing."""
    if treatment is None or control is None:
        return None
    pairs = np.stack((treatment.excerpts, control.excerpts))
    ours, theirs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    shared = [seed for seed in treatment.seeds if seed in control.seeds]
    by_seed = [dict(zip(side.seeds, side.seed_means, strict=True)) for side in (treatment, control)]
    return Comparison(
        gain=float((ours - theirs).mean()),
        p_better=wilcoxon_signed_rank(treatment=ours.tolist(), control=theirs.tolist()).p_value,
        p_worse=wilcoxon_signed_rank(treatment=theirs.tolist(), control=ours.tolist()).p_value,
        seed_gains=tuple(by_seed[0][seed] - by_seed[1][seed] for seed in shared),
    )


def steps_to_reach(curves: Sequence[Sequence[CurvePoint]], level: float, *, steps_before: int) -> float | None:
    """Mean over seeds of the steps of the last phase after which the curve first reaches a level.

    None if a seed never does.
    """
    reached: list[int] = []
    for curve in curves:
        step = next((point.step for point in curve if point.score >= level), None)
        if step is None:
            return None
        reached.append(step - steps_before)
    return sum(reached) / len(reached) if reached else None


def _mean(row: Sequence[float | None]) -> float:
    """Of the stems that sound; not a number if none does."""
    values = [value for value in row if value is not None]
    return sum(values) / len(values) if values else float("nan")

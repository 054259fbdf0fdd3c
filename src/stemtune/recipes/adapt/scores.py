"""Honest scores: every piece is answered by a model that never heard it, stopped by a rule that never saw it.

Each fold's training is looked at now and then, on what it holds out. How long a fold's model learns is decided by the
curves of the *other* folds, so that no score profits from having been chosen; the final model learns as long as all
curves together say:

    steps(fold) = argmax over looks of  mean over the other folds of curve(look),    steps(final) = argmax of the mean.

What more recordings would be worth is asked of the pieces themselves: each is scored by models that learnt from all,
half and perhaps a quarter of what there is, and the slope over doublings is averaged, with a bootstrap interval.

References: Stone, "Cross-validatory choice and assessment of statistical predictions", 1974.
Deviations: a straight line over doublings instead of a power law, which two or three sizes cannot tell apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stemtune.data.tracks import Track
from stemtune.evaluation.model_systems import LoadedSystem
from stemtune.evaluation.statistics import Interval, bootstrap_interval
from stemtune.evaluation.systems import HeardBlocks, System
from stemtune.evaluation.table import Evaluation

__all__ = [
    "Curve",
    "FoldedSystem",
    "Growth",
    "RenamedSystem",
    "choose_steps",
    "differences",
    "growth_of",
    "interval_of",
]

_FEWEST_UNITS = 4

Curve = Mapping[int, float]
"""The mean score of a fold's held-out pieces, by the steps that were done."""


@dataclass(frozen=True)
class FoldedSystem:
    """The models of all folds as one: each piece is heard by the model that did not learn from it."""

    name: str
    models: Mapping[str, LoadedSystem]

    def check(self, tracks: Sequence[Track]) -> None:
        """Every track must be held out somewhere."""
        for track in tracks:
            self.models[track.name].check([track])

    def stems(self, track: Track) -> tuple[str, ...]:
        """Always the same."""
        return self.models[track.name].stems(track)

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """None."""
        return self.models[track.name].notes(track, stems)

    def state(self, track: Track) -> str:
        """Of the fold's model."""
        return self.models[track.name].state(track)

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """The fold's model."""
        return self.models[track.name].listen(track, stems)


@dataclass(frozen=True)
class RenamedSystem:
    """A model whose stems go by other names: what it makes of the stems that are most like them."""

    system: System
    name: str
    origins: Mapping[str, str]

    def check(self, tracks: Sequence[Track]) -> None:
        """As the model."""
        self.system.check(tracks)

    def stems(self, track: Track) -> tuple[str, ...]:
        """The new names."""
        del track
        return tuple(self.origins)

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """None."""
        del track, stems
        return ()

    def state(self, track: Track) -> str:
        """Of the model, and the names."""
        return f"{self.system.state(track)} {sorted(self.origins.items())}"

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """The model's answers."""
        return self.system.listen(track, [self.origins[stem] for stem in stems])


@dataclass(frozen=True)
class Growth:
    """What more recordings are worth.

    Attributes:
        minutes: of the sizes that were tried, the largest first.
        means: the mean score at each, over the same pieces.
        per_doubling: mean gain of a doubling, in dB, with its interval; None where that cannot be told.
        why_not: why it cannot be told.
    """

    minutes: tuple[float, ...]
    means: tuple[float, ...]
    per_doubling: Interval | None
    why_not: str = ""


def choose_steps(curves: Sequence[Curve], *, without: int | None = None) -> int:
    """The best number of steps by the mean of the curves; a fold that stopped early keeps its last score.

    Args:
        curves: of all folds.
        without: the fold that must have no say.
    """
    counted = [curve for number, curve in enumerate(curves) if number != without] or list(curves)
    first = max(min(curve) for curve in counted)
    looks = sorted({step for curve in counted for step in curve if step >= first})

    def mean(step: int) -> float:
        return sum(curve[max(s for s in curve if s <= step)] for curve in counted) / len(counted)

    return max(looks, key=lambda step: (mean(step), -step))


def means_by_unit(evaluation: Evaluation, *, metric: str, stems: Sequence[str] | None = None) -> dict[str, float]:
    """The mean score over stems of each piece."""
    units: dict[str, list[float]] = {}
    for row in evaluation.rows:
        if row.metric == metric and math.isfinite(row.value) and (stems is None or row.stem in stems):
            units.setdefault(row.track, []).append(row.value)
    return {unit: sum(values) / len(values) for unit, values in units.items()}


def differences(better: Evaluation, worse: Evaluation, *, metric: str, stem: str | None = None) -> list[float]:
    """By how much one system beats another, piece by piece; of one stem, or of the mean over the stems of both."""
    stems = [stem] if stem else [name for name in better.stems if name in worse.stems]
    first, second = (means_by_unit(one, metric=metric, stems=stems) for one in (better, worse))
    return [first[unit] - second[unit] for unit in first if unit in second]


def interval_of(values: Sequence[float]) -> Interval | None:
    """The mean with its bootstrap interval; None for fewer than two values."""
    return bootstrap_interval(values) if len(values) > 1 else None


def growth_of(sizes: Sequence[tuple[float, Evaluation]], *, metric: str) -> Growth:
    """What a doubling of the recordings gave, by the pieces that were scored at every size.

    Args:
        sizes: minutes of what was learnt from, and the scores, the largest first.
        metric: which scores.
    """
    minutes = tuple(size for size, _ in sizes)
    tables = [means_by_unit(evaluation, metric=metric) for _, evaluation in sizes]
    units = [unit for unit in tables[0] if all(unit in table for table in tables)]
    means = tuple(sum(table[unit] for unit in units) / max(len(units), 1) for table in tables)
    if len(sizes) < 2:
        return Growth(minutes, means, None, "there is too little to leave half of it out")
    if len(units) < _FEWEST_UNITS:
        return Growth(
            minutes, means, None, f"only {len(units)} pieces could be scored; at least {_FEWEST_UNITS} are needed"
        )
    doublings = np.log2(np.asarray(minutes))
    slopes = [float(np.polyfit(doublings, [table[unit] for table in tables], 1)[0]) for unit in units]
    return Growth(minutes, means, bootstrap_interval(slopes))

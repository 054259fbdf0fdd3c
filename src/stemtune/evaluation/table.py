"""What an evaluation found: one row per track, stem and metric, and their means.

    mean(stem, metric) = sum over tracks of value / number of tracks,

over the tracks that have the stem; the mean over stems is that of the stems' means, so that a stem which few tracks
have counts as much as the others. The mixture's own score stands beside every value, since a number without its
lower bound says little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stemtune.evaluation.metrics import METRICS

__all__ = ["ALL_STEMS", "Evaluation", "MeanScore", "TrackScore"]

ALL_STEMS = "(mean)"  # no stem is called so: names of stems are names of files


@dataclass(frozen=True)
class TrackScore:
    """One number of one stem of one track, in dB, and what the unprocessed mixture scores there.

    Both may be infinite, and are NaN where a metric is not defined.
    """

    track: str
    stem: str
    metric: str
    value: float
    mixture_baseline: float


@dataclass(frozen=True)
class MeanScore:
    """The mean over tracks of one stem; over stems if ``stem`` is `ALL_STEMS`.

    A NaN or an infinity of one track is not hidden: it is the mean's, too.
    """

    stem: str
    metric: str
    value: float
    mixture_baseline: float
    num_tracks: int

    @property
    def improvement(self) -> float:
        """By how many dB it beats doing nothing."""
        return self.value - self.mixture_baseline


@dataclass(frozen=True)
class Evaluation:
    """All scores of a model, or of a folder of estimates, on a data set.

    Attributes:
        subject: what was evaluated.
        rows: in the order of tracks, stems and metrics.
        notes: what a reader of the numbers must know, such as which tracks lack which stem.
    """

    subject: str
    rows: tuple[TrackScore, ...]
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, in order."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    @property
    def stems(self) -> tuple[str, ...]:
        """The names of the stems, in order."""
        return tuple(dict.fromkeys(row.stem for row in self.rows))

    @property
    def tracks(self) -> tuple[str, ...]:
        """The names of the tracks, in order."""
        return tuple(dict.fromkeys(row.track for row in self.rows))

    def definitions(self) -> dict[str, str]:
        """What each metric's name means, in a sentence."""
        return {name: METRICS[name].definition for name in self.metrics}

    def means(self) -> tuple[MeanScore, ...]:
        """Over tracks for each metric and stem; then over stems, if there are several."""
        means: list[MeanScore] = []
        for metric in self.metrics:
            rows = [row for row in self.rows if row.metric == metric]
            of_stems = [
                _mean(stem, [row for row in rows if row.stem == stem])
                for stem in dict.fromkeys(row.stem for row in rows)
            ]
            means += of_stems
            if len(of_stems) > 1:
                means.append(
                    MeanScore(
                        stem=ALL_STEMS,
                        metric=metric,
                        value=_average([mean.value for mean in of_stems]),
                        mixture_baseline=_average([mean.mixture_baseline for mean in of_stems]),
                        num_tracks=len({row.track for row in rows}),
                    )
                )
        return tuple(means)


def _mean(stem: str, rows: Sequence[TrackScore]) -> MeanScore:
    return MeanScore(
        stem=stem,
        metric=rows[0].metric,
        value=_average([row.value for row in rows]),
        mixture_baseline=_average([row.mixture_baseline for row in rows]),
        num_tracks=len(rows),
    )


def _average(values: Sequence[float]) -> float:
    """The exact mean of finite values; inf and -inf together make NaN rather than an error."""
    if all(math.isfinite(value) for value in values):
        return math.fsum(values) / len(values)
    return sum(values) / len(values)

"""What an evaluation found: one row per track, stem and metric, the frames behind them, and what they come to.

    score(metric, stem) = rule over tracks ( value of the track ),

over the tracks that have the stem, by the metric's own rule or another that is named (`stemtune.evaluation.measures`).
The row ``(mean)`` is the mean of the stems' scores, so that a stem which few tracks have counts as much as the others;
the row ``(all)``, where the rule is a median, is that of all stems and tracks in one. The mixture's own score stands
beside every value, since a number without its lower bound says little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stemtune.evaluation.measures import RULES, Rule, RuleName, column

__all__ = ["ALL_STEMS", "POOLED", "Evaluation", "FrameScores", "MeanScore", "SecondEnergies", "TrackScore"]

ALL_STEMS = "(mean)"  # no stem is called so: names of stems are names of files
POOLED = "(all)"


@dataclass(frozen=True)
class TrackScore:
    """One number of one stem of one track, in dB, and what the unprocessed mixture scores there.

    Both may be infinite, and are NaN where a metric is not defined; the baseline is NaN if it was not asked for.
    """

    track: str
    stem: str
    metric: str
    value: float
    mixture_baseline: float


@dataclass(frozen=True)
class FrameScores:
    """The numbers of one stem of one track, frame by frame; NaN where the metric is not defined."""

    track: str
    stem: str
    metric: str
    values: tuple[float, ...]
    window_seconds: float
    hop_seconds: float


@dataclass(frozen=True)
class SecondEnergies:
    """How loud a stem and the estimate's error are in each second of a track; the last one may be shorter.

    Sums of these give the energy ratio of any excerpt, which is how passages to listen to are found.
    """

    track: str
    stem: str
    reference: tuple[float, ...]
    error: tuple[float, ...]

    def ratio_db(self, start: int, stop: int) -> float:
        """10 log10 of the reference's energy over the error's between two seconds; NaN if both are silent."""
        reference, error = math.fsum(self.reference[start:stop]), math.fsum(self.error[start:stop])
        if not error:
            return math.inf if reference else math.nan
        return 10 * math.log10(reference / error) if reference else -math.inf


@dataclass(frozen=True)
class MeanScore:
    """What the tracks' scores of one stem come to; of all stems if ``stem`` is `ALL_STEMS` or `POOLED`.

    Where the rule is a mean, a NaN or an infinity of one track is not hidden: it is the mean's, too.

    Attributes:
        num_tracks: that have a score, with the rule ``museval``; that have the stem, with ``mdx``.
    """

    stem: str
    metric: str
    value: float
    mixture_baseline: float
    num_tracks: int
    rule: RuleName = "mdx"

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
        frames: of the metrics that have them.
        energies: of every stem and track that was scored here.
        durations: of the tracks, in seconds, by name.
    """

    subject: str
    rows: tuple[TrackScore, ...]
    notes: tuple[str, ...] = ()
    frames: tuple[FrameScores, ...] = ()
    energies: tuple[SecondEnergies, ...] = ()
    durations: tuple[tuple[str, float], ...] = ()

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
        return {name: column(name).definition for name in self.metrics}

    def rules(self, rule: RuleName | None = None) -> dict[str, str]:
        """How each metric's scores were aggregated, by which rule, in words."""
        named = {name: RULES[rule or column(name).rule] for name in self.metrics}
        return {name: f"{chosen.definition} (rule {chosen.name})" for name, chosen in named.items()}

    def means(self, rule: RuleName | None = None) -> tuple[MeanScore, ...]:
        """Over tracks for each metric and stem; then over stems, if there are several.

        Args:
            rule: by which to aggregate; each metric's own if None.
        """
        means: list[MeanScore] = []
        for metric in self.metrics:
            chosen = RULES[rule or column(metric).rule]
            rows = [row for row in self.rows if row.metric == metric]
            stems = list(dict.fromkeys(row.stem for row in rows))
            of_stems = [_aggregate(stem, [row for row in rows if row.stem == stem], chosen) for stem in stems]
            means += of_stems
            if len(of_stems) > 1:
                means.append(_over_stems(of_stems, len({row.track for row in rows}), chosen))
                if chosen.name == "museval":
                    means.append(_aggregate(POOLED, rows, chosen))
        return tuple(means)


def _aggregate(stem: str, rows: Sequence[TrackScore], rule: Rule) -> MeanScore:
    scored = [row for row in rows if not (rule.skips_undefined and math.isnan(row.value))]
    baselines = [row.mixture_baseline for row in rows]
    if rule.skips_undefined:
        baselines = [value for value in baselines if not math.isnan(value)]
    return MeanScore(
        stem=stem,
        metric=rows[0].metric,
        value=rule.over_tracks([row.value for row in scored]),
        mixture_baseline=rule.over_tracks(baselines),
        num_tracks=len({row.track for row in scored}),
        rule=rule.name,
    )


def _over_stems(of_stems: Sequence[MeanScore], num_tracks: int, rule: Rule) -> MeanScore:
    mean = RULES["mdx"].over_tracks
    if rule.name == "defined":
        of_stems = [score for score in of_stems if score.num_tracks] or of_stems
    return MeanScore(
        stem=ALL_STEMS,
        metric=of_stems[0].metric,
        value=mean([score.value for score in of_stems]),
        mixture_baseline=mean([score.mixture_baseline for score in of_stems]),
        num_tracks=num_tracks,
        rule=rule.name,
    )

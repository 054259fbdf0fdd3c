"""Several systems on the same tracks: what each scores, and who is better than whom.

    compared(metric, stem) = tracks on which every system has a score for the stem

Only these count, for every system alike, so that no system profits from a track that it was spared; what was left out
is noted. The group ``(mean)`` compares each track's mean over its stems.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from stemtune.errors import InputError
from stemtune.evaluation.measures import RULES, RuleName, column
from stemtune.evaluation.statistics import Interval, PairedComparison, Statistic, bootstrap_interval, compare_systems
from stemtune.evaluation.table import ALL_STEMS, POOLED, Evaluation

__all__ = ["Comparison", "MetricComparison", "Summary", "compare"]


@dataclass(frozen=True)
class Summary:
    """What one system's tracks come to, for one metric and one group of scores (a stem, or all of them).

    Attributes:
        value: by the rule; of `ALL_STEMS` the mean of the stems' values.
        interval: how far it might lie elsewhere on other songs like these; None where there are too few, or a score is
            infinite.
    """

    system: str
    group: str
    value: float
    interval: Interval | None
    num_tracks: int


@dataclass(frozen=True)
class MetricComparison:
    """Everything about one metric.

    Attributes:
        scores: ``scores[stem][system][track]``, of the tracks that all systems share.
        summaries: by group and system.
        pairs: every system but the bounds against every other, in both directions; none if there are fewer than two
            tracks.
    """

    metric: str
    definition: str
    rule: RuleName
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    summaries: Mapping[tuple[str, str], Summary]
    pairs: tuple[PairedComparison, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The stems, and what follows them in tables."""
        return tuple(dict.fromkeys(group for group, _ in self.summaries))


@dataclass(frozen=True)
class Comparison:
    """Systems side by side.

    Attributes:
        systems: their names, in the order in which they were given.
        stems: that all of them have.
        tracks: that all of them were scored on, with their durations in seconds.
        metrics: one entry for each metric that all of them have.
        notes: what was left out, and what the evaluations themselves note.
    """

    systems: tuple[str, ...]
    stems: tuple[str, ...]
    tracks: Mapping[str, float]
    metrics: tuple[MetricComparison, ...]
    notes: tuple[str, ...]


def compare(
    evaluations: Mapping[str, Evaluation],
    *,
    bounds: Collection[str] = (),
    rule: RuleName | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Put evaluations side by side.

    Args:
        evaluations: by the names under which systems go.
        bounds: those of them that know the truth. Whether they are better is no question, and asking it would make
            every other answer less sure.
        rule: by which tracks are aggregated; each metric's own if None.
        confidence: of the intervals.
        seed: of their resampling.

    Raises:
        InputError: if they have no metric, stem or track in common.
    """
    systems = tuple(evaluations)
    metrics = _common([evaluation.metrics for evaluation in evaluations.values()], "metric", evaluations)
    stems = _common([evaluation.stems for evaluation in evaluations.values()], "stem", evaluations)
    tracks = _common([evaluation.tracks for evaluation in evaluations.values()], "track", evaluations)
    notes = _left_out(evaluations, stems, tracks)
    compared: list[MetricComparison] = []
    for metric in metrics:
        if column(metric).lower_is_better:
            notes += (
                f"{metric} is not compared: it is an energy, of which less is better only where all else is equal",
            )
            continue
        scores, dropped = _shared_scores(evaluations, metric, stems, tracks)
        notes += dropped
        if scores:
            compared.append(_compare_metric(systems, bounds, metric, scores, rule, confidence, seed))
    if not compared:
        raise InputError("no track has a score of every system; nothing can be compared: see what each one lacks")
    durations = {name: seconds for e in evaluations.values() for name, seconds in e.durations}
    for name, evaluation in evaluations.items():
        notes += tuple(f"{name}: {note}" for note in evaluation.notes)
    return Comparison(
        systems, stems, {track: durations.get(track, math.nan) for track in tracks}, tuple(compared), notes
    )


def _compare_metric(
    systems: Sequence[str],
    bounds: Collection[str],
    metric: str,
    scores: Mapping[str, Mapping[str, Mapping[str, float]]],
    rule: RuleName | None,
    confidence: float,
    seed: int,
) -> MetricComparison:
    chosen = RULES[rule or column(metric).rule]
    statistic: Statistic = "median" if chosen.name == "museval" else "mean"
    summaries: dict[tuple[str, str], Summary] = {}
    groups = dict(scores)
    if len(scores) > 1:
        groups[ALL_STEMS] = _track_means(systems, scores)
    for group, of_systems in groups.items():
        for system in systems:
            values = list(of_systems[system].values())
            value = chosen.over_tracks(values)
            interval = _interval(values, statistic, confidence, seed)
            if group == ALL_STEMS:  # the mean of the stems' scores, which medians do not commute with
                value = RULES["mdx"].over_tracks([summaries[stem, system].value for stem in scores])
                interval = interval if statistic == "mean" and _is_balanced(scores) else None
            summaries[group, system] = Summary(system, group, value, interval, len(values))
    if len(scores) > 1 and statistic == "median":
        for system in systems:
            pooled = [value for stem in scores.values() for value in stem[system].values()]
            summaries[POOLED, system] = Summary(system, POOLED, chosen.over_tracks(pooled), None, len(pooled))
    testable = {
        group: {system: own for system, own in of_systems.items() if system not in bounds}
        for group, of_systems in groups.items()
        if len(of_systems[systems[0]]) > 1
    }
    pairs = compare_systems(testable, confidence=confidence, seed=seed)
    return MetricComparison(metric, column(metric).definition, chosen.name, scores, summaries, pairs)


def _track_means(
    systems: Sequence[str], scores: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> dict[str, dict[str, float]]:
    """Each track's mean over the stems that it has."""
    tracks = dict.fromkeys(track for stem in scores.values() for track in stem[systems[0]])
    means: dict[str, dict[str, float]] = {system: {} for system in systems}
    for system in systems:
        for track in tracks:
            values = [stem[system][track] for stem in scores.values() if track in stem[system]]
            mean = RULES["mdx"].over_tracks(values)
            means[system][track] = mean
    broken = {track for track in tracks if any(math.isnan(means[system][track]) for system in systems)}
    return {
        system: {track: value for track, value in of_tracks.items() if track not in broken}
        for system, of_tracks in means.items()
    }


def _is_balanced(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> bool:
    """Whether every stem has the same tracks, so that the mean of means is the mean over tracks."""
    return len({frozenset(next(iter(stem.values()))) for stem in scores.values()}) == 1


def _interval(values: Sequence[float], statistic: Statistic, confidence: float, seed: int) -> Interval | None:
    if len(values) < 2 or not all(math.isfinite(value) for value in values):
        return None
    return bootstrap_interval(values, statistic=statistic, confidence=confidence, seed=seed)


def _shared_scores(
    evaluations: Mapping[str, Evaluation], metric: str, stems: Sequence[str], tracks: Sequence[str]
) -> tuple[dict[str, dict[str, dict[str, float]]], tuple[str, ...]]:
    values = {
        name: {(row.stem, row.track): row.value for row in evaluation.rows if row.metric == metric}
        for name, evaluation in evaluations.items()
    }
    scores: dict[str, dict[str, dict[str, float]]] = {}
    notes: list[str] = []
    for stem in stems:
        kept: list[str] = []
        for track in tracks:
            found = [of_system.get((stem, track)) for of_system in values.values()]
            lacking = [name for name, value in zip(values, found, strict=True) if value is None or math.isnan(value)]
            if not lacking:
                kept.append(track)
            elif len(lacking) < len(found) or any(value is not None for value in found):
                notes.append(
                    f"{track}: {metric} of {stem} is not compared, because it has no value for {', '.join(lacking)}"
                )
        if kept:
            scores[stem] = {name: {track: of[stem, track] for track in kept} for name, of in values.items()}
    return scores, tuple(notes)


def _common(names: Sequence[Sequence[str]], kind: str, evaluations: Mapping[str, Evaluation]) -> tuple[str, ...]:
    shared = tuple(name for name in names[0] if all(name in others for others in names))
    if not shared:
        listed = "; ".join(
            f"{system} has {', '.join(own[:4]) or 'none'}" for system, own in zip(evaluations, names, strict=True)
        )
        raise InputError(f"the systems have no {kind} in common ({listed}); evaluate them on the same data set")
    return shared


def _left_out(evaluations: Mapping[str, Evaluation], stems: Sequence[str], tracks: Sequence[str]) -> tuple[str, ...]:
    notes: list[str] = []
    for name, evaluation in evaluations.items():
        for kind, own, shared in (("stem", evaluation.stems, stems), ("track", evaluation.tracks, tracks)):
            extra = [item for item in own if item not in shared]
            if extra:
                notes.append(f"{name}: {kind} {', '.join(extra)} left out, because another system lacks it")
    return tuple(notes)

"""Is one system better than another, or is it the luck of a few songs?

Systems are compared on the same units (tracks, or excerpts), so that a hard song counts against both. The question is
always one-sided, "is A better than B?", and the answer is the probability of differences at least as favourable if A
were no better than B:

    p = P( signed ranks of a_u - b_u at least as favourable | A is no better than B ),

Wilcoxon's signed-rank test (`stemtune.evaluation.signed_rank`). Whoever asks many such questions finds something by
chance; Holm's correction keeps the probability of any false "better" below the threshold, however many are asked.

References:
    Holm, "A simple sequentially rejective multiple test procedure", 1979. Efron, "Better bootstrap confidence
    intervals", 1987 (BCa). Bugler et al. test one-sided with the threshold p < .001.

Deviations:
    None known.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, cast

import numpy as np

from stemtune.errors import InputError, UsageError
from stemtune.evaluation.signed_rank import SignedRankTest, paired_differences, wilcoxon_signed_rank

__all__ = [
    "THRESHOLD",
    "Interval",
    "PairedComparison",
    "SignedRankTest",
    "Statistic",
    "bootstrap_interval",
    "compare_systems",
    "holm",
    "wilcoxon_signed_rank",
]

THRESHOLD = 1e-3
_RESAMPLES = 9999

Statistic = Literal["mean", "median"]


@dataclass(frozen=True)
class Interval:
    """A statistic with its bootstrap confidence interval."""

    statistic: Statistic
    value: float
    low: float
    high: float
    confidence: float
    num_values: int


@dataclass(frozen=True)
class PairedComparison:
    """Is ``better`` better than ``worse``?

    Attributes:
        group: within which units are compared, such as a stem.
        median_difference: of the pairs, better minus worse, in the units of the scores.
        mean_difference: likewise, with its confidence interval; None where a difference is infinite.
        share_improved: fraction of the pairs in which ``better`` is better; ties count half.
        test: the signed-rank test.
        adjusted_p_value: after Holm's correction over all questions that were asked together.
        is_significant: whether that is below the threshold.
    """

    group: str
    better: str
    worse: str
    median_difference: float
    mean_difference: Interval | None
    share_improved: float
    test: SignedRankTest
    adjusted_p_value: float
    is_significant: bool


def bootstrap_interval(
    values: Sequence[float],
    *,
    statistic: Statistic = "mean",
    confidence: float = 0.95,
    method: Literal["BCa", "percentile"] = "BCa",
    num_resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Interval:
    """A confidence interval by resampling the values; the same values and seed give the same interval.

    With fewer than some ten values any such interval is too narrow; it is given all the same, for it is a lower
    bound of the doubt.

    Args:
        values: one per unit.
        statistic: of which the interval is.
        confidence: such as .95.
        method: bias-corrected and accelerated, or plain percentiles.
        num_resamples: how often.
        seed: of the resampling.

    Raises:
        InputError: for fewer than two values, or one that is not finite.
        UsageError: for a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise UsageError(f"a confidence lies between 0 and 1, such as 0.95; {confidence} was given")
    data = np.asarray(values, dtype=np.float64)
    if len(data) < 2:
        raise InputError(f"an interval needs at least two values; there are {len(data)}: evaluate more tracks")
    if not np.isfinite(data).all():
        position = int((~np.isfinite(data)).nonzero()[0][0])
        raise InputError(f"value {position} is {data[position]}; an interval needs finite values: leave that unit out")
    function = np.mean if statistic == "mean" else np.median
    value = float(function(data))
    if data.min() == data.max():
        return Interval(statistic, value, value, value, confidence, len(data))
    low, high = _bootstrap(data, function, confidence, method, num_resamples, seed)
    return Interval(statistic, value, low, high, confidence, len(data))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the same order; compare each with the threshold as if there had been one question.

    Raises:
        InputError: for a value that is no probability.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"expected probabilities between 0 and 1, got {list(p_values)}")
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    stepped = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return tuple(float(value) for value in adjusted)


def compare_systems(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    threshold: float = THRESHOLD,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[PairedComparison, ...]:
    """Every system against every other, in both directions, in every group; corrected over all of these questions.

    Both directions are asked because a direction that is chosen after a look at the scores halves every p-value.

    Args:
        scores: ``scores[group][system][unit]``, such as stem, model and track; higher is better.
        threshold: of significance.
        confidence: of the intervals.
        seed: of their resampling.

    Returns:
        by group, then by ordered pair.

    Raises:
        InputError: if systems of a group were scored on different units, on fewer than two, or a score is NaN.
    """
    found: list[tuple[str, str, str, tuple[float, ...], SignedRankTest]] = []
    for group, systems in scores.items():
        units = _shared_units(group, systems)
        for better, worse in permutations(systems, 2):
            treatment, control = ([systems[name][unit] for unit in units] for name in (better, worse))
            try:
                test = wilcoxon_signed_rank(treatment=treatment, control=control)
                differences = tuple(float(d) for d in paired_differences(treatment, control))
            except InputError as error:
                raise InputError(f"{group}, {better} against {worse}: {error}") from None
            found.append((group, better, worse, differences, test))
    adjusted = holm([test.p_value for *_, test in found])
    return tuple(
        PairedComparison(
            group=group,
            better=better,
            worse=worse,
            median_difference=float(np.median(differences)),
            mean_difference=bootstrap_interval(differences, confidence=confidence, seed=seed)
            if all(math.isfinite(difference) for difference in differences)
            else None,
            share_improved=float(np.mean(np.sign(differences) / 2 + 0.5)),
            test=test,
            adjusted_p_value=p_value,
            is_significant=p_value < threshold,
        )
        for (group, better, worse, differences, test), p_value in zip(found, adjusted, strict=True)
    )


def _shared_units(group: str, systems: Mapping[str, Mapping[str, float]]) -> list[str]:
    units: list[str] | None = None
    for name, scores in systems.items():
        if units is None:
            units = list(scores)
        elif set(units) != set(scores):
            odd = sorted(set(units) ^ set(scores))
            raise InputError(
                f"{group}: the systems were not scored on the same units, {name} differs in {', '.join(odd[:3])}; "
                "pairs need both scores: evaluate what is missing, or leave it out of all systems"
            )
    return units or []


def _bootstrap(
    data: Any, function: Any, confidence: float, method: str, num_resamples: int, seed: int
) -> tuple[float, float]:
    try:
        from scipy import stats
    except ImportError:
        raise UsageError("confidence intervals need SciPy: pip install 'stemtune[report]'") from None
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", category=stats.DegenerateDataWarning)
        result = cast("Any", stats).bootstrap(
            (data,),
            function,
            n_resamples=num_resamples,
            confidence_level=confidence,
            method=method,
            rng=np.random.default_rng(seed),
        )
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    if math.isnan(low) or math.isnan(high):  # BCa has no acceleration where the statistic hardly moves
        return _bootstrap(data, function, confidence, "percentile", num_resamples, seed)
    return low, high

"""Is one system better than another, or is it the luck of a few songs?

Systems are compared on the same units (tracks, or excerpts), so that a hard song counts against both. The question is
always one-sided, "is A better than B?", and the answer is the probability of differences at least as favourable if A
were no better than B:

    p = P( W+ >= observed ),    W+ = sum over units with a_u > b_u of rank( |a_u - b_u| ),

Wilcoxon's signed-rank test. Whoever asks many such questions finds something by chance; Holm's correction keeps the
probability of any false "better" below the threshold, however many are asked.

References:
    Wilcoxon, "Individual comparisons by ranking methods", 1945. Holm, "A simple sequentially rejective multiple test
    procedure", 1979. Efron, "Better bootstrap confidence intervals", 1987 (BCa). Bugler et al. test one-sided with the
    threshold p < .001.

Deviations:
    SciPy gives up exactness where differences tie; here up to 50 pairs are exact with ties, too (midranks). Pairs
    without a difference are left out, as Wilcoxon did.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, cast

import numpy as np

from stemtune.errors import InputError, UsageError

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
_EXACT_PAIRS = 50
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
class SignedRankTest:
    """The outcome of the one-sided Wilcoxon signed-rank test.

    Attributes:
        p_value: how probable such ranks are if the treatment is no better than the control.
        rank_sum: of the pairs in which the treatment is better.
        num_pairs: all of them.
        num_ties: pairs without a difference, which say nothing.
        smallest_p_value: that so many pairs could give at all.
    """

    p_value: float
    rank_sum: float
    num_pairs: int
    num_ties: int
    smallest_p_value: float


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


def wilcoxon_signed_rank(*, treatment: Sequence[float], control: Sequence[float]) -> SignedRankTest:
    """Test whether the treatment's scores are larger than the control's.

    Args:
        treatment: one score per unit.
        control: of the same units, in the same order. Infinities are allowed, as the largest of differences.

    Raises:
        InputError: for sequences of unequal length, fewer than two pairs, or a difference that is not a number.
    """
    differences = _differences(treatment, control)
    nonzero = differences[differences != 0]
    count = len(nonzero)
    if count == 0:
        return SignedRankTest(1.0, 0.0, len(differences), len(differences), 1.0)
    doubled = np.rint(2 * _midranks(np.abs(nonzero))).astype(np.int64)
    rank_sum = float(doubled[nonzero > 0].sum()) / 2
    if count <= _EXACT_PAIRS:
        p_value = _exact_tail(doubled, round(2 * rank_sum))
    else:
        p_value = _normal_tail(doubled / 2, rank_sum)
    return SignedRankTest(
        p_value=p_value,
        rank_sum=rank_sum,
        num_pairs=len(differences),
        num_ties=len(differences) - count,
        smallest_p_value=0.5**count,
    )


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
                differences = tuple(float(d) for d in _differences(treatment, control))
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


def _differences(treatment: Sequence[float], control: Sequence[float]) -> Any:
    if len(treatment) != len(control):
        raise InputError(
            f"scores must be paired: {len(treatment)} of the treatment and {len(control)} of the control were given"
        )
    if len(treatment) < 2:
        raise InputError(f"a test needs at least two pairs; there are {len(treatment)}: evaluate more tracks")
    first_scores, second_scores = np.asarray(treatment, dtype=np.float64), np.asarray(control, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # equal infinities are a tie
        differences = np.where(first_scores == second_scores, 0.0, first_scores - second_scores)
    bad = np.isnan(differences).nonzero()[0]
    if len(bad):
        first = int(bad[0])
        raise InputError(
            f"pair {first} has no difference ({treatment[first]} and {control[first]}); leave that unit out of both"
        )
    return differences


def _midranks(values: Any) -> Any:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _exact_tail(doubled_ranks: Any, observed: int) -> float:
    """P(sum of the ranks with random signs, doubled >= observed): the polynomial prod (1 + x^r) / 2, summed."""
    probabilities = np.zeros(int(doubled_ranks.sum()) + 1)
    probabilities[0] = 1.0
    for rank in doubled_ranks:
        shifted = np.zeros_like(probabilities)
        shifted[rank:] = probabilities[:-rank]
        probabilities = (probabilities + shifted) / 2
    return min(1.0, float(probabilities[observed:].sum()))


def _normal_tail(ranks: Any, rank_sum: float) -> float:
    """For many pairs; the variance counts ties by itself, since midranks enter it."""
    mean, variance = ranks.sum() / 2, (ranks**2).sum() / 4
    return 0.5 * math.erfc((rank_sum - mean) / math.sqrt(2 * variance))


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

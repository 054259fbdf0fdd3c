"""Wilcoxon's signed-rank test, one-sided and exact: are the larger differences mostly on one side?

    p = P( W+ >= observed ),    W+ = sum over pairs with a > b of rank( |a - b| ),

where each pair's sign is a fair coin. Ranks rather than differences are summed, so that one song on which a system
fails altogether counts as one song.

References:
    Wilcoxon, "Individual comparisons by ranking methods", 1945.

Deviations:
    SciPy gives up exactness where differences tie; here up to 50 pairs are exact with ties, too (midranks). Pairs
    without a difference are left out, as Wilcoxon did; equal infinities are no difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stemtune.errors import InputError

__all__ = ["SignedRankTest", "paired_differences", "wilcoxon_signed_rank"]

_EXACT_PAIRS = 50


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


def wilcoxon_signed_rank(*, treatment: Sequence[float], control: Sequence[float]) -> SignedRankTest:
    """Test whether the treatment's scores are larger than the control's.

    Args:
        treatment: one score per unit.
        control: of the same units, in the same order. Infinities are allowed, as the largest of differences.

    Raises:
        InputError: for sequences of unequal length, fewer than two pairs, or a difference that is not a number.
    """
    differences = paired_differences(treatment, control)
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


def paired_differences(treatment: Sequence[float], control: Sequence[float]) -> Any:
    """Treatment minus control, pair by pair, as an array.

    Raises:
        InputError: for sequences of unequal length, fewer than two pairs, or a difference that is not a number.
    """
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

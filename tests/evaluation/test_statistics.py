"""Tests against SciPy and against counting by hand; corrections; what cannot be compared."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stemtune.errors import InputError, UsageError
from stemtune.evaluation.statistics import bootstrap_interval, compare_systems, holm, wilcoxon_signed_rank

GENERATOR = np.random.default_rng(1)


@pytest.mark.parametrize("count", [3, 10, 31, 50])
def test_few_pairs_are_exact_as_in_scipy(count: int):
    treatment, control = GENERATOR.normal(0.3, 1, count), GENERATOR.normal(0, 1, count)
    found = wilcoxon_signed_rank(treatment=treatment.tolist(), control=control.tolist())
    expected = stats.wilcoxon(treatment, control, alternative="greater", method="exact")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.rank_sum == expected.statistic
    assert found.smallest_p_value == 0.5**count


@pytest.mark.parametrize("digits", [9, 0])
def test_many_pairs_follow_the_normal_distribution_as_in_scipy_also_with_ties(digits: int):
    treatment, control = (GENERATOR.normal(mean, 1, 300).round(digits) for mean in (0.1, 0))
    found = wilcoxon_signed_rank(treatment=treatment.tolist(), control=control.tolist())
    expected = stats.wilcoxon(treatment, control, alternative="greater", method="asymptotic")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
@settings(max_examples=60, deadline=None)
def test_ties_are_exact_too_by_trying_all_signs(differences: list[int]):
    found = wilcoxon_signed_rank(treatment=[float(d) for d in differences], control=[0.0] * len(differences))
    nonzero = [d for d in differences if d]
    ranks = stats.rankdata(np.abs(nonzero)) if nonzero else []
    observed = sum(rank for rank, d in zip(ranks, nonzero, strict=True) if d > 0)
    sums = [sum(rank for rank, on in zip(ranks, signs, strict=True) if on)
            for signs in itertools.product((0, 1), repeat=len(nonzero))]  # fmt: skip
    assert found.p_value == pytest.approx(np.mean([total >= observed - 1e-9 for total in sums]))
    assert found.num_ties == len(differences) - len(nonzero)


def test_an_infinite_difference_is_the_largest():
    found = wilcoxon_signed_rank(treatment=[math.inf, 1.0, 1.0], control=[0.0, 3.0, 0.0])
    assert found.rank_sum == 3 + 1
    assert wilcoxon_signed_rank(treatment=[-math.inf, 1.0], control=[-math.inf, 0.0]).num_ties == 1
    assert wilcoxon_signed_rank(treatment=[1.0, 2.0], control=[1.0, 2.0]).p_value == 1.0


@pytest.mark.parametrize(
    ("treatment", "control", "message"),
    [
        ([1.0, 2.0], [1.0], "scores must be paired: 2 of the treatment and 1 of the control"),
        ([1.0], [1.0], "at least two pairs; there are 1"),
        ([1.0, math.nan], [1.0, 1.0], "pair 1 has no difference"),
    ],
)
def test_what_cannot_be_tested_is_an_error(treatment: list[float], control: list[float], message: str):
    with pytest.raises(InputError, match=message):
        wilcoxon_signed_rank(treatment=treatment, control=control)


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_intervals_are_those_of_scipy_and_repeatable(statistic: str, method: str):
    values = GENERATOR.exponential(2, 25)
    found = bootstrap_interval(values.tolist(), statistic=statistic, method=method, num_resamples=2000, seed=3)
    expected = stats.bootstrap(
        (values,), getattr(np, statistic), n_resamples=2000, method=method, rng=np.random.default_rng(3)
    ).confidence_interval
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.low < found.value < found.high
    again = bootstrap_interval(values.tolist(), statistic=statistic, method=method, num_resamples=2000, seed=3)
    assert again == found


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(150):
        interval = bootstrap_interval(generator.normal(2, 1, 40).tolist(), num_resamples=400, confidence=0.9)
        covered += interval.low <= 2 <= interval.high
    assert 0.82 <= covered / 150 <= 0.96


def test_values_that_hardly_differ_have_an_interval_without_a_warning():
    assert bootstrap_interval([2.0, 2.0, 2.0]).low == 2.0
    interval = bootstrap_interval([1.0, 1.0, 1.0, 4.0], statistic="median")
    assert interval.low <= 1.0 <= interval.high


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, -math.inf]])
def test_an_interval_needs_two_finite_values(values: list[float]):
    with pytest.raises(InputError, match=r"two values|finite"):
        bootstrap_interval(values)


def test_a_confidence_is_a_fraction():
    with pytest.raises(UsageError, match="between 0 and 1"):
        bootstrap_interval([1.0, 2.0], confidence=95.0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()
    with pytest.raises(InputError, match="probabilities"):
        holm([math.nan])


def scores(num_tracks: int, **means: float) -> dict[str, dict[str, float]]:
    generator = np.random.default_rng(0)
    songs = generator.normal(0, 5, num_tracks)
    return {
        name: {f"song {n}": float(songs[n] + mean + generator.normal(0, 0.5)) for n in range(num_tracks)}
        for name, mean in means.items()
    }


def test_systems_are_compared_in_both_directions_and_corrected_over_all_questions():
    found = compare_systems({"vocals": scores(30, ours=1.0, theirs=0.0), "drums": scores(30, ours=0.0, theirs=0.0)})
    assert [(item.group, item.better, item.worse) for item in found] == [
        ("vocals", "ours", "theirs"), ("vocals", "theirs", "ours"),
        ("drums", "ours", "theirs"), ("drums", "theirs", "ours"),
    ]  # fmt: skip
    first = found[0]
    assert first.is_significant
    assert not any(item.is_significant for item in found[1:])
    assert first.adjusted_p_value == pytest.approx(4 * first.test.p_value)
    assert first.median_difference == pytest.approx(1, abs=0.4)
    assert first.mean_difference is not None
    assert first.mean_difference.low < 1 < first.mean_difference.high
    assert first.share_improved > 0.8
    assert found[1].median_difference == -first.median_difference
    assert found[1].share_improved == pytest.approx(1 - first.share_improved)


def test_songs_that_one_system_lacks_are_named():
    uneven = scores(5, ours=1.0, theirs=0.0)
    del uneven["theirs"]["song 3"]
    with pytest.raises(InputError, match="not scored on the same units, theirs differs in song 3"):
        compare_systems({"vocals": uneven})


def test_a_score_that_is_no_number_names_group_and_systems():
    spoilt = scores(5, ours=1.0, theirs=0.0)
    spoilt["ours"]["song 1"] = math.nan
    with pytest.raises(InputError, match="vocals, ours against theirs: pair 1 has no difference"):
        compare_systems({"vocals": spoilt})


def test_four_songs_can_never_be_significant_and_the_test_says_so():
    (first, _) = compare_systems({"vocals": scores(4, ours=50.0, theirs=0.0)})
    assert first.test.p_value == first.test.smallest_p_value == 1 / 16
    assert not first.is_significant

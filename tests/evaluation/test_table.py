"""Means, and what must not be hidden by them."""

import math

import pytest

from stemtune.evaluation.table import ALL_STEMS, POOLED, Evaluation, SecondEnergies, TrackScore

ROWS = (
    TrackScore("a", "vocals", "sdr_global", 4.0, -2.0),
    TrackScore("a", "drums", "sdr_global", 1.0, 0.0),
    TrackScore("b", "vocals", "sdr_global", 8.0, -4.0),
)


def test_the_mean_is_over_the_tracks_that_have_the_stem_then_over_stems():
    means = {mean.stem: mean for mean in Evaluation("m", ROWS).means()}
    assert list(means) == ["vocals", "drums", ALL_STEMS]
    assert (means["vocals"].value, means["vocals"].mixture_baseline, means["vocals"].num_tracks) == (6.0, -3.0, 2)
    assert (means["drums"].value, means["drums"].num_tracks) == (1.0, 1)
    assert means[ALL_STEMS].value == 3.5
    assert means[ALL_STEMS].mixture_baseline == -1.5
    assert means[ALL_STEMS].improvement == 5.0
    assert means[ALL_STEMS].num_tracks == 2


def test_one_stem_needs_no_mean_over_stems():
    assert [mean.stem for mean in Evaluation("m", ROWS[:1]).means()] == ["vocals"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_shows_in_the_mean(bad: float):
    rows = (*ROWS, TrackScore("c", "vocals", "sdr_global", bad, -3.0))
    mean = Evaluation("m", rows).means()[0]
    assert mean.value == bad or (math.isnan(bad) and math.isnan(mean.value))
    assert mean.mixture_baseline == -3.0


def test_names_keep_their_order_and_every_metric_is_defined():
    evaluation = Evaluation("m", (*ROWS, TrackScore("a", "vocals", "si_sdr", 1.0, 0.0)))
    assert evaluation.tracks == ("a", "b")
    assert evaluation.stems == ("vocals", "drums")
    assert list(evaluation.definitions()) == ["sdr_global", "si_sdr"]
    assert "MDX" in evaluation.definitions()["sdr_global"]


def test_medians_skip_tracks_without_a_score_and_count_them_not():
    rows = tuple(
        TrackScore(track, stem, "sir_bss_eval_v4", value, math.nan)
        for track, stem, value in (("a", "v", 1.0), ("b", "v", math.nan), ("c", "v", 3.0), ("a", "d", 10.0))
    )
    means = {mean.stem: mean for mean in Evaluation("m", rows).means()}
    assert list(means) == ["v", "d", ALL_STEMS, POOLED]
    assert (means["v"].value, means["v"].num_tracks) == (2.0, 2)
    assert math.isnan(means["v"].mixture_baseline)
    assert means[ALL_STEMS].value == 6.0
    assert means[POOLED].value == 3.0


def test_energies_of_seconds_give_the_ratio_of_any_passage():
    energies = SecondEnergies("a", "v", (1.0, 9.0, 0.0, 0.0), (1.0, 0.0, 1.0, 0.0))
    assert energies.ratio_db(0, 2) == 10.0
    assert energies.ratio_db(1, 2) == math.inf
    assert energies.ratio_db(2, 3) == -math.inf
    assert math.isnan(energies.ratio_db(3, 4))

"""Systems side by side: the same tracks for all, values by the rule, and what is left out is said."""

import math

import pytest

from stemtune.errors import InputError
from stemtune.evaluation.comparison import compare
from stemtune.evaluation.table import ALL_STEMS, POOLED, Evaluation, TrackScore


def evaluation(name: str, values: dict[tuple[str, str], float], metric: str = "sdr_global") -> Evaluation:
    rows = tuple(TrackScore(track, stem, metric, value, math.nan) for (track, stem), value in values.items())
    tracks = dict.fromkeys(row.track for row in rows)
    return Evaluation(name, rows, durations=tuple((track, 10.0) for track in tracks))


def grid(offset: float, *, tracks: str = "abcdefgh", stems: tuple[str, ...] = ("vocals", "drums")) -> dict:
    return {(t, s): offset + number + 0.1 * len(s) for number, t in enumerate(tracks) for s in stems}


def test_values_are_by_the_rule_and_the_mean_is_that_of_the_stems():
    found = compare({"a": evaluation("a", grid(1.0)), "b": evaluation("b", grid(0.0))})
    (metric,) = found.metrics
    assert metric.groups == ("vocals", "drums", ALL_STEMS)
    assert metric.summaries["vocals", "a"].value == pytest.approx(1 + 3.5 + 0.6)
    assert metric.summaries[ALL_STEMS, "a"].value == pytest.approx(1 + 3.5 + 0.55)
    interval = metric.summaries[ALL_STEMS, "a"].interval
    assert interval is not None
    assert interval.low < 5.05 < interval.high
    assert found.tracks == dict.fromkeys("abcdefgh", 10.0)
    best = [pair for pair in metric.pairs if pair.better == "a"]
    assert [pair.group for pair in best] == ["vocals", "drums", ALL_STEMS]
    assert all(pair.median_difference == pytest.approx(1.0) and pair.share_improved == 1 for pair in best)


def test_medians_bring_the_pooled_row_and_no_interval_of_the_mean_of_medians():
    values = grid(1.0)
    values["a", "vocals"] = 100.0
    found = compare({name: evaluation(name, values, "sdr_bss_eval_v4") for name in "xy"})
    (metric,) = found.metrics
    assert metric.rule == "museval"
    assert metric.groups == ("vocals", "drums", ALL_STEMS, POOLED)
    assert metric.summaries["vocals", "x"].value == pytest.approx((5.6 + 6.6) / 2)
    assert metric.summaries[ALL_STEMS, "x"].interval is None
    assert metric.summaries[POOLED, "x"].num_tracks == 16
    assert metric.pairs[0].test.num_ties == 8
    (mean,) = compare({name: evaluation(name, values, "sdr_bss_eval_v4") for name in "xy"}, rule="mdx").metrics
    assert mean.rule == "mdx"


def test_a_track_that_one_system_lacks_counts_for_none_and_is_named():
    less = grid(0.0)
    del less["c", "drums"]
    less["d", "vocals"] = math.nan
    found = compare({"a": evaluation("a", grid(1.0)), "b": evaluation("b", less)})
    (metric,) = found.metrics
    assert list(metric.scores["drums"]["a"]) == list("abdefgh")
    assert list(metric.scores["vocals"]["a"]) == list("abcefgh")
    assert "c: sdr_global of drums is not compared, because it has no value for b" in found.notes
    assert metric.summaries["drums", "a"].num_tracks == 7
    assert metric.summaries[ALL_STEMS, "a"].interval is None


def test_stems_and_tracks_of_one_system_only_are_left_out_and_named():
    more = grid(1.0, tracks="abcdefghi", stems=("vocals", "drums", "piano"))
    found = compare({"a": evaluation("a", more), "b": evaluation("b", grid(0.0))})
    assert found.stems == ("vocals", "drums")
    assert "a: stem piano left out, because another system lacks it" in found.notes
    assert "a: track i left out, because another system lacks it" in found.notes


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (evaluation("b", grid(0.0, stems=("piano",))), "no stem in common"),
        (evaluation("b", grid(0.0, tracks="xyz")), "no track in common"),
        (evaluation("b", grid(0.0), "si_sdr"), r"no metric in common \(a has sdr_global; b has si_sdr\)"),
        (evaluation("b", dict.fromkeys(grid(0.0), math.nan)), "no track has a score of every system"),
    ],
)
def test_what_has_nothing_in_common_cannot_be_compared(other: Evaluation, message: str):
    with pytest.raises(InputError, match=message):
        compare({"a": evaluation("a", grid(1.0)), "b": other})


def test_one_track_has_scores_but_no_tests():
    found = compare({name: evaluation(name, grid(0.0, tracks="a")) for name in "xy"})
    (metric,) = found.metrics
    assert metric.pairs == ()
    assert metric.summaries["vocals", "x"].interval is None


def test_silence_of_both_is_a_tie_and_an_infinity_has_no_interval():
    silent = grid(0.0)
    silent["a", "vocals"] = -math.inf
    (metric,) = compare({"x": evaluation("x", silent, "si_sdr"), "y": evaluation("y", silent, "si_sdr")}).metrics
    assert metric.summaries["vocals", "x"].value == -math.inf
    assert metric.summaries["vocals", "x"].interval is None
    assert metric.pairs[0].test.num_ties == 8


def test_notes_of_evaluations_say_whose_they_are():
    noted = Evaluation("a", evaluation("a", grid(0.0)).rows, notes=("something",))
    assert "a: something" in compare({"a": noted, "b": noted}).notes


def test_energies_are_no_scores_and_are_not_compared():
    both = {
        name: Evaluation(name, evaluation(name, grid(0.0)).rows
                         + evaluation(name, grid(0.0), "predicted_energy_at_silence").rows)
        for name in "ab"
    }  # fmt: skip
    found = compare(both)
    assert [metric.metric for metric in found.metrics] == ["sdr_global"]
    assert any("predicted_energy_at_silence is not compared" in note for note in found.notes)


def test_whether_an_oracle_is_better_is_not_asked():
    systems = {name: evaluation(name, grid(offset)) for name, offset in (("a", 1.0), ("b", 0.0), ("oracle", 9.0))}
    (metric,) = compare(systems, bounds={"oracle"}).metrics
    assert {pair.better for pair in metric.pairs} == {"a", "b"}
    assert len(metric.pairs) == 2 * 3
    assert metric.summaries["vocals", "oracle"].value > metric.summaries["vocals", "a"].value
    (alone,) = compare({"a": systems["a"], "oracle": systems["oracle"]}, bounds={"oracle"}).metrics
    assert alone.pairs == ()

"""Chosen by rule: best, median, worst, apart from each other, and only where the stem sounds."""

import math

from stemtune.evaluation.passages import choose_passages
from stemtune.evaluation.table import SecondEnergies


def energies(track: str, errors: list[float], *, stem: str = "vocals", reference: list[float] | None = None):
    return SecondEnergies(track, stem, tuple(reference or [1.0] * len(errors)), tuple(errors))


def test_best_median_and_worst_are_what_they_are_called():
    levels = [10.0 ** (-number / 10) for number in range(9) for _ in range(10)]
    found = choose_passages([energies("song", levels)])
    assert [passage.rank for passage in found] == ["best", "median", "worst"]
    best, median, worst = found
    assert (best.start_seconds, best.stop_seconds) == (80, 90)
    assert math.isclose(best.ratio_db, 8.0)
    assert (worst.start_seconds, round(worst.ratio_db, 6)) == (0, 0.0)
    assert abs(median.ratio_db - 4.0) < 0.2
    assert {passage.num_windows for passage in found} == {81}


def test_passages_do_not_overlap_even_in_a_short_song():
    found = choose_passages([energies("song", [1.0 + second / 100 for second in range(25)])])
    assert [passage.rank for passage in found] == ["best", "worst"]
    assert found[0].stop_seconds <= found[1].start_seconds


def test_a_song_shorter_than_a_passage_is_one_passage():
    (only,) = choose_passages([energies("song", [0.5] * 4)])
    assert (only.rank, only.start_seconds, only.stop_seconds) == ("best", 0, 4)


def test_where_the_stem_hardly_sounds_nothing_is_chosen():
    quiet = [1e-3] * 30
    found = choose_passages([energies("loud", [0.1] * 30), energies("soft", [5.0] * 30, reference=quiet)], seconds=10)
    assert {passage.track for passage in found} == {"loud"}
    half = [1.0] * 5 + [0.0] * 15 + [1.0] * 5
    (*_, worst) = choose_passages([energies("song", [0.1] * 25, reference=half)])
    assert worst.start_seconds in (0, 15)
    assert choose_passages([energies("song", [0.1] * 20, reference=[0.0] * 20)]) == ()


def test_every_stem_has_its_own_and_a_perfect_estimate_is_the_best():
    items = [energies("a", [0.0] * 12), energies("a", [1.0] * 12, stem="drums"), energies("b", [1.0] * 12)]
    found = choose_passages(items)
    assert [passage.stem for passage in found] == ["vocals", "vocals", "drums"]
    assert found[0].ratio_db == math.inf
    assert (found[0].track, found[1].track) == ("a", "b")

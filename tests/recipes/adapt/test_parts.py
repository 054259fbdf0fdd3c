"""The rules, the folds, and what is concluded from scores."""

from itertools import pairwise

import pytest

from stemtune.errors import InputError
from stemtune.evaluation.table import Evaluation, TrackScore
from stemtune.recipes.adapt.folding import GUARD_SECONDS, assign, cut_in_time, join_groups
from stemtune.recipes.adapt.plan import AdaptRequest, Plan
from stemtune.recipes.adapt.report import growth_text, longer_text
from stemtune.recipes.adapt.results import Gain, Outcome, StemOutcome, verdict
from stemtune.recipes.adapt.rules import RULES, find_rule
from stemtune.recipes.adapt.running import _has_settled
from stemtune.recipes.adapt.scores import choose_steps, differences, growth_of
from stemtune.recipes.adapt.strategies import STRATEGIES


def test_more_material_lets_more_move() -> None:
    assert [find_rule(minutes).strategy for minutes in (0.5, 1.0, 3.0, 15.0, 500.0)] == [
        "adapters", "adapters", "all", "all", "all",
    ]  # fmt: skip
    limits = [rule.up_to_minutes for rule in RULES]
    assert limits[-1] is None
    assert limits[:-1] == sorted(limit for limit in limits if limit is not None)
    assert {rule.strategy for rule in RULES} <= STRATEGIES.keys()
    with pytest.raises(InputError, match="sounds for 6 seconds; at least 15 are needed"):
        find_rule(0.1)


def test_groups_join_through_others() -> None:
    joined = join_groups(["a", "b", "c", "d"], [("a", "b"), ("b", "c", "stranger")])
    assert joined == (("a", "b", "c"), ("d",))


def test_folds_are_balanced_and_keep_groups_together() -> None:
    seconds = {"a": 100.0, "b": 10.0, "c": 60.0, "d": 50.0}
    folds = assign([("a",), ("b", "c"), ("d",)], seconds, num_folds=2)
    assert [set(fold.held_out) for fold in folds] == [{"a"}, {"b", "c", "d"}]
    assert all(not set(fold.held_out) & set(fold.heard) for fold in folds)


def test_pieces_have_guards_between_them_and_are_not_too_short() -> None:
    pieces = cut_in_time(65.0, num_pieces=6)
    assert len(pieces) == 6
    assert all(later[0] - sooner[1] == pytest.approx(GUARD_SECONDS) for sooner, later in pairwise(pieces))
    assert pieces[-1][1] == pytest.approx(65.0)
    assert len(cut_in_time(10.0, num_pieces=6)) == 2
    assert cut_in_time(2.0, num_pieces=6) == ((0.0, 2.0),)


def test_a_fold_has_no_say_in_how_long_its_own_model_learns() -> None:
    curves = ({10: 1.0, 20: 9.0}, {10: 3.0, 20: 2.0}, {10: 3.0, 20: 2.5})
    assert choose_steps(curves) == 20
    assert choose_steps(curves, without=0) == 10


def test_a_fold_that_stopped_early_keeps_its_last_score() -> None:
    assert choose_steps(({10: 2.0, 20: 1.0}, {10: 1.0, 20: 2.0, 30: 3.5})) == 30
    assert choose_steps(({10: 2.0}, {10: 2.0, 20: 2.0})) == 10
    assert choose_steps(({5: 9.0, 10: 2.0, 20: 3.0}, {10: 2.0, 20: 2.0})) == 20  # one was looked at more often


def test_training_ends_after_two_looks_without_a_new_best() -> None:
    assert not _has_settled({})
    assert not _has_settled({5: 1.0, 10: 0.5})
    assert _has_settled({5: 1.0, 10: 0.5, 15: 0.9})
    assert not _has_settled({5: 1.0, 10: 0.5, 15: 1.1})


def evaluation(**values: float) -> Evaluation:
    return Evaluation(
        "s", tuple(TrackScore(track, "tabla", "sdr_global", value, 0.0) for track, value in values.items())
    )


def test_differences_are_taken_piece_by_piece() -> None:
    found = differences(evaluation(a=3.0, b=5.0, c=1.0), evaluation(b=1.0, a=2.0), metric="sdr_global")
    assert found == [1.0, 4.0]


def test_growth_is_the_slope_over_doublings() -> None:
    full, half, quarter = (
        evaluation(a=6.0, b=7.0, c=8.0, d=9.0),
        evaluation(a=4.0, b=5.0, c=7.0, d=7.0),
        evaluation(a=2.0, b=3.0, c=6.0, d=5.0),
    )
    growth = growth_of([(8.0, full), (4.0, half), (2.0, quarter)], metric="sdr_global")
    assert growth.per_doubling is not None
    assert growth.per_doubling.value == pytest.approx((2.0 + 2.0 + 1.0 + 2.0) / 4)
    assert growth.per_doubling.low > 0
    assert growth.means == (7.5, 5.75, 4.0)


def test_growth_is_not_told_from_little() -> None:
    full, half = evaluation(a=6.0, b=7.0), evaluation(a=4.0, b=5.0)
    assert "only 2 pieces could be scored" in growth_of([(8.0, full), (4.0, half)], metric="sdr_global").why_not
    assert "too little to leave half of it out" in growth_of([(8.0, full)], metric="sdr_global").why_not


def outcome(growth: Gain | None, over_base: Gain | None = None, over_mixture: float = 3.0) -> Outcome:
    total = StemOutcome(
        stem="all", score=1.0, score_si_sdr=1.0, mixture=0.0, oracle=9.0, base=None, started_from="",
        over_mixture=Gain(value=over_mixture), over_base=over_base, below_oracle=None,
    )  # fmt: skip
    return Outcome(
        stems=(total,), steps=1, curves=(), growth_minutes=(8.0, 4.0), growth_means=(2.0, 1.0), growth=growth,
        growth_unknown="" if growth else "there is too little", minutes_taken=1.0,
    )  # fmt: skip


def test_what_more_recordings_would_bring_is_said_as_surely_as_it_is_known() -> None:
    assert "16 minutes instead of 8" in growth_text(outcome(Gain(value=1.0, low=0.5, high=1.5)))
    assert "cannot be told whether more would help" in growth_text(outcome(Gain(value=1.0, low=-0.5, high=1.5)))
    assert "cannot be told whether more would help" in growth_text(outcome(Gain(value=0.05, low=-1.0, high=1.1)))
    assert "next to nothing" in growth_text(outcome(Gain(value=0.02, low=0.01, high=0.03)))
    assert "More of the same does not help" in growth_text(outcome(Gain(value=-1.0, low=-1.5, high=-0.5)))
    assert growth_text(outcome(None)) == "That cannot be told from these recordings: there is too little."


def test_it_is_said_when_time_was_too_short() -> None:
    def text(*, best: int, planned: int, asked: int | None = None) -> str:
        request = AdaptRequest(stems="songs", steps=asked)
        plan = Plan.model_construct(request=request, steps=planned, rule=find_rule(3.0))
        return longer_text(outcome(None).model_copy(update={"steps": best}), plan)

    most = find_rule(3.0).most_steps
    assert text(best=60, planned=100) == ""
    assert "--budget 20 lets it learn for longer" in text(best=100, planned=100)
    assert f"--steps {2 * most} lets it" in text(best=most, planned=most)
    assert "more than --steps 50" in text(best=50, planned=50, asked=50)


def test_a_failure_is_called_one() -> None:
    worse = outcome(None, over_base=Gain(value=-2.0, low=-3.0, high=-1.0))
    assert verdict(worse, base="default").startswith(
        "Adapting made it worse: -2.0 dB (95 %: -3.0 to -1.0) against default"
    )
    assert verdict(outcome(None, over_mixture=-1.0), base="default").startswith("It does not separate yet")
    unsure = outcome(None, over_base=Gain(value=0.5, low=-0.5, high=1.5))
    assert verdict(unsure, base="default").endswith("That may be chance.")

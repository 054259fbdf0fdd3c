"""Steps that fit the budget, from what a step takes now and not from what it took for a moment."""

from pathlib import Path

import pytest

from stemtune.recipes.adapt import AdaptRequest, Progress, adapt, planning
from stemtune.recipes.adapt.pace import Pace, with_steps
from stemtune.recipes.adapt.plan import Plan, read_plan
from stemtune.recipes.adapt.rules import find_rule
from tests.recipes.adapt.conftest import EXECUTION, Write, sounds


def plan(*, budget: float = 10.0, steps: int | None = None) -> Plan:
    """Of seven trainings: three folds, the same with half, and the final one."""
    request = AdaptRequest(stems="songs", budget_minutes=budget, steps=steps)
    return Plan.model_construct(
        request=request, rule=find_rule(3.0), remarks=("heard",),
        folds=("1", "2", "3"), smaller=(("1", "2", "3"),), steps=0, look_every=0, step_seconds=0.0,
    )  # fmt: skip


def paced(*times: float) -> Pace:
    pace = Pace()
    for now in times:
        pace.step(now)
    return pace


def test_steps_fill_the_budget_and_leave_time_for_the_rest() -> None:
    timed = with_steps(plan(), 1.0)  # .65 * 600 s / 7
    assert (timed.steps, timed.look_every, timed.remarks) == (55, 11, ("heard",))
    assert with_steps(plan(budget=20.0), 1.0).steps == 110
    assert with_steps(plan(budget=1000.0), 1.0).steps == find_rule(3.0).most_steps


def test_a_slow_machine_is_called_slow_until_it_is_not() -> None:
    slow = with_steps(plan(), 12.0)
    assert slow.steps == 10
    assert slow.remarks == ("heard", "this machine is slow for the model: about 22 minutes are needed at least")
    assert with_steps(slow, 1.0).remarks == ("heard",)


def test_only_a_pace_that_misses_by_far_changes_the_plan() -> None:
    timed = with_steps(plan(), 1.0)
    assert paced(0.0, 1.2, 2.4).better_plan(timed) is None
    assert paced(0.0).better_plan(timed) is None
    quick, slow = paced(0.0, 0.5, 1.0, 9.0).better_plan(timed), paced(0.0, 2.0, 4.0).better_plan(timed)
    assert quick is not None
    assert quick.steps == 110
    assert slow is not None
    assert slow.steps == 25


def test_steps_that_were_asked_for_stay() -> None:
    assert paced(0.0, 99.0).better_plan(plan(steps=50).model_copy(update={"steps": 50})) is None


def test_a_first_fold_that_is_quicker_than_was_timed_begins_again(
    write: Write, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        stems = write(f"song {number}", sounds(number))
    seconds = iter(range(1000))
    monkeypatch.setattr(planning, "_seconds_of_a_step", lambda *_: 100.0)
    step = Pace.step
    monkeypatch.setattr(Pace, "step", lambda self: step(self, float(next(seconds))))
    request = AdaptRequest(stems=str(stems), base=str(base), num_folds=2, budget_minutes=2.0)
    told: list[Progress] = []
    done = adapt(request, tmp_path / "out", execution=EXECUTION, tell=told.append)
    kept = read_plan(tmp_path / "out", request)
    assert kept is not None
    assert kept == done.plan
    assert (kept.steps, kept.look_every, kept.step_seconds) == (15, 3, 1.0)  # .65 * 120 s / 5
    assert not any("slow" in remark for remark in kept.remarks)
    assert [event.message for event in told if "a step takes" in event.message] == [
        "a step takes 1.0 s, not 100.0 s: at most 15 steps instead of 10"
    ]
    assert all(step % 3 == 0 for curve in done.outcome.curves for step in curve)

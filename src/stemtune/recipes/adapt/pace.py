"""How many steps fit the budget: from a few timed before, and once more from the first that count.

    steps = share of the budget / (trainings x seconds of a step),   not more than the rule allows

Four steps are soon timed, but something else may run on the machine meanwhile: once it was 12 s for what took half a
second a minute later, and nine tenths of the budget would not have been used. So the first fold is looked at again.
"""

import time
from itertools import pairwise
from statistics import median

from stemtune.recipes.adapt.plan import Plan

__all__ = ["NUM_LOOKS", "Pace", "with_steps"]

NUM_LOOKS = 5
_TRAINING_SHARE = 0.65  # of the budget; the rest is for listening, looking and scoring
_FEWEST_STEPS = 10
_WORTH_IT = 1.4  # times as many steps, or as few: worth beginning again
_SLOW = "this machine is slow for the model"


def with_steps(plan: Plan, step_seconds: float) -> Plan:
    """The plan with the steps that fit its budget, unless they were asked for.

    Args:
        plan: see `Plan`; whatever it says of steps is replaced.
        step_seconds: what a step takes.
    """
    if plan.request.steps is not None:
        return plan
    seconds = _TRAINING_SHARE * plan.request.budget_minutes * 60
    affordable = int(seconds / plan.num_trainings / max(step_seconds, 1e-6))
    steps = max(_FEWEST_STEPS, min(affordable, plan.rule.most_steps))
    look_every = steps // NUM_LOOKS
    remarks = tuple(remark for remark in plan.remarks if not remark.startswith(_SLOW))
    if affordable < _FEWEST_STEPS:
        wanted = plan.num_trainings * _FEWEST_STEPS * step_seconds / _TRAINING_SHARE / 60
        remarks = (*remarks, f"{_SLOW}: about {wanted:.0f} minutes are needed at least")
    return plan.model_copy(
        update={"steps": look_every * NUM_LOOKS, "look_every": look_every, "step_seconds": step_seconds,
                "remarks": remarks}
    )  # fmt: skip


class Pace:
    """The steps of a training as they come, and what they mean for a plan."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def step(self, now: float | None = None) -> None:
        """One more step is done.

        Args:
            now: in seconds; the clock's time if None.
        """
        self._times.append(time.monotonic() if now is None else now)

    def better_plan(self, plan: Plan) -> Plan | None:
        """The plan with other steps, if these steps show that the planned ones miss the budget by far.

        Args:
            plan: by which they were made.
        """
        if len(self._times) < 2:
            return None
        found = with_steps(plan, median(after - before for before, after in pairwise(self._times)))
        ratio = found.steps / plan.steps
        return found if max(ratio, 1 / ratio) >= _WORTH_IT else None

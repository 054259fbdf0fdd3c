"""Learning rates over time, as a factor of the phase's rate.

Constant, step and cosine schedules are functions of the step alone. The plateau schedule lowers the factor when what it
watches has not improved for a while:

    factor <- factor * decay    after `patience` observations in a row without a new best.

References:
    facts on Bugler et al., 2021: halved after five means of 100 training losses without improvement.
    Sawata et al., 2021 / Hung and Lerch, 2022: validation loss, factor .3, patience 10.
"""

import math
from typing import Literal

from pydantic import Field

from stemtune.config import Frozen

__all__ = ["Plateau", "Schedule", "factor"]


class Schedule(Frozen):
    """How the learning rate changes; settings that the kind does not use are ignored by it."""

    kind: Literal["constant", "step", "cosine", "plateau"] = "constant"
    warmup_steps: int = Field(default=0, ge=0, description="linear, from zero")
    every_steps: int = Field(
        default=100, ge=1, description="step: between drops; plateau on training loss: length of a mean"
    )
    decay: float = Field(
        default=0.5, gt=0, le=1, description="step and plateau: factor of each drop; cosine: where it ends"
    )
    patience: int = Field(default=5, ge=0, description="plateau: observations without improvement that are tolerated")
    watch: Literal["validation", "training_loss"] = Field(default="validation", description="plateau: what it observes")


def factor(schedule: Schedule, *, step: int, steps: int) -> float:
    """The factor at a step (counted from zero) of a phase of ``steps``; the plateau's own factor is not included."""
    warmup = min(1.0, (step + 1) / schedule.warmup_steps) if schedule.warmup_steps else 1.0
    if schedule.kind == "step":
        return warmup * schedule.decay ** (step // schedule.every_steps)
    if schedule.kind == "cosine":
        progress = min(1.0, step / max(1, steps))
        return warmup * (schedule.decay + (1 - schedule.decay) * (1 + math.cos(math.pi * progress)) / 2)
    return warmup


class Plateau(Frozen):
    """The state of the plateau schedule; `observe` returns the next one."""

    factor: float = 1.0
    best: float | None = None
    waiting: int = 0

    def observe(self, loss: float, schedule: Schedule) -> "Plateau":
        """The state after another observation (lower is better)."""
        if self.best is None or loss < self.best:
            return Plateau(factor=self.factor, best=loss, waiting=0)
        if self.waiting < schedule.patience:
            return Plateau(factor=self.factor, best=self.best, waiting=self.waiting + 1)
        return Plateau(factor=self.factor * schedule.decay, best=self.best, waiting=0)

"""What every objective is: a function from an estimate and the truth to a loss.

Some objectives compare with what a frozen network makes of the true stems: a teacher, or a listener. They name it,
and whoever trains hands it in, for objectives know nothing of models:

    objective = taught(config.build(), find),     find: name -> Teacher.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from stemtune.types import Batch, Estimate, Loss

__all__ = ["FindTeacher", "Objective", "Taught", "Teacher", "taught"]


@runtime_checkable
class Objective(Protocol):
    """Pulls estimates towards the truth; ``needs`` names the fields of `Estimate` that it reads."""

    needs: frozenset[str]

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch."""
        ...


@runtime_checkable
class Teacher(Protocol):
    """A frozen network that says what it makes of a waveform; no gradient passes through it."""

    def __call__(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        """Features of a waveform at the rate of the separator that is taught."""
        ...


FindTeacher = Callable[[str], Teacher]
"""Loads a teacher by the name or the folder of its model."""


@runtime_checkable
class Taught(Protocol):
    """An objective that needs teachers before its first batch."""

    def taught(self, find: FindTeacher) -> Objective:
        """The same objective with its teachers."""
        ...


def taught(objective: Objective, find: FindTeacher) -> Objective:
    """The objective with its teachers, if it needs any."""
    return objective.taught(find) if isinstance(objective, Taught) else objective

"""What every objective is: a function from an estimate and the truth to a loss.

Some objectives compare with what a frozen network makes of the true stems: a teacher, or a listener. They name it,
and whoever trains hands it in, for objectives know nothing of models:

    objective = taught(config.build(), find),     find: name -> Teacher.

Some have parameters of their own, which move with the separator's and are left behind when training ends:

    objective = fitted(objective, grid),     parameters = separator's + learned(objective)'s.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from stemtune.types import Batch, Estimate, LatentGrid, Loss

__all__ = [
    "FindTeacher",
    "Fitted",
    "Learning",
    "ListeningTeacher",
    "Objective",
    "Taught",
    "Teacher",
    "fitted",
    "learned",
    "taught",
]


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


@runtime_checkable
class ListeningTeacher(Teacher, Protocol):
    """A teacher that describes sound of any kind, frame by frame, each frame by itself: a frozen listener.

    Attributes:
        own_rate: the rate at which it hears, in Hz; waveforms at ``sample_rate`` are resampled to it.
        sample_rate: of the separator that is taught.
        hop_seconds: from one description to the next.
        width: numbers in a description.
    """

    own_rate: int
    sample_rate: int
    hop_seconds: float
    width: int


FindTeacher = Callable[[str], Teacher]
"""Loads a teacher by the name or the folder of its model."""


@runtime_checkable
class Taught(Protocol):
    """An objective that needs teachers before its first batch."""

    def taught(self, find: FindTeacher) -> Objective:
        """The same objective with its teachers."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """An objective that needs to know the separator's latents before its first batch."""

    def fitted(self, grid: LatentGrid | None, *, num_stems: int) -> Objective:
        """The same objective for latents of these sizes, with fresh parameters; None where there are no latents."""
        ...


@runtime_checkable
class Learning(Protocol):
    """An objective with parameters of its own."""

    def learned(self) -> nn.Module:
        """The module that holds them; an empty one if there are none after all."""
        ...


def taught(objective: Objective, find: FindTeacher) -> Objective:
    """The objective with its teachers, if it needs any."""
    return objective.taught(find) if isinstance(objective, Taught) else objective


def fitted(objective: Objective, grid: LatentGrid | None, *, num_stems: int) -> Objective:
    """The objective for latents of these sizes, if it asks for them."""
    return objective.fitted(grid, num_stems=num_stems) if isinstance(objective, Fitted) else objective


def learned(objective: Objective) -> nn.Module:
    """What of the objective moves while the separator learns; an empty module if nothing does."""
    return objective.learned() if isinstance(objective, Learning) else nn.Module()

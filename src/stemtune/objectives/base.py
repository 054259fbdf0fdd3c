"""What every objective is: a function from an estimate and the truth to a loss."""

from typing import Protocol

from stemtune.types import Batch, Estimate, Loss

__all__ = ["Objective"]


class Objective(Protocol):
    """Pulls estimates towards the truth; ``needs`` names the fields of `Estimate` that it reads."""

    needs: frozenset[str]

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch."""
        ...

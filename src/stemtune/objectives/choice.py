"""Every objective that a phase can be given, by its ``kind``; and weighted sums of them:

    L = sum_k weight_k L_k.

A part whose weight is zero is only watched: it appears in the log and pulls nothing.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field

from stemtune.config import Config, Frozen
from stemtune.objectives.base import FindTeacher, Objective, taught
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.quantisation import AutoEncodingConfig, LatentMatchConfig
from stemtune.objectives.spectral import MagnitudeL1Config, MagnitudeMSEConfig
from stemtune.objectives.waveform import NegativeSNRConfig, WaveformL1Config
from stemtune.objectives.waveform_mse import WaveformMSEConfig
from stemtune.types import Batch, Estimate, Loss

__all__ = ["ObjectiveConfig", "SingleObjectiveConfig", "WeightedObjective", "WeightedSum", "WeightedSumConfig"]

SingleObjectiveConfig = Annotated[
    AutoEncodingConfig
    | ClusteringConfig
    | LatentMatchConfig
    | MagnitudeL1Config
    | MagnitudeMSEConfig
    | NegativeSNRConfig
    | WaveformL1Config
    | WaveformMSEConfig,
    Field(discriminator="kind"),
]


class WeightedObjective(Frozen):
    """One part of a sum."""

    weight: float = Field(ge=0)
    objective: SingleObjectiveConfig


class WeightedSumConfig(Config[Objective]):
    """The sum of some objectives, each with its weight."""

    kind: Literal["weighted_sum"] = "weighted_sum"
    parts: tuple[WeightedObjective, ...] = Field(min_length=1)

    def build(self) -> "WeightedSum":
        """The objective."""
        return WeightedSum(self)


class WeightedSum:
    """See the module's equation; its log has the parts of all its parts, unweighted."""

    def __init__(self, config: WeightedSumConfig, find: FindTeacher | None = None) -> None:
        self._config = config
        built = [(part.weight, part.objective.build()) for part in config.parts]
        self._parts = [(weight, taught(objective, find)) for weight, objective in built] if find else built
        self.needs = frozenset[str]().union(*(objective.needs for _, objective in self._parts))

    def taught(self, find: FindTeacher) -> "WeightedSum":
        """The same sum with the teachers of its parts."""
        return WeightedSum(self._config, find)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch."""
        total = estimate.sources.new_zeros(())
        parts: dict[str, float] = {}
        for weight, objective in self._parts:
            with torch.set_grad_enabled(torch.is_grad_enabled() and weight > 0):
                loss = objective(estimate, batch)
            if weight > 0:
                total = total + weight * loss.total
            parts.update(loss.parts)
        return Loss(total=total, parts=parts)


ObjectiveConfig = Annotated[SingleObjectiveConfig | WeightedSumConfig, Field(discriminator="kind")]

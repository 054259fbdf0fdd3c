"""Every objective that a phase can be given, by its ``kind``; and weighted sums of them:

    L = sum_k weight_k L_k.

A part whose weight is zero is only watched: it appears in the log and pulls nothing.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from stemtune.config import Config, Frozen
from stemtune.objectives.base import FindTeacher, Objective, fitted, learned, taught
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.latent import ConRegConfig, DisRegConfig
from stemtune.objectives.multi_domain import MultiDomainConfig
from stemtune.objectives.quantisation import AutoEncodingConfig, LatentMatchConfig
from stemtune.objectives.spectral import MagnitudeL1Config, MagnitudeMSEConfig
from stemtune.objectives.waveform import NegativeSNRConfig, WaveformL1Config
from stemtune.objectives.waveform_mse import WaveformMSEConfig
from stemtune.types import Batch, Estimate, LatentGrid, Loss

__all__ = ["ObjectiveConfig", "SingleObjectiveConfig", "WeightedObjective", "WeightedSum", "WeightedSumConfig"]

SingleObjectiveConfig = Annotated[
    AutoEncodingConfig
    | ClusteringConfig
    | ConRegConfig
    | DisRegConfig
    | LatentMatchConfig
    | MagnitudeL1Config
    | MagnitudeMSEConfig
    | MultiDomainConfig
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

    def __init__(self, config: WeightedSumConfig, objectives: Sequence[Objective] | None = None) -> None:
        self._config = config
        self._objectives = list(objectives or (part.objective.build() for part in config.parts))
        self.needs = frozenset[str]().union(*(objective.needs for objective in self._objectives))

    def taught(self, find: FindTeacher) -> "WeightedSum":
        """The same sum with the teachers of its parts."""
        return WeightedSum(self._config, [taught(objective, find) for objective in self._objectives])

    def fitted(self, grid: LatentGrid | None, *, num_stems: int) -> "WeightedSum":
        """The same sum for latents of these sizes."""
        return WeightedSum(
            self._config, [fitted(objective, grid, num_stems=num_stems) for objective in self._objectives]
        )

    def learned(self) -> nn.Module:
        """The parameters of its parts."""
        return nn.ModuleList(learned(objective) for objective in self._objectives)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch."""
        total = estimate.sources.new_zeros(())
        parts: dict[str, float] = {}
        weights = (part.weight for part in self._config.parts)
        for weight, objective in zip(weights, self._objectives, strict=True):
            with torch.set_grad_enabled(torch.is_grad_enabled() and weight > 0):
                loss = objective(estimate, batch)
            if weight > 0:
                total = total + weight * loss.total
            parts.update(loss.parts)
        return Loss(total=total, parts=parts)


ObjectiveConfig = Annotated[SingleObjectiveConfig | WeightedSumConfig, Field(discriminator="kind")]

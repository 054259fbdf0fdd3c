"""The mean squared error of the waveforms: what Demucs was compared with.

    L = mean (s - s_hat)^2

References:
    Defossez, Usunier, Bottou and Bach, 2019, Table 2 ("MSE loss").

Deviations:
    None known.
"""

from typing import Literal

from stemtune.config import Config
from stemtune.objectives.base import Objective
from stemtune.types import Batch, Estimate, Loss

__all__ = ["WaveformMSE", "WaveformMSEConfig"]


class WaveformMSEConfig(Config[Objective]):
    """Nothing to set."""

    kind: Literal["waveform_mse"] = "waveform_mse"

    def build(self) -> "WaveformMSE":
        """The objective."""
        return WaveformMSE()


class WaveformMSE:
    """Mean squared error over everything."""

    needs = frozenset({"sources"})

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """See the module's equation."""
        total = (estimate.sources - batch.sources).square().mean()
        return Loss(total=total, parts={"waveform_mse": total.item()})

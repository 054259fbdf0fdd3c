"""Objectives on magnitude spectrograms.

`MagnitudeMSE` is the one of Open-Unmix and X-UMX, the mean squared error between masked and true magnitudes:

    L = mean (|M X| - |S|)^2

References:
    Stoeter, Uhlich, Liutkus and Mitsufuji, "Open-Unmix: a reference implementation for music source separation", 2019.
    Sawata, Uhlich, Takahashi and Mitsufuji, "All for one and one for all", 2021 (Eq. 1, without its combinations).

Deviations:
    None known.
"""

from typing import Literal

import torch
from pydantic import Field

from stemtune.config import Config
from stemtune.objectives.base import Objective
from stemtune.signal.stft import stft
from stemtune.types import Batch, Estimate, Loss

__all__ = ["MagnitudeMSE", "MagnitudeMSEConfig"]


class MagnitudeMSEConfig(Config[Objective]):
    """Mean squared error of the magnitudes at the model's own transform."""

    kind: Literal["magnitude_mse"] = "magnitude_mse"
    n_fft: int = Field(default=4096, ge=16)
    hop_length: int = Field(default=1024, ge=4)

    def build(self) -> "MagnitudeMSE":
        """The objective."""
        return MagnitudeMSE(self)


class MagnitudeMSE:
    """See the module's equation."""

    needs = frozenset({"magnitudes"})

    def __init__(self, config: MagnitudeMSEConfig) -> None:
        self._config = config
        self._window = torch.hann_window(config.n_fft)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch."""
        if estimate.magnitudes is None:
            raise ValueError("MagnitudeMSE needs Estimate.magnitudes")
        window = self._window.to(batch.sources.device)
        truth = stft(batch.sources, n_fft=self._config.n_fft, hop_length=self._config.hop_length, window=window).abs()
        total = (estimate.magnitudes - truth).square().mean()
        return Loss(total=total, parts={"magnitude_mse": total.item()})

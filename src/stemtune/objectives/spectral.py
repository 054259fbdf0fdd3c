"""Objectives on magnitude spectrograms.

`MagnitudeMSE` is the one of Open-Unmix and X-UMX, the mean squared error between masked and true magnitudes:

    L = mean (|M X| - |S|)^2

`MagnitudeL1` is the mask inference of chimera networks, on magnitudes in units of amplitude (`signal.scaled_stft`):

    L = mean ||M X| - |S||,    as it stands, or the least over all orders of the sources of each example.

References:
    Stoeter, Uhlich, Liutkus and Mitsufuji, "Open-Unmix: a reference implementation for music source separation", 2019.
    Sawata, Uhlich, Takahashi and Mitsufuji, "All for one and one for all", 2021 (Eq. 1, without its combinations).
    Bugler, Pardo and Seetharaman, "A study of transfer learning in music source separation" (Eq. 2, in fixed order).
    Kolbaek, Yu, Tan and Jensen, "Multitalker speech separation with utterance-level permutation invariant training of
    deep recurrent neural networks", 2017: one order for a whole example.

Deviations:
    nussl's permutation-invariant loss lets every bin choose an order of its own; ours chooses one for each example.
"""

from itertools import permutations
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.objectives.base import Objective
from stemtune.signal.scaled_stft import scaled_stft, sqrt_hann
from stemtune.signal.stft import stft
from stemtune.types import Batch, Estimate, Loss

__all__ = ["MagnitudeL1", "MagnitudeL1Config", "MagnitudeMSE", "MagnitudeMSEConfig"]


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


class MagnitudeL1Config(Config[Objective]):
    """Mean absolute error of the magnitudes at the model's own scaled transform."""

    kind: Literal["magnitude_l1"] = "magnitude_l1"
    n_fft: int = Field(default=512, ge=16)
    hop_length: int = Field(default=128, ge=4)
    permutation_invariant: bool = Field(default=False, description="for sources that have no names")

    def build(self) -> "MagnitudeL1":
        """The objective."""
        return MagnitudeL1(self)


class MagnitudeL1:
    """See the module's second equation."""

    needs = frozenset({"magnitudes"})

    def __init__(self, config: MagnitudeL1Config) -> None:
        self._config = config
        self._window = sqrt_hann(config.n_fft)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch; what an example lacks is silence, and its mask shall be zero."""
        if estimate.magnitudes is None:
            raise ValueError("MagnitudeL1 needs Estimate.magnitudes")
        window = self._window.to(batch.sources.device)
        truth = scaled_stft(batch.sources.float(), hop_length=self._config.hop_length, window=window).abs()
        if self._config.permutation_invariant:
            total = _least_over_orders(estimate.magnitudes, truth)
        else:
            total = (estimate.magnitudes - truth).abs().mean()
        return Loss(total=total, parts={"magnitude_l1": total.item()})


def _least_over_orders(estimate: Tensor, truth: Tensor) -> Tensor:
    """The mean over examples of the least mean absolute error among all orders of the stems."""
    stems = range(estimate.shape[1])
    pairs = [[(estimate[:, i] - truth[:, j]).abs().mean(dim=(1, 2, 3)) for j in stems] for i in stems]
    sums = [torch.stack([pairs[i][j] for i, j in enumerate(order)]).mean(dim=0) for order in permutations(stems)]
    return torch.stack(sums).amin(dim=0).mean()

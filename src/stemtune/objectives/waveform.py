"""Objectives on waveforms.

`WaveformL1` is the mean absolute error. `NegativeSNR` is the error's energy in dB below the mixture's, with a threshold
below which nothing is gained, so that silent stems (for which a ratio to the stem is not defined) are learnt as well:

    L1 = mean |s - s_hat|            L = mean over stems of 10 log10( (|s - s_hat|^2 + tau |x|^2) / |x|^2 )

Its slope does not depend on how loud a stem is: quiet and loud stems, and quiet and loud songs, pull alike.

References:
    Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources", 2019 (Eq. 1): the L1.
    Wisdom et al., "What's all the fuss about free universal sound separation data?", 2021 (section 4): the threshold
    relative to the mixture.

Deviations:
    `NegativeSNR` uses the mixture's energy for all stems, not only for silent ones: this adds a constant for the rest.
"""

from typing import Literal

from pydantic import Field

from stemtune.config import Config
from stemtune.objectives.base import Objective
from stemtune.types import Batch, Estimate, Loss

__all__ = ["NegativeSNR", "NegativeSNRConfig", "WaveformL1", "WaveformL1Config"]


class WaveformL1Config(Config[Objective]):
    """The mean absolute error of the waveforms; nothing to set."""

    kind: Literal["waveform_l1"] = "waveform_l1"

    def build(self) -> "WaveformL1":
        """The objective."""
        return WaveformL1()


class WaveformL1:
    """Mean absolute error over everything."""

    needs = frozenset({"sources"})

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """See the module's first equation."""
        total = (estimate.sources - batch.sources).abs().mean()
        return Loss(total=total, parts={"waveform_l1": total.item()})


class NegativeSNRConfig(Config[Objective]):
    """Energy of the error relative to the mixture's."""

    kind: Literal["negative_snr"] = "negative_snr"
    threshold_db: float = Field(
        default=-18.0,
        description="10 log10(tau): errors below this are good enough; much lower values reward silence where a stem "
        "is absent so richly that a rarely heard stem may be given up",
    )

    def build(self) -> "NegativeSNR":
        """The objective."""
        return NegativeSNR(self)


class NegativeSNR:
    """Thresholded error energy in dB; lower is better."""

    needs = frozenset({"sources"})

    def __init__(self, config: NegativeSNRConfig) -> None:
        self._tau = 10 ** (config.threshold_db / 10)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """See the module's second equation; silent mixtures weigh next to nothing."""
        error = (estimate.sources - batch.sources).square().sum(dim=(2, 3))
        mixture = batch.mixture.square().sum(dim=(1, 2)).clamp_min(1e-5)[:, None]
        levels = 10 * (error / mixture + self._tau).log10()
        means = levels.detach().mean(dim=0)
        parts = {stem: float(mean) for stem, mean in zip(batch.stems, means, strict=True)}
        return Loss(total=levels.mean(), parts=parts)

"""X-UMX's own objective: spectrograms and waveforms, of stems and of what several stems sum to.

With all sets ``C`` of one to ``J - 1`` of the ``J`` stems (14 for four), or the single stems alone,

    L_f = mean over C of mean( (sum_C |M_j X| - sum_C |S_j|)^2 )
    L_t = mean over C of -a cos(s_C, s_hat_C) - (1 - a) cos(x - s_C, x - s_hat_C)
    L   = L_f + time_weight (1 + L_t),

where ``s_C`` is the sum of the stems in ``C``, a = |s_C|^2 / (|s_C|^2 + |x - s_C|^2), and signals are those of each
example and channel.

References:
    Sawata, Uhlich, Takahashi and Mitsufuji, "All for one and one for all", 2021 (section 3: multi-domain and
    combination loss). Choi et al., "Phase-aware speech enhancement with deep complex U-Net", 2019: the weighted SDR.

Deviations:
    Magnitudes of several stems are added, as in asteroid's recipe. Sony's code leaves 200 samples at each end out of
    L_t; here, as in asteroid's, all count. Hung and Lerch use neither extension; `MagnitudeMSE` is theirs.
"""

from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.errors import ConfigError
from stemtune.objectives.base import Objective
from stemtune.signal.stft import stft
from stemtune.types import Batch, Estimate, Loss

__all__ = ["MultiDomain", "MultiDomainConfig", "stem_sets", "weighted_sdr"]

_EPSILON = 1e-10


class MultiDomainConfig(Config[Objective]):
    """Which of both extensions are used; the model's own transform."""

    kind: Literal["multi_domain"] = "multi_domain"
    combine: bool = Field(default=True, description="sums of several stems, too")
    time_weight: float = Field(default=10.0, ge=0, description="of the waveforms; 0 leaves them out")
    n_fft: int = Field(default=4096, ge=16)
    hop_length: int = Field(default=1024, ge=4)

    def build(self) -> "MultiDomain":
        """The objective."""
        return MultiDomain(self)


class MultiDomain:
    """See the module's equations."""

    needs = frozenset({"magnitudes", "sources"})

    def __init__(self, config: MultiDomainConfig) -> None:
        self._config = config
        self._window = torch.hann_window(config.n_fft)

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch.

        Raises:
            ConfigError: if the separator offers no magnitudes.
        """
        if estimate.magnitudes is None:
            raise ConfigError("multi_domain needs Estimate.magnitudes, and the separator's estimate has none")
        window = self._window.to(batch.sources.device)
        truth = stft(batch.sources, n_fft=self._config.n_fft, hop_length=self._config.hop_length, window=window).abs()
        sets = stem_sets(len(batch.stems), combine=self._config.combine).to(truth)
        frequency = torch.einsum("sj,bjcft->bscft", sets, estimate.magnitudes - truth).square().mean()
        parts, total = {"frequency": frequency.item()}, frequency
        if self._config.time_weight > 0:
            time = weighted_sdr(
                estimate=torch.einsum("sj,bjct->bsct", sets, estimate.sources),
                reference=torch.einsum("sj,bjct->bsct", sets, batch.sources),
                mixture=batch.mixture.unsqueeze(1),
            )
            parts["time"] = time.item()
            total = total + self._config.time_weight * (1 + time)
        return Loss(total=total, parts=parts)


def stem_sets(num_stems: int, *, combine: bool) -> Float[Tensor, "set stem"]:
    """One row of zeros and ones for each set of stems: the single ones, and all larger ones but the whole."""
    sizes = range(1, max(2, num_stems)) if combine else range(1, 2)
    rows = [
        [float(stem in chosen) for stem in range(num_stems)]
        for size in sizes
        for chosen in combinations(range(num_stems), size)
    ]
    return torch.tensor(rows)


def weighted_sdr(
    *,
    estimate: Float[Tensor, "batch set channel time"],
    reference: Float[Tensor, "batch set channel time"],
    mixture: Float[Tensor, "batch 1 channel time"],
) -> Float[Tensor, ""]:
    """L_t: between -1, where all is right, and 1."""
    rest, rest_estimate = mixture - reference, mixture - estimate
    own, others = reference.square().sum(dim=-1), rest.square().sum(dim=-1)
    weight = own / (own + others + _EPSILON)
    return -(weight * _cosine(estimate, reference) + (1 - weight) * _cosine(rest_estimate, rest)).mean()


def _cosine(one: Float[Tensor, "*axes time"], two: Float[Tensor, "*axes time"]) -> Float[Tensor, "*axes"]:
    """Of the angle between signals; zero if one of them is silent."""
    lengths = (_EPSILON + one.square().sum(dim=-1)).sqrt() * (_EPSILON + two.square().sum(dim=-1)).sqrt()
    return (one * two).sum(dim=-1) / lengths

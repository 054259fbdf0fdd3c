"""sdr_global: how much louder than its error an estimate's stem is, over a whole track (the MDX definition).

    sdr_global = 10 log10( (sum_{c,t} s^2 + 1e-7) / (sum_{c,t} (s - e)^2 + 1e-7) ),

for a reference s and an estimate e, summed over all channels and samples of the track. One number per stem and
track; over several tracks it is averaged, over several stems likewise.

Conventions:
    Decibels, higher is better. The reference is not rescaled: an estimate that is right but half as loud scores
    6.02 dB, and silence scores 0 dB, below which an estimate is worse than none. The scale of the samples matters
    only through the constant 1e-7, which is the energy of a hundred samples that are wrong by one 16-bit step. Sums
    are made in float64.

Edge cases:
    A silent reference: the value is what the definition gives, 10 log10(1e-7 / (energy of the estimate + 1e-7)),
    which is 0 dB for a silent estimate and very negative for any other. A perfect estimate scores
    10 log10(energy / 1e-7), about 100 dB, not infinity. No samples at all: 0 dB. Values that are not finite make
    the score NaN.

References:
    Mitsufuji et al., "Music Demixing Challenge 2021", Frontiers in Signal Processing 1 (2022), equation 1. It is not
    the SDR of BSSEval version 4 (museval), which takes medians over frames of one second.

Deviations:
    None known. (Sums are float64 where the challenge's own code uses the type of its input.)
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from stemtune.evaluation.metrics.inputs import Samples, checked_pair, checked_rate, require_equal_shapes

__all__ = ["GlobalSDR", "sdr_global"]

STABILISER = 1e-7
BLOCK_SAMPLES = 1 << 20  # bounds the float64 copies


def sdr_global(*, estimate: Samples, reference: Samples, sample_rate: int | None = None) -> Float64[Tensor, "stem"]:
    """Score every stem of a whole track; see the module for conventions and edge cases.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: in Hz; the score does not depend on it.

    Returns:
        dB per stem.

    Raises:
        InputError: if the shapes differ.
    """
    if sample_rate is not None:
        checked_rate(sample_rate)
    estimates, references = checked_pair(estimate=estimate, reference=reference)
    total = GlobalSDR(num_stems=references.shape[0])
    for start in range(0, references.shape[-1], BLOCK_SAMPLES):
        stop = start + BLOCK_SAMPLES
        total.update(estimate=estimates[..., start:stop], reference=references[..., start:stop])
    return total.compute()


class GlobalSDR:
    """The same score, gathered block by block, for tracks that are larger than memory.

    The blocks must be aligned with each other, follow no particular order, and may have any lengths.
    """

    def __init__(self, *, num_stems: int) -> None:
        self._signal = torch.zeros(num_stems, dtype=torch.float64)
        self._error = torch.zeros(num_stems, dtype=torch.float64)

    def update(
        self, *, estimate: Float[Tensor, "stem channel time"], reference: Float[Tensor, "stem channel time"]
    ) -> None:
        """Add the energies of one block.

        Raises:
            InputError: if the shapes differ.
        """
        require_equal_shapes(estimate=estimate, reference=reference)
        exact = reference.detach().to("cpu", torch.float64)
        error = exact - estimate.detach().to("cpu", torch.float64)
        self._signal = self._signal + exact.square().sum(dim=(1, 2))
        self._error = self._error + error.square().sum(dim=(1, 2))

    def compute(self) -> Float64[Tensor, "stem"]:
        """Score per stem over everything added so far; 0 dB if nothing was."""
        return 10 * torch.log10((self._signal + STABILISER) / (self._error + STABILISER))

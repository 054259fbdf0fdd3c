"""A floor of faint noise under references that hold nothing in some band, so that BSSEval's filters have bounds.

Resampled or lossy stems are empty above some frequency. There the filters of 512 taps multiply next to nothing by next
to anything, and where museval cuts songs into frames, the cuts' broad spectra are multiplied as well: SIR of -20 dB and
SAR of 0 dB come out for estimates that sound well.

    reference' = reference + 10^(floor / 20) rms(mixture) noise     where the reference is not zero

Exact silence stays silent, so frames without a stem are left out as ever.

References:
    None; museval 0.4.1 has no such floor, and scores of the two are not comparable but for the SDR.
"""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["with_noise_floor"]


def with_noise_floor(
    reference: Float[Tensor, "source channel time"], *, floor_db: float
) -> Float[Tensor, "source channel time"]:
    """Add white Gaussian noise that is the same in every call, its level relative to the mixture's.

    Args:
        reference: true sources.
        floor_db: level of the noise of each source in dB relative to the sum of the sources, such as -60.
    """
    level = 10 ** (floor_db / 20) * float(reference.sum(dim=0).square().mean().sqrt())
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(0)).to(reference)
    return reference + level * noise * (reference != 0)

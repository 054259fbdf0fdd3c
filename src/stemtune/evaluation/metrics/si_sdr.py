"""si_sdr: how much of an estimate is its reference at any loudness (scale-invariant signal-to-distortion ratio).

    alpha  = <e, s> / <s, s>,
    si_sdr = 10 log10( |alpha s|^2 / |e - alpha s|^2 ),

for a reference s and an estimate e of one channel over the whole track; with ``zero_mean`` (the default) both have
their mean over time removed first. Channels are averaged, in dB.

Conventions:
    Decibels, higher is better. Multiplying the estimate or the reference by any number other than 0, a negative one
    included, changes nothing: the score does not notice a wrong level or polarity, so read it beside `sdr_global`,
    which does. No constant is added anywhere. Sums are made in float64.

Edge cases:
    A perfect estimate, at any level: inf. A silent reference (constant, if ``zero_mean``) has no score: a channel
    whose reference is silent is left out of the average, and a stem that is silent in all channels scores NaN. A
    silent estimate of a reference that sounds: -inf, so that silence is never rewarded. Values that are not finite
    make the score NaN.

References:
    Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019, equation 3 (without removing
    the mean). nussl's ``BSSEvalScale`` removes it; Bugler et al. report that.

Deviations:
    nussl gives NaN for a silent estimate, and for a stem of which any one channel is silent.
"""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from stemtune.errors import InputError

__all__ = ["si_sdr"]


def si_sdr(
    *,
    estimate: Float[Tensor, "stem channel time"],
    reference: Float[Tensor, "stem channel time"],
    zero_mean: bool = True,
) -> Float64[Tensor, "stem"]:
    """Score every stem of a whole track; see the module for conventions and edge cases.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        zero_mean: remove each channel's mean over time first.

    Returns:
        dB per stem; may be NaN, inf or -inf.

    Raises:
        InputError: if the shapes differ.
    """
    if estimate.shape != reference.shape:
        raise InputError(
            f"an estimate of shape {tuple(estimate.shape)} cannot be scored against a reference of shape "
            f"{tuple(reference.shape)}; both must be the same stems, channels and samples"
        )
    stems = zip(estimate.detach().cpu(), reference.detach().cpu(), strict=True)
    return torch.tensor([_one_stem(e, s, zero_mean=zero_mean) for e, s in stems], dtype=torch.float64)


def _one_stem(estimate: Tensor, reference: Tensor, *, zero_mean: bool) -> float:
    values = [
        _one_channel(e.double(), s.double(), zero_mean=zero_mean)
        for e, s in zip(estimate, reference, strict=True)
        if not _is_silent(s, zero_mean=zero_mean)
    ]
    return sum(values) / len(values) if values else math.nan


def _one_channel(estimate: Tensor, reference: Tensor, *, zero_mean: bool) -> float:
    if _is_silent(estimate, zero_mean=zero_mean):
        return -math.inf
    if zero_mean:
        estimate, reference = estimate - estimate.mean(), reference - reference.mean()
    scaled = reference * (torch.dot(estimate, reference) / torch.dot(reference, reference))
    error = estimate - scaled
    return float(10 * torch.log10(torch.dot(scaled, scaled) / torch.dot(error, error)))


def _is_silent(channel: Tensor, *, zero_mean: bool) -> bool:
    """Whether nothing is left of a channel; compared exactly, since a rounded mean would leave a residue."""
    if channel.numel() == 0:
        return True
    lowest, highest = torch.aminmax(channel)
    return bool(lowest == highest) and (zero_mean or bool(lowest == 0))

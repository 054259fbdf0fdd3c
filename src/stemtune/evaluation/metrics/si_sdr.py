"""si_sdr: how much of an estimate is its reference at any loudness (scale-invariant signal-to-distortion ratio).

    alpha  = <e, s> / <s, s>,
    si_sdr = 10 log10( |alpha s|^2 / |e - alpha s|^2 ),

for a reference s and an estimate e of one channel over the whole track; with ``zero_mean`` (the default) both have
their mean over time removed first. Channels are averaged, in dB.

Conventions:
    Decibels, higher is better. Multiplying the estimate or the reference by any number other than 0, a negative one
    included, changes nothing: the score does not notice a wrong level or polarity, so read it beside `sdr_global`,
    which does, or `sd_sdr`. No constant is added anywhere. Sums are made in float64.

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
from jaxtyping import Float64
from torch import Tensor

from stemtune.evaluation.metrics.inputs import Samples
from stemtune.evaluation.metrics.per_channel import ChannelPair, mean_over_channels

__all__ = ["si_sdr"]


def si_sdr(
    *, estimate: Samples, reference: Samples, sample_rate: int | None = None, zero_mean: bool = True
) -> Float64[Tensor, "stem"]:
    """Score every stem of a whole track; see the module for conventions and edge cases.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: in Hz; the score does not depend on it.
        zero_mean: remove each channel's mean over time first.

    Returns:
        dB per stem; may be NaN, inf or -inf.

    Raises:
        InputError: if the shapes differ.
    """
    return mean_over_channels(
        _ratio,
        estimate=estimate,
        reference=reference,
        sample_rate=sample_rate,
        zero_mean=zero_mean,
        silent_estimate=-math.inf,
    )


def _ratio(pair: ChannelPair) -> Tensor:
    energy = pair.energy(reference=1.0)
    scale = pair.product() / energy
    return 10 * torch.log10(scale.square() * energy / pair.energy(estimate=1.0, reference=-scale))

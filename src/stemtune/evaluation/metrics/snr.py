"""snr and sd_sdr: what si_sdr says, with the level counting again.

    alpha  = <e, s> / <s, s>,
    snr    = 10 log10( |s|^2 / |e - s|^2 ),
    sd_sdr = 10 log10( |alpha s|^2 / |e - s|^2 )  =  snr + 10 log10( alpha^2 ),

for a reference s and an estimate e of one channel over the whole track; with ``zero_mean`` both have their mean over
time removed first. Channels are averaged, in dB.

Conventions:
    Decibels, higher is better. Both blame an estimate for a wrong level; snr blames one that is too loud more than
    one that is too soft, which scores up to 0 dB for nothing, while sd_sdr falls without bound on either side. No
    constant is added anywhere, unlike in `sdr_global`, which also takes all channels together. Sums are made in
    float64.

Edge cases:
    A perfect estimate: inf. A silent reference has no score: a channel whose reference is silent is left out of the
    average, and a stem that is silent in all channels scores NaN. A silent estimate of a reference that sounds: snr
    0 dB, sd_sdr -inf. Values that are not finite make the score NaN.

References:
    Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019, equations 1 and 6. nussl's
    ``BSSEvalScale`` gives the same with ``zero_mean``.

Deviations:
    None known.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from stemtune.evaluation.metrics.inputs import Samples
from stemtune.evaluation.metrics.per_channel import ChannelPair, mean_over_channels

__all__ = ["sd_sdr", "snr"]


def snr(
    *, estimate: Samples, reference: Samples, sample_rate: int | None = None, zero_mean: bool = False
) -> Float64[Tensor, "stem"]:
    """The signal-to-noise ratio of every stem of a whole track.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: in Hz; the score does not depend on it.
        zero_mean: remove each channel's mean over time first.

    Returns:
        dB per stem; may be NaN or inf.

    Raises:
        InputError: if the shapes differ.
    """
    return mean_over_channels(
        _snr, estimate=estimate, reference=reference, sample_rate=sample_rate, zero_mean=zero_mean
    )


def sd_sdr(
    *, estimate: Samples, reference: Samples, sample_rate: int | None = None, zero_mean: bool = False
) -> Float64[Tensor, "stem"]:
    """The scale-dependent signal-to-distortion ratio of every stem of a whole track.

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
        _sd_sdr, estimate=estimate, reference=reference, sample_rate=sample_rate, zero_mean=zero_mean
    )


def _snr(pair: ChannelPair) -> Tensor:
    return 10 * torch.log10(pair.energy(reference=1.0) / pair.energy(estimate=1.0, reference=-1.0))


def _sd_sdr(pair: ChannelPair) -> Tensor:
    energy = pair.energy(reference=1.0)
    scale = pair.product() / energy
    return 10 * torch.log10(scale.square() * energy / pair.energy(estimate=1.0, reference=-1.0))

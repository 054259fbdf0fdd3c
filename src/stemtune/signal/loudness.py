"""Loudness as broadcasters measure it: in LUFS, of what is heard and not of the pauses.

The sound is weighted as the ear does (K: a shelf for the head, a high-pass), its power is taken in blocks of 400 ms
that begin every 100 ms, quiet blocks are left out, and the rest is averaged:

    L = -0.691 + 10 log10( mean over blocks with l > max(-70, l' - 10) of  sum over channels of z ),

where z is a channel's mean square in a block, l the block's own loudness, and l' the average with l > -70 alone.

References:
    ITU-R BS.1770-4, Annex 1. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 2018:
    the analogue prototypes of the two filters, which give the standard's coefficients at 48 kHz.

Deviations:
    All channels weigh the same: the standard gives surround channels 1.41. Sounds shorter than a block are one block.
    The filters work on the spectrum, with their ringing cut off at 1e-9 of its beginning.
"""

import math
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SILENCE_LUFS", "integrated_loudness", "k_weighting_coefficients"]

SILENCE_LUFS = -70.0
"""Blocks that are not louder than this do not count."""

_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691
_BLOCK_SECONDS, _BLOCKS_PER_BLOCK = 0.4, 4
_RINGING_SECONDS = 0.15  # the high-pass decays by 239 nepers a second
_SHELF = (1681.974450955533, 3.999843853973347, 0.7071752369554196)  # Hz, dB, quality
_HIGH_PASS = (38.13547087602444, 0.5003270373238773)  # Hz, quality

Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]


def integrated_loudness(waveform: Float[Tensor, "channel time"], *, sample_rate: int) -> float:
    """The loudness of a whole sound in LUFS; minus infinity if no block of it is louder than -70."""
    powers = _block_powers(_weighted(waveform, sample_rate), sample_rate)
    loud = powers[_loudness(powers) > SILENCE_LUFS]
    if not loud.numel():
        return -math.inf
    gate = float(_loudness(loud.mean())) + _RELATIVE_GATE_LU
    return float(_loudness(loud[_loudness(loud) > gate].mean()))


def k_weighting_coefficients(sample_rate: int) -> tuple[Biquad, Biquad]:
    """Numerator and denominator of the shelf and of the high-pass at a sample rate in Hz."""
    frequency, gain_db, quality = _SHELF
    k = math.tan(math.pi * frequency / sample_rate)
    high = 10 ** (gain_db / 20)
    middle = high**0.4996667741545416
    norm = 1 + k / quality + k * k
    shelf = (
        (high + middle * k / quality + k * k) / norm,
        2 * (k * k - high) / norm,
        (high - middle * k / quality + k * k) / norm,
    )
    poles = (1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm)
    frequency, quality = _HIGH_PASS
    k = math.tan(math.pi * frequency / sample_rate)
    norm = 1 + k / quality + k * k
    low_poles = (1.0, 2 * (k * k - 1) / norm, (1 - k / quality + k * k) / norm)
    return (shelf, poles), ((1.0, -2.0, 1.0), low_poles)


def _weighted(waveform: Float[Tensor, "channel time"], sample_rate: int) -> Float[Tensor, "channel time"]:
    """Filter by multiplying spectra, with room for the ringing behind the end."""
    length = waveform.shape[1]
    size = _smooth(length + math.ceil(_RINGING_SECONDS * sample_rate))
    angle = torch.linspace(0.0, math.pi, size // 2 + 1, dtype=torch.float64)
    delay = torch.polar(torch.ones_like(angle), -angle)
    response = torch.ones_like(delay)
    for numerator, denominator in k_weighting_coefficients(sample_rate):
        response *= _polynomial(numerator, delay) / _polynomial(denominator, delay)
    spectrum = cast("Tensor", torch.fft.rfft(waveform, n=size))
    weighted = cast("Tensor", torch.fft.irfft(spectrum * response.to(spectrum.dtype), n=size))
    return weighted[:, :length]


def _block_powers(weighted: Float[Tensor, "channel time"], sample_rate: int) -> Float[Tensor, " block"]:
    """Mean square in each block, summed over channels."""
    length = weighted.shape[1]
    running = torch.nn.functional.pad(weighted.double().square().sum(dim=0).cumsum(dim=0), (1, 0))
    seconds = length / sample_rate
    step = _BLOCK_SECONDS / _BLOCKS_PER_BLOCK
    count = max(1, round((seconds - _BLOCK_SECONDS) / step) + 1)
    starts = torch.tensor([int(number * step * sample_rate) for number in range(count)])
    ends = torch.tensor([int((number * step + _BLOCK_SECONDS) * sample_rate) for number in range(count)])
    powers = running[ends.clamp(max=length)] - running[starts.clamp(max=length)]
    return powers.clamp_min(0.0) / min(_BLOCK_SECONDS * sample_rate, length)


def _loudness(power: Float[Tensor, "*block"]) -> Float[Tensor, "*block"]:
    return _OFFSET_DB + 10 * power.log10()


def _polynomial(coefficients: tuple[float, float, float], delay: Tensor) -> Tensor:
    first, second, third = coefficients
    return first + delay * (second + delay * third)


def _smooth(length: int) -> int:
    """The next length of the form 2^k or 3 * 2^k, for which transforms are quick, and which is even."""
    power = 1 << (length - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= length else power

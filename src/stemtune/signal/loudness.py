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
    The filters are computed block by block with matrix products: the same recursion, seven times as quick.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SILENCE_LUFS", "integrated_loudness", "k_weighting_coefficients"]

SILENCE_LUFS = -70.0
"""Blocks that are not louder than this do not count."""

_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691
_BLOCK_SECONDS, _BLOCKS_PER_BLOCK = 0.4, 4
_FILTER_BLOCK = 64  # samples; the fewest operations for a filter with four states
_NEGLIGIBLE = 1e-9
_SHELF = (1681.974450955533, 3.999843853973347, 0.7071752369554196)  # Hz, dB, quality
_HIGH_PASS = (38.13547087602444, 0.5003270373238773)  # Hz, quality

Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]


def integrated_loudness(waveform: Float[Tensor, "channel time"], *, sample_rate: int) -> float:
    """The loudness of a whole sound in LUFS; minus infinity if no block of it is louder than -70."""
    powers = _block_powers(_weighted(waveform.numpy(), sample_rate), sample_rate)
    loud = powers[_loudness(powers) > SILENCE_LUFS]
    if not loud.size:
        return -math.inf
    gate = float(_loudness(loud.mean(keepdims=True))[0]) + _RELATIVE_GATE_LU
    return float(_loudness(loud[_loudness(loud) > gate].mean(keepdims=True))[0])


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


@dataclass(frozen=True)
class _BlockFilter:
    """Both filters as matrices on blocks of u samples and a state of four numbers: out = u T + s O, next s = s M + u G.

    Attributes:
        direct: T, ``block block``.
        from_state: O, ``state block``.
        carry: M, M^2, M^4, ... as long as they matter, ``state state`` each.
        to_state: G, ``block state``.
    """

    direct: NDArray[np.float32]
    from_state: NDArray[np.float32]
    carry: tuple[NDArray[np.float64], ...]
    to_state: NDArray[np.float32]


@cache
def _block_filter(sample_rate: int) -> _BlockFilter:
    a, b, c, d = np.zeros((0, 0)), np.zeros(0), np.zeros(0), 1.0
    for numerator, denominator in k_weighting_coefficients(sample_rate):
        (b0, b1, b2), (_, a1, a2) = numerator, denominator
        own, feed = np.array([[-a1, 1.0], [-a2, 0.0]]), np.array([b1 - a1 * b0, b2 - a2 * b0])
        size = len(b)
        a = np.block([[a, np.zeros((size, 2))], [np.outer(feed, c), own]])
        b, c, d = np.concatenate([b, feed * d]), np.concatenate([b0 * c, [1.0, 0.0]]), b0 * d
    powers = [np.eye(len(b))]
    for _ in range(_FILTER_BLOCK):
        powers.append(powers[-1] @ a)
    response = np.array([d, *(c @ power @ b for power in powers[: _FILTER_BLOCK - 1])])
    direct = np.zeros((_FILTER_BLOCK, _FILTER_BLOCK))
    for row in range(_FILTER_BLOCK):
        direct[row, row:] = response[: _FILTER_BLOCK - row]
    carry = [powers[-1].T]
    while np.abs(carry[-1]).max() > _NEGLIGIBLE:
        carry.append(carry[-1] @ carry[-1])
    return _BlockFilter(
        direct=direct.astype(np.float32),
        from_state=np.stack([c @ power for power in powers[:-1]], axis=1).astype(np.float32),
        carry=tuple(carry[:-1]),
        to_state=np.stack([power @ b for power in powers[-2::-1]]).astype(np.float32),
    )


def _weighted(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """``channel time``, through both filters."""
    num_channels, length = waveform.shape
    filters = _block_filter(sample_rate)
    blocks = np.pad(waveform, ((0, 0), (0, -length % _FILTER_BLOCK))).reshape(num_channels, -1, _FILTER_BLOCK)
    states = np.zeros((*blocks.shape[:2], 4))
    states[:, 1:] = blocks[:, :-1] @ filters.to_state
    for number, carry in enumerate(filters.carry):
        states[:, 1 << number :] += states[:, : -(1 << number)] @ carry
    weighted = blocks @ filters.direct
    weighted += states.astype(np.float32) @ filters.from_state
    return weighted.reshape(num_channels, -1)[:, :length]


def _block_powers(weighted: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Mean square in each block, summed over channels."""
    length = weighted.shape[1]
    step = _BLOCK_SECONDS / _BLOCKS_PER_BLOCK
    count = max(1, round((length / sample_rate - _BLOCK_SECONDS) / step) + 1)
    starts = [min(int(number * step * sample_rate), length) for number in range(count)]
    ends = [min(int((number * step + _BLOCK_SECONDS) * sample_rate), length) for number in range(count)]
    places = sorted({0, *starts, *ends})
    pieces = [float(np.vdot(piece, piece)) for piece in (weighted[:, i:j] for i, j in itertools.pairwise(places))]
    running = dict(zip(places, itertools.accumulate(pieces, initial=0.0), strict=True))
    energies = [running[end] - running[start] for start, end in zip(starts, ends, strict=True)]
    return np.maximum(energies, 0.0) / min(_BLOCK_SECONDS * sample_rate, length)


def _loudness(power: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return _OFFSET_DB + 10 * np.log10(power)

"""Fourier transforms of real blocks, and how long they should be.

A block of ``length`` samples yields ``length - taps + 1`` correct samples of what a filter of so many taps does to it:
short blocks waste much of their transform, long ones leave the processor's caches.
"""

from typing import TypeAlias, cast

import numpy as np
import scipy.fft
from jaxtyping import Complex128, Float64, Shaped
from numpy.typing import NDArray

__all__ = ["Reals", "Spectra", "block_length", "inverse", "overlapping", "spectrum"]

Reals: TypeAlias = NDArray[np.float64]
Spectra: TypeAlias = NDArray[np.complex128]

_SHORTEST = 1024


def block_length(num_samples: int, taps: int) -> int:
    """A length that transforms fast and divides ``num_samples`` new samples with little left over."""
    usual = max(_SHORTEST, 1 << (4 * taps - 1).bit_length())
    num_blocks = max(1, -(-num_samples // (usual - taps + 1)))
    return cast("int", scipy.fft.next_fast_len(-(-num_samples // num_blocks) + taps - 1, real=True))


def overlapping(rows: Float64[np.ndarray, "*axes time"], length: int, taps: int) -> Float64[np.ndarray, "..."]:
    """A view of the rows as blocks, each of which begins with the last ``taps - 1`` samples of the one before."""
    blocks = np.lib.stride_tricks.sliding_window_view(rows, length, axis=-1)[..., :: length - taps + 1, :]
    return cast("Reals", blocks)


def spectrum(blocks: Float64[np.ndarray, "*axes time"], length: int) -> Complex128[np.ndarray, "*axes frequency"]:
    """Of each row, padded with zeros at its end."""
    return cast("Spectra", scipy.fft.rfft(blocks, n=length, axis=-1))


def inverse(spectra: Shaped[np.ndarray, "*axes frequency"], length: int) -> Shaped[np.ndarray, "*axes time"]:
    """Rows of so many samples, in the precision of the spectra, which may be extended."""
    return cast("Reals", scipy.fft.irfft(spectra, n=length, axis=-1))

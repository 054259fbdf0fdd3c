"""How each reference, delayed by every lag, correlates with every reference and every estimate.

    r_uv[k] = sum over t of x_u[t - k] y_v[t],    k = 0, ..., taps - 1,

over the channels u of all references, and the channels v of all references, then of all estimates. This is all that
the filters need to know of a track.

Blocks of the earlier signal begin with the samples before them, those of the later one end in zeros; the products of
their spectra are summed over all blocks, and a single inverse transform gives the lags. Small blocks stay in the
processor's caches, and do not grow with the track. The filters magnify every rounding where references hardly sound,
so the sum and its transform are made in extended precision, where the machine has it: they are a small part of the
work.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex128, Float64

from stemtune.evaluation.metrics.bss_eval.framing import Frame
from stemtune.evaluation.metrics.bss_eval.spectra import Reals, block_length, inverse, overlapping, spectrum
from stemtune.evaluation.metrics.bss_eval.stems import SoundStems
from stemtune.evaluation.metrics.bss_eval.workers import in_order

__all__ = ["lag_correlations"]

_SAMPLES_AT_ONCE = 1 << 17
_BLOCKS_PER_PRODUCT = 8


@dataclass(frozen=True)
class _Stretch:
    """Some blocks of all signals; ``earlier`` begins ``taps - 1`` samples before ``later``."""

    earlier: Float64[np.ndarray, "earlier longer"]
    later: Float64[np.ndarray, "later time"]


def lag_correlations(stems: SoundStems, frame: Frame, taps: int) -> Float64[np.ndarray, "earlier later lag"]:
    """Correlations over one frame, which may be the whole track; zero outside of it.

    Args:
        stems: estimates and references.
        frame: the samples to look at.
        taps: the number of lags.

    Returns:
        for each channel of each reference, and those of references, then estimates, ``taps`` values.
    """
    length = block_length(frame.num_samples, taps)
    num_rows = stems.num_stems * stems.num_channels
    total = np.zeros((length // 2 + 1, num_rows, 2 * num_rows), dtype=np.clongdouble)
    for products in in_order(lambda stretch: _products(stretch, length, taps), _stretches(stems, frame, length, taps)):
        total += products
    by_lag = inverse(total.transpose(1, 2, 0), length)  # lag k stands at k - (taps - 1), counted from the end
    return np.concatenate([by_lag[..., length - taps + 1 :], by_lag[..., :1]], axis=-1).astype(np.float64)


def _stretches(stems: SoundStems, frame: Frame, length: int, taps: int) -> Iterator[_Stretch]:
    """The frame from its beginning to its end, each stretch a whole number of blocks."""
    step = length - taps + 1
    num_new = max(1, _SAMPLES_AT_ONCE // step) * step
    history = np.zeros((stems.num_stems * stems.num_channels, taps - 1))
    for start in range(frame.start, frame.stop, num_new):
        block = stems.block(start, min(start + num_new, frame.stop))
        num_samples = block.reference.shape[-1]
        reference = block.reference.reshape(-1, num_samples)
        missing = ((0, 0), (0, -num_samples % step))
        earlier = np.concatenate([history, reference], axis=1)
        later = np.concatenate([reference, block.estimate.reshape(-1, num_samples)])
        yield _Stretch(np.pad(earlier, missing), np.pad(later, missing))
        history = earlier[:, earlier.shape[1] - (taps - 1) :]


def _products(stretch: _Stretch, length: int, taps: int) -> Complex128[np.ndarray, "frequency earlier later"]:
    """Of the spectra, summed over the blocks of one stretch."""
    earlier = overlapping(stretch.earlier, length, taps)
    later: Reals = stretch.later.reshape(len(stretch.later), -1, length - taps + 1)
    total = np.zeros((length // 2 + 1, len(earlier), len(later)), dtype=np.complex128)
    for first in range(0, later.shape[1], _BLOCKS_PER_PRODUCT):
        some = slice(first, first + _BLOCKS_PER_PRODUCT)
        x, y = spectrum(earlier[:, some], length), spectrum(later[:, some], length)
        total += np.matmul(np.conj(x, out=x).transpose(2, 0, 1), y.transpose(2, 1, 0))
    return total

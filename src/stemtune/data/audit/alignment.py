"""The lag between two recordings of the same sound, to a fraction of a sample, with its sign.

The cross-correlation of two excerpts peaks at the lag. Whitening both spectra in part makes the peak sharp although
music repeats itself:

    r[lag] = inverse Fourier transform of  A conj(B) / |A conj(B)|^w,   lag = argmax |r|,   sign = sign of r[lag].

One excerpt proves little, but chance gives every excerpt another lag: several must agree, and the mean of their
correlations must have one clear peak. The fraction of a sample is the slope of the phase of A conj(B), weighted by its
magnitude, once the whole samples are taken away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

__all__ = ["Agreement", "agree", "refine_lag", "shift"]

_TOLERANCE_SAMPLES = 2
_PEAK_SAMPLES = 8  # either side of the peak belong to it
_TINY = 1e-6


@dataclass(frozen=True)
class Agreement:
    """What most excerpts say.

    Attributes:
        lag_samples: by how many samples the first comes later than the second.
        is_inverted: whether they have opposite signs.
        agreeing: ``excerpt``, which of the excerpts say so.
        likeness: height of the peak of the mean correlation, 0 to 1; 1 for phases that are equal everywhere.
        clearness: that height over the highest elsewhere; near 1 for unrelated sound and for steady tones.
    """

    lag_samples: int
    is_inverted: bool
    agreeing: tuple[bool, ...]
    likeness: float
    clearness: float

    @property
    def share(self) -> float:
        """Of the excerpts, how many agree."""
        return sum(self.agreeing) / len(self.agreeing)


def agree(
    first: Sequence[Float[np.ndarray[Any, Any], "time"]],
    second: Sequence[Float[np.ndarray[Any, Any], "time"]],
    *,
    max_lag: int,
    whitening: float,
) -> Agreement | None:
    """The lag on which the most pairs of excerpts agree.

    Args:
        first: excerpts of one recording.
        second: excerpts of the other, each as long as its counterpart.
        max_lag: how many samples either way are looked at.
        whitening: 0 for plain correlation, 1 for phases only.

    Returns:
        None if there are no excerpts, or silence in all of them.
    """
    curves = [_correlate(one, other, max_lag, whitening) for one, other in zip(first, second, strict=True)]
    if all(curve is None for curve in curves):
        return None
    lags = np.array([2.0**40 if curve is None else float(np.abs(curve).argmax()) - max_lag for curve in curves])
    near = (np.abs(lags[:, None] - lags) <= _TOLERANCE_SAMPLES) & (lags < 2.0**39)
    lag = round(float(np.median(lags[near[int(near.sum(axis=1).argmax())]])))
    agreeing = np.abs(lags - lag) <= _TOLERANCE_SAMPLES
    mean = sum((curve for curve in curves if curve is not None), np.zeros(2 * max_lag + 1)) / len(curves)
    place = min(max(lag + max_lag, 0), 2 * max_lag)
    peak, elsewhere = _heights(np.abs(mean), place)
    is_inverted = bool(mean[max(place - 1, 0) : place + 2].sum() < 0)
    return Agreement(lag, is_inverted, tuple(agreeing.tolist()), peak, peak / (elsewhere + _TINY))


def refine_lag(
    first: Sequence[Float[np.ndarray[Any, Any], "time"]],
    second: Sequence[Float[np.ndarray[Any, Any], "time"]],
    agreement: Agreement,
) -> float:
    """The lag to a fraction of a sample, from the excerpts that agree; the arguments are those of `agree`."""
    total: NDArray[np.complex128] | None = None
    size = 1 << (2 * max(one.shape[0] for one in first) - 1).bit_length()
    frequency = np.linspace(0, np.pi, size // 2 + 1)
    for one, other, agrees in zip(first, second, agreement.agreeing, strict=True):
        if agrees:
            cross = np.fft.rfft(one, size) * np.fft.rfft(other, size).conj()
            cross = cross * np.exp(1j * frequency * agreement.lag_samples) * (-1 if agreement.is_inverted else 1)
            total = cross if total is None else total + cross
    if total is None:
        return float(agreement.lag_samples)
    weight = np.abs(total)
    slope = 0.0
    for _ in range(2):  # the second time without what the first estimate explains, so that no phase wraps around
        phase = np.angle(total * np.exp(1j * frequency * slope))
        slope += -float((weight * frequency * phase).sum() / ((weight * frequency**2).sum() + _TINY))
    return agreement.lag_samples + float(np.clip(slope, -1, 1))


def shift(samples: Float[np.ndarray[Any, Any], "*channel time"], lag_samples: float) -> NDArray[np.float32]:
    """Delay a signal by ``lag_samples``, which may be a fraction or negative; what leaves one end is lost."""
    length = samples.shape[-1]
    size = 2 * length + 2 * abs(round(lag_samples))
    frequency = np.linspace(0, np.pi, size // 2 + 1)
    turn = np.exp(-1j * frequency * lag_samples)
    return np.fft.irfft(np.fft.rfft(samples, size) * turn, size)[..., :length].astype(np.float32)


def _correlate(
    first: NDArray[np.float32], second: NDArray[np.float32], max_lag: int, whitening: float
) -> NDArray[np.float64] | None:
    """The correlation of two excerpts at all lags up to ``max_lag``, at most 1; None if one of them is silent."""
    size = 1 << (2 * first.shape[0] - 1).bit_length()
    cross = np.fft.rfft(first, size) * np.fft.rfft(second, size).conj()
    magnitude = np.abs(cross)
    if not magnitude.max() > 0:
        return None
    cross /= magnitude**whitening + _TINY * magnitude.max() ** whitening
    correlation = np.fft.irfft(cross, size) * (size / 2 / np.abs(cross).sum())
    return np.concatenate([correlation[-max_lag:], correlation[: max_lag + 1]]).astype(np.float64)


def _heights(curve: NDArray[np.float64], place: int) -> tuple[float, float]:
    """The highest value near a place, and the highest elsewhere."""
    low, high = max(place - _PEAK_SAMPLES, 0), place + _PEAK_SAMPLES + 1
    elsewhere = np.concatenate([curve[:low], curve[high:]])
    return float(curve[low:high].max()), float(elsewhere.max(initial=0.0))

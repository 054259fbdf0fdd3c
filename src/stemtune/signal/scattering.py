"""The wavelet scattering transform of order two: envelopes in bands, and the rhythm of these envelopes.

With wavelets ``psi`` at ``Q = 8`` to an octave, ``psi'`` at one, and a low-pass ``phi`` as long as the longest wavelet,

    S1[f1] = |x * psi_f1| * phi,        S2[f2, f1] = ||x * psi_f1| * psi'_f2| * phi,

one value for each hop of ``2^J`` samples, centred on the multiples of the hop. Both are arranged over the first-order
frequency: channel 0 is S1, and channel k is S2 for the k-th ``f2``, from high to low, zero where that is not computed
(``f1`` too low to have envelopes that fast). At 16 kHz, J = 8: 7 channels, 54 frequencies, a frame each 16 ms.

Every convolution is a product of spectra, and every band is computed at the rate that its width allows, which is that
of the bins that are kept. Long sounds go block by block, each with a margin that outlasts the longest filters.

References: Andén and Mallat, "Deep scattering spectrum", 2014; filters as in kymatio 0.3.0 (Andreux et al., 2020), with
which ``tests/parity`` compares; Lostanlen, 2017 (widths).
Deviations: a constant tone has the same S1 in every band; kymatio 0.3.0 divides what it computes ``j`` octaves below
the full rate by ``2^j``, at each order anew. It also folds the bins that we drop (below 4e-6 of the filter's peak), and
centres its frames elsewhere if half of its padding is no multiple of the hop. Order zero, the mean, is left out.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Wavelet", "scatter", "scatter_blocks", "wavelets"]

_SIGMA = 0.1  # width of the low-pass, in cycles per sample, times its length
_OVERLAP = math.sqrt(0.5)  # where neighbouring wavelets meet, relative to their peaks
_EXTENT = 5.0  # widths after which a filter counts as zero
_BLOCK = 1 << 16
_MARGIN = 1 << 12


@dataclass(frozen=True)
class Wavelet:
    """A band: its centre and its width in cycles per sample, and how many octaves of rate it can do without."""

    centre: float
    width: float
    octaves: int


def wavelets(*, scale: int, per_octave: int) -> tuple[Wavelet, ...]:
    """From high to low: constant relative width, until that would be narrower than the low-pass; then equally spaced.

    Args:
        scale: J; the low-pass is ``2^J`` samples long.
        per_octave: Q.
    """
    ratio = 2 ** (-1 / per_octave)
    narrowest = _SIGMA / 2**scale
    centre = max(1 / (1 + 2 ** (3 / per_octave)), 0.35)
    width = centre * (1 - ratio) / (1 + ratio) / math.sqrt(2 * math.log(1 / _OVERLAP))
    bands: list[tuple[float, float]] = []
    if width > narrowest:
        bands.append((centre, width))
        while bands[-1][1] > narrowest / ratio:
            bands.append((bands[-1][0] * ratio, bands[-1][1] * ratio))
    lowest = bands[-1][0] if bands else width
    bands += [(lowest * (1 - step / per_octave), narrowest) for step in range(1, per_octave)]
    return tuple(Wavelet(xi, sigma, math.floor(-math.log2(min(xi + _EXTENT * sigma, 0.5))) - 1) for xi, sigma in bands)


def scatter(
    waveform: Float[Tensor, "time"], *, scale: int = 8, per_octave: int = 8
) -> Float[Tensor, "order frequency frame"]:
    """The transform of a whole signal, which is mirrored at its ends; ``ceil(time / 2^scale)`` frames."""
    return torch.cat(list(scatter_blocks([waveform], scale=scale, per_octave=per_octave)), dim=-1)


def scatter_blocks(
    blocks: Iterable[Float[Tensor, "_time"]], *, scale: int = 8, per_octave: int = 8
) -> Iterator[Float[Tensor, "order frequency _frame"]]:
    """The transform of a stream, frames as they are finished; how it was cut makes no difference to a single bit."""
    hop = 1 << scale
    fresh = _BLOCK - 2 * _MARGIN
    waiting: list[Tensor] = []
    num_waiting = 0
    is_first = True
    for block in blocks:
        waiting.append(block)
        num_waiting += block.shape[0]
        if num_waiting < _BLOCK:
            continue
        samples = torch.cat(waiting)
        if is_first:
            samples, is_first = _mirror(samples, _MARGIN, 0), False
        start = 0
        while samples.shape[0] - start > _BLOCK:  # not equal: the last block is the one that the end is mirrored in
            frames = _scatter_block(samples[start : start + _BLOCK], scale, per_octave)
            yield frames[..., _MARGIN // hop : (_MARGIN + fresh) // hop]
            start += fresh
        waiting, num_waiting = [samples[start:]], samples.shape[0] - start
    if not num_waiting:
        return
    samples = torch.cat(waiting)
    if is_first:
        samples = _mirror(samples, _MARGIN, 0)
    while (left := samples.shape[0] - _MARGIN) > 0:
        part = samples[:_BLOCK] if samples.shape[0] >= _BLOCK else _mirror(samples, 0, _BLOCK - samples.shape[0])
        frames = _scatter_block(part, scale, per_octave)
        yield frames[..., _MARGIN // hop : (_MARGIN + min(left, fresh) + hop - 1) // hop].clone()
        samples = samples[fresh:]


def _mirror(samples: Float[Tensor, "time"], before: int, behind: int) -> Tensor:
    """Extended by its reflections, as often as needed."""
    length = samples.shape[0]
    if length == 1:
        return samples.expand(before + 1 + behind)
    places = torch.arange(-before, length + behind).remainder(2 * length - 2)
    return samples[torch.minimum(places, 2 * length - 2 - places)]


def _scatter_block(x: Float[Tensor, "time"], scale: int, per_octave: int) -> Float[Tensor, "order frequency frame"]:
    bank = _bank(scale, per_octave)
    num_frames = _BLOCK >> scale
    result = torch.zeros(1 + len(bank.second), bank.num_first, num_frames)
    spectrum = cast("Tensor", torch.fft.fft(x))
    row = 0
    for first in bank.first:
        scaled = first.response * (first.num_bins / _BLOCK)  # the inverse divides by the bins that it is given
        envelopes = cast("Tensor", torch.fft.ifft(_middle(spectrum, first.num_bins) * scaled)).abs()
        spectra = cast("Tensor", torch.fft.rfft(envelopes))
        rows = slice(row, row + envelopes.shape[0])
        row = rows.stop
        result[0, rows] = _smooth(spectra, bank, num_frames)
        for channel, second in enumerate(bank.second, start=1):
            if second.octaves > first.octaves:
                scaled = second.response * (second.num_bins / envelopes.shape[-1])
                rhythm = _both_sides(spectra, second.num_bins) * scaled
                again = cast("Tensor", torch.fft.rfft(cast("Tensor", torch.fft.ifft(rhythm)).abs()))
                result[channel, rows] = _smooth(again, bank, num_frames)
    return result


def _middle(spectrum: Tensor, num_bins: int) -> Tensor:
    """The lowest bins of a two-sided spectrum, positive and negative."""
    half = num_bins // 2
    if spectrum.shape[-1] == num_bins:
        return spectrum
    return torch.cat([spectrum[..., :half], spectrum[..., -half:]], dim=-1)


def _both_sides(spectra: Tensor, num_bins: int) -> Tensor:
    """The lowest bins of one-sided spectra, as two-sided ones."""
    half = num_bins // 2
    return torch.cat([spectra[..., :half], spectra[..., 1 : half + 1].flip(-1).conj()], dim=-1)


def _smooth(spectra: Tensor, bank: "_Bank", num_frames: int) -> Tensor:
    """What a low-pass at the hop's rate leaves of signals with these one-sided spectra."""
    low = spectra[..., : num_frames // 2 + 1] * bank.low_pass
    return cast("Tensor", torch.fft.irfft(low, n=num_frames)) * (num_frames / (2 * (spectra.shape[-1] - 1)))


@dataclass(frozen=True)
class _Group:
    """Filters that share a rate: their responses at the bins that are kept."""

    octaves: int
    num_bins: int
    response: Tensor


@dataclass(frozen=True)
class _Bank:
    first: tuple[_Group, ...]
    second: tuple[_Group, ...]
    low_pass: Tensor
    num_first: int


@lru_cache
def _bank(scale: int, per_octave: int) -> _Bank:
    first, second = wavelets(scale=scale, per_octave=per_octave), wavelets(scale=scale, per_octave=1)
    octaves = sorted({wavelet.octaves for wavelet in first})
    heard = [wavelet for wavelet in second if wavelet.octaves > octaves[0]]
    low_pass = _response(0.0, _SIGMA / 2**scale)[: (_BLOCK >> scale) // 2 + 1]
    return _Bank(
        first=tuple(_group([w for w in first if w.octaves == octave], octave, scale) for octave in octaves),
        second=tuple(_group([w], w.octaves, scale) for w in heard),
        low_pass=low_pass.float(),
        num_first=len(first),
    )


def _group(bands: Sequence[Wavelet], octaves: int, scale: int) -> _Group:
    num_bins = _BLOCK >> min(octaves, scale)
    responses = torch.stack([_middle(_response(band.centre, band.width), num_bins) for band in bands])
    return _Group(octaves, num_bins, responses.float())


def _response(centre: float, width: float) -> Tensor:
    """A Morlet wavelet at all bins of a block; a Gaussian low-pass for the centre 0; of unit sum in time."""
    frequencies = torch.arange(-4 * _BLOCK, 5 * _BLOCK, dtype=torch.float64) / _BLOCK

    def bump(at: float) -> Tensor:
        return torch.exp(-((frequencies - at) ** 2) / (2 * width**2)).view(9, _BLOCK).mean(dim=0)

    low = bump(0.0)
    response = low
    if centre:
        band = bump(centre)
        response = band - band[0] / low[0] * low
    return response / cast("Tensor", torch.fft.ifft(response)).abs().sum()

"""What masks could do if they knew the truth: upper bounds of a kind of separator, and the lower bound of all.

    oracle_irm:  y_j = |s_j|^p / sum_k |s_k|^p  x                       (an ideal ratio mask, in each bin and channel)
    oracle_mwf:  y_j = v_j R_j (sum_k v_k R_k)^-1 x                     (an ideal multichannel Wiener filter)
    mixture:     y_j = x                                                (doing nothing)

with powers v and spatial covariances R measured on the true stems s instead of estimated. No separator that masks the
same spectrogram of the mixture is expected to do better; one that works on waveforms may.

References: Liutkus and Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015 (ratio
masks of any power); Duong, Vincent and Gribonval, "Under-determined reverberant audio source separation using a
full-rank spatial covariance model", 2010 (the Wiener filter); Stoeter, Liutkus and Ito, "The 2018 signal separation
evaluation campaign", 2018 (both as bounds, in windows of 2048 samples).
Deviations: covariances are measured over windows of `COVARIANCE_FRAMES` frames, so that memory does not grow with the
track and sources may move, where the campaign takes one covariance for a whole track; windows overlap by three
quarters, where the campaign's do by half.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from stemtune.data.tracks import Track, load_mixture, load_stem
from stemtune.errors import InputError
from stemtune.evaluation.streams import BLOCK_SAMPLES
from stemtune.evaluation.systems import HeardBlock, HeardBlocks
from stemtune.signal.block_stft import BlockSTFT
from stemtune.signal.masking import ratio_mask, wiener_em

__all__ = ["ORACLES", "OracleName", "OracleSystem", "mixture_as_estimate", "oracle_irm", "oracle_mwf"]

N_FFT, HOP_LENGTH = 2048, 512
COVARIANCE_FRAMES = 861  # ten seconds at 44.1 kHz

_Spectra: TypeAlias = Complex[Tensor, "stem channel frequency frame"]
_Refine: TypeAlias = Callable[[_Spectra, Complex[Tensor, "channel frequency frame"]], _Spectra]


def oracle_irm(
    *, mixture: Float[Tensor, "channel time"], reference: Float[Tensor, "stem channel time"], power: float = 1.0
) -> Float[Tensor, "stem channel time"]:
    """Estimates by the ideal ratio mask.

    Args:
        mixture: what is heard.
        reference: all stems that are in it; a stem's share is of their sum.
        power: the exponent that shares follow; 1 for magnitudes, 2 for powers.

    Raises:
        InputError: if the shapes do not fit.
    """

    def masked(stems: _Spectra, heard: Complex[Tensor, "channel frequency frame"]) -> _Spectra:
        return ratio_mask(magnitudes=stems.abs(), power=power) * heard

    return _by_spectrogram(mixture, reference, masked)


def oracle_mwf(
    *, mixture: Float[Tensor, "channel time"], reference: Float[Tensor, "stem channel time"]
) -> Float[Tensor, "stem channel time"]:
    """Estimates by the ideal multichannel Wiener filter.

    Args:
        mixture: what is heard.
        reference: all stems that are in it.

    Raises:
        InputError: if the shapes do not fit.
    """

    def filtered(stems: _Spectra, heard: Complex[Tensor, "channel frequency frame"]) -> _Spectra:
        return wiener_em(estimate=stems, mixture=heard, iterations=1)

    return _by_spectrogram(mixture, reference, filtered)


def mixture_as_estimate(
    *, mixture: Float[Tensor, "channel time"], reference: Float[Tensor, "stem channel time"]
) -> Float[Tensor, "stem channel time"]:
    """The mixture as the estimate of every stem: the least that a separator must beat.

    Raises:
        InputError: if the shapes do not fit.
    """
    _require_fit(mixture, reference)
    return mixture.unsqueeze(0).expand_as(reference)


def _by_spectrogram(mixture: Tensor, reference: Tensor, refine: _Refine) -> Tensor:
    """``refine`` sees a window of frames at a time; what it makes of them is overlapped and added."""
    _require_fit(mixture, reference)
    window = torch.hann_window(N_FFT, dtype=mixture.dtype, device=mixture.device)
    transform = BlockSTFT(window, HOP_LENGTH, mixture.shape[-1])
    envelope = transform.envelope()
    sounds = transform.pad(torch.cat([mixture.unsqueeze(0), reference]))
    rows = reference.new_zeros(*reference.shape[:2], transform.num_rows, HOP_LENGTH)
    for first in range(0, transform.num_frames, COVARIANCE_FRAMES):
        last = min(first + COVARIANCE_FRAMES, transform.num_frames)
        spectra = transform.analyse(sounds, first_frame=first, last_frame=last).transpose(-1, -2)
        refined = refine(spectra[1:], spectra[0]).transpose(-1, -2)
        part = transform.synthesise(refined, first_frame=first, envelope=envelope)
        rows[..., first : first + part.shape[-2], :] += part
    return transform.crop(rows)


def _require_fit(mixture: Tensor, reference: Tensor) -> None:
    if mixture.ndim != 2 or tuple(reference.shape[1:]) != tuple(mixture.shape) or not reference.numel():
        raise InputError(
            f"stems of shape {tuple(reference.shape)} are not those of a mixture of shape {tuple(mixture.shape)}; "
            "expected some stems, each of the mixture's channels and samples"
        )


OracleName = Literal["oracle-irm", "oracle-mwf"]
ORACLES: dict[OracleName, Callable[..., Tensor]] = {"oracle-irm": oracle_irm, "oracle-mwf": oracle_mwf}


@dataclass(frozen=True)
class OracleSystem:
    """An oracle as something to be evaluated: it looks up the track's own stems.

    It holds the whole track and its stems in memory.
    """

    name: OracleName

    def check(self, tracks: Sequence[Track]) -> None:
        """Every track that can be scored has stems."""

    def stems(self, track: Track) -> tuple[str, ...]:
        """All that the track has."""
        return track.stems.names

    def notes(self, track: Track, stems: Sequence[str]) -> tuple[str, ...]:
        """None."""
        del track, stems
        return ()

    def state(self, track: Track) -> str:
        """Depends on the track, and on how spectrograms are made."""
        del track
        return f"{self.name} {N_FFT} {HOP_LENGTH} {COVARIANCE_FRAMES}"

    def listen(self, track: Track, stems: Sequence[str]) -> HeardBlocks:
        """Estimates of some stems, by masks that know all of them."""
        names = track.stems.names
        mixture = load_mixture(track)
        reference = torch.stack([load_stem(track, name) for name in names])
        estimates = ORACLES[self.name](mixture=mixture, reference=reference)[[names.index(stem) for stem in stems]]
        del reference
        for start in range(0, mixture.shape[-1], BLOCK_SAMPLES):
            here = slice(start, start + BLOCK_SAMPLES)
            yield HeardBlock(mixture[:, here], estimates[..., here])

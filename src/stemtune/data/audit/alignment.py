"""The lag between a stem and the mixture that should contain it.

Where the stem is loud, the cross-correlation with the mixture peaks at the lag. Whitening both spectra in part makes
the peak sharp although music repeats itself:

    r[lag] = inverse Fourier transform of  S conj(M) / |S conj(M)|^0.7,   lag = argmax r.

The mixture is taken without the other stems first, and as it is if that tells nothing. Several places vote; without
a clear peak and a majority there is no answer.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audit.measure import FRAME_SECONDS, SILENCE_POWER
from stemtune.data.tracks import read_excerpt

__all__ = ["find_lag", "lag_of_excerpt"]

_EXCERPT_SECONDS = 4.0
_NUM_PLACES = 5
_MAX_LAG_SECONDS = 0.5
_WHITENING = 0.7
_CLEARNESS = 1.5


def find_lag(
    stem: Sequence[Path],
    mixture: Path,
    *,
    others: Sequence[Path] = (),
    frame_powers: Float[Tensor, "frame"],
    sample_rate: int,
) -> int | None:
    """By how many samples a stem comes later than in the mixture.

    Args:
        stem: its files, which are added.
        mixture: the file of the mixture.
        others: the files of all other stems; where they lie right, taking them away leaves the stem alone.
        frame_powers: the power of the stem in every tenth of a second; the loudest places are compared.
        sample_rate: of all of them.

    Returns:
        The lag that most places agree on; None where there is no such agreement.
    """
    places = _loud_places(frame_powers)
    max_lag = round(_MAX_LAG_SECONDS * sample_rate)
    alone: Counter[int | None] = Counter()
    among: Counter[int | None] = Counter()
    for start_seconds in places:
        wanted, heard, disturbing = (
            read_excerpt(
                paths,
                start_seconds=start_seconds,
                num_samples=round(_EXCERPT_SECONDS * sample_rate),
                sample_rate=sample_rate,
                channels=1,
            )[0]
            for paths in (stem, (mixture,), others)
        )
        alone[lag_of_excerpt(wanted, heard - disturbing, max_lag=max_lag)] += 1
        among[lag_of_excerpt(wanted, heard, max_lag=max_lag)] += 1
    for votes in (alone, among):
        for lag, count in votes.items():
            if lag is not None and 2 * count > len(places):
                return lag
    return None


def lag_of_excerpt(stem: Float[Tensor, "time"], mixture: Float[Tensor, "time"], *, max_lag: int) -> int | None:
    """The lag of one excerpt, up to ``max_lag`` samples either way; None without a clear peak."""
    size = 2 * stem.shape[0]
    cross = _rfft(stem, size) * _rfft(mixture, size).conj()
    weight = cross.abs().pow(_WHITENING)
    whitened = cross / (weight + 1e-6 * weight.max() + 1e-30)
    correlation = cast(Tensor, torch.fft.irfft(whitened, size))
    near = torch.cat([correlation[-max_lag:], correlation[: max_lag + 1]])
    peak = int(near.argmax())
    elsewhere = near.clone()
    elsewhere[max(peak - 40, 0) : peak + 41] = 0
    if float(near[peak]) <= 0 or float(near[peak]) < _CLEARNESS * float(elsewhere.max()):
        return None
    return peak - max_lag


def _rfft(samples: Tensor, size: int) -> Tensor:
    return cast(Tensor, torch.fft.rfft(samples, size))


def _loud_places(frame_powers: Float[Tensor, "frame"]) -> list[float]:
    """Where excerpts begin in which the stem is loudest, apart from each other."""
    frames = round(_EXCERPT_SECONDS / FRAME_SECONDS)
    if frame_powers.shape[0] <= frames:
        return [0.0] if bool((frame_powers > SILENCE_POWER).any()) else []
    sums = frame_powers.double().cumsum(dim=0)
    powers = (sums[frames:] - sums[:-frames]).clone()
    places: list[float] = []
    while len(places) < _NUM_PLACES:
        best = int(powers.argmax())
        if float(powers[best]) <= frames * SILENCE_POWER:
            break
        places.append(best * FRAME_SECONDS)
        powers[max(best - frames, 0) : best + frames] = 0
    return places

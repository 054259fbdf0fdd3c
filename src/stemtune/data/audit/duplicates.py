"""The same sound under two names, found by what it sounds like and not by its bytes.

Equal samples have equal digests. At another gain or in another encoding, the levels of all tenths of a second move
together, both of the waveform and of its slope, so that for the same audio

    | (level_a - level_b) - median(level_a - level_b) | < 1 dB   in 95 % of the frames that are not quiet.

Only files of nearly equal length are compared; excerpts of each other are not found.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audit.measure import SILENCE_POWER, FileFacts

__all__ = ["Place", "duplicate_pairs", "same_audio"]

_LENGTH_TOLERANCE_SECONDS = 0.15
_LEVEL_TOLERANCE_DB = 1.0
_MIN_ACTIVE_FRAMES = 20
_MIN_SPREAD_DB = 3.0
_QUIET = 1e-4


@dataclass(frozen=True)
class Place:
    """Where a file stands in a data set."""

    split: str
    track: str
    stem: str
    facts: FileFacts

    @property
    def words(self) -> str:
        """The place in words, for a message."""
        return f"{self.track} ({self.stem})"


def duplicate_pairs(places: Iterable[Place]) -> Iterator[tuple[Place, Place]]:
    """Pairs of places that hold the same audio; each place is paired with the first that sounds like it."""
    heard: list[Place] = []
    silent = SILENCE_POWER / 10
    for place in sorted(places, key=lambda place: place.facts.seconds):
        if place.facts.mean_power <= silent:
            continue
        oldest = place.facts.seconds - _LENGTH_TOLERANCE_SECONDS
        heard = [other for other in heard if other.facts.seconds >= oldest]
        twin = next((other for other in heard if same_audio(other.facts, place.facts)), None)
        if twin is not None:
            yield twin, place
        heard.append(place)


def same_audio(first: FileFacts, second: FileFacts) -> bool:
    """Whether two files hold the same audio, at whatever gain."""
    if first.digest == second.digest:
        return True
    length = min(first.frame_powers.shape[0], second.frame_powers.shape[0])
    return _parallel(first.frame_powers[:length], second.frame_powers[:length]) and _parallel(
        first.frame_slopes[:length], second.frame_slopes[:length]
    )


def _parallel(first: Float[Tensor, "frame"], second: Float[Tensor, "frame"]) -> bool:
    """Whether two power curves are the same but for a factor, wherever they are within 40 dB of their peaks."""
    if not first.numel() or float(first.max()) <= 0 or float(second.max()) <= 0:
        return False
    first, second = first / first.max(), second / second.max()
    active = (first > _QUIET) & (second > _QUIET)
    against = torch.maximum(first, second)[torch.minimum(first, second) < _QUIET / 10] > _QUIET * 10
    if int(active.sum()) < _MIN_ACTIVE_FRAMES or int(against.sum()) > 0.02 * first.shape[0]:
        return False
    levels = 10 * torch.log10(first[active])
    difference = levels - 10 * torch.log10(second[active])
    deviation = (difference - difference.median()).abs()
    return float(levels.std()) > _MIN_SPREAD_DB and float(deviation.quantile(0.95)) < _LEVEL_TOLERANCE_DB

"""Why stems do not add up to their mixture: shifted, at another level, upside down, or something else.

Where the mixture minus the stems is not nearly silent, each stem is looked for in the mixture: its lag by agreement
of several loud places, near zero first and then where its fingerprint is found; then all levels by least squares,

    gains = argmin over g of  sum ( mixture - sum over stems of g * stem shifted by its lag )^2.

If little is left then, lags and gains are the whole story; if much is left, a stem is missing or wrong, or the mixture
was mastered.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemtune.data.audit.alignment import agree, refine_lag, shift
from stemtune.data.audit.landmarks import FRAME_SECONDS
from stemtune.data.audit.listen import TrackFacts
from stemtune.data.audit.matching import find_candidates
from stemtune.data.audit.places import loud_places, power_curve, read_place

__all__ = ["SumFit", "fit_sum"]

GOOD_NULL_DB = -50.0
"""Below this the stems add up, and nothing is looked for; rounding to 16 bits leaves about -80 dB."""

_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 4.0  # of an excerpt
_NUM_PLACES = 5
_MAX_LAG_SECONDS = 0.5
_WHITENINGS = (0.7, 0.4)
_MAJORITY = 0.5
_MIN_AGREEING = 2
_MARGIN_SAMPLES = 64
_FLOOR = 1e-12


@dataclass(frozen=True)
class SumFit:
    """How the stems must be changed to add up as well as they can.

    Attributes:
        lags: by stem, by how many samples it comes too late; stems of which nothing can be told are missing.
        gains: by stem, the factor that brings it to its level in the mixture; negative where it is upside down.
        null_depth_db: what is left then, relative to the mixture.
    """

    lags: dict[str, float]
    gains: dict[str, float]
    null_depth_db: float


def fit_sum(facts: TrackFacts) -> SumFit | None:
    """Look for every stem in the mixture.

    Returns:
        None if there is no mixture, or if the stems add up to it, or if no stem was found in it.
    """
    mixture = facts.track.mixture
    if mixture is None or facts.null_depth_db is None or facts.null_depth_db < GOOD_NULL_DB:
        return None
    seconds = min(max(facts.files[mixture].seconds / _NUM_PLACES, _SHORTEST_SECONDS), _LONGEST_SECONDS)
    finder = _Finder(facts, mixture, facts.files[mixture].sample_rate, seconds)
    places = {
        stem: loud_places(power_curve(facts.stem_files(stem)), seconds=seconds, count=_NUM_PLACES)
        for stem in facts.track.stems
    }
    found = {stem: finder.find(stem, starts) for stem, starts in places.items()}
    lags = {stem: lag for stem, lag in found.items() if lag is not None}
    if not lags:
        return None
    return finder.fit(lags, sorted({start for starts in places.values() for start in starts[:2]}))


@dataclass(frozen=True)
class _Finder:
    """Reads excerpts of one track, all of the same length."""

    facts: TrackFacts
    mixture: Path
    rate: int
    seconds: float

    def find(self, stem: str, starts: tuple[float, ...]) -> float | None:
        """The lag of a stem in the mixture, near zero or near the lag of their fingerprints."""
        for offset in (0, *self._fingerprint_lags(stem)):
            lag = self._find_near(stem, starts, offset)
            if lag is not None:
                return lag
        return None

    def _find_near(self, stem: str, starts: tuple[float, ...], offset: int) -> float | None:
        """Within half a second of ``offset`` samples, with the other stems taken away first, then with them."""
        stems = self.facts.track.stems
        others = [path for name, paths in stems.items() if name != stem for path in paths]
        wanted = [self._read(stems[stem], start) for start in starts]
        heard = [self._read((self.mixture,), start, -offset) for start in starts]
        alone = [whole - self._read(others, start, -offset) for whole, start in zip(heard, starts, strict=True)]
        for target in (alone, heard):
            for whitening in _WHITENINGS:
                found = agree(wanted, target, max_lag=round(_MAX_LAG_SECONDS * self.rate), whitening=whitening)
                if found is not None and found.share > _MAJORITY and sum(found.agreeing) >= _MIN_AGREEING:
                    return offset + refine_lag(wanted, target, found)
        return None

    def _fingerprint_lags(self, stem: str) -> tuple[int, ...]:
        """By about how many samples the stem is late, if the mixture has its fingerprint."""
        mixture = self.facts.files[self.mixture].landmarks
        found = (
            candidate
            for heard in self.facts.stem_files(stem)
            for candidate in find_candidates([heard.landmarks, mixture], [0, 1])
        )
        return tuple(round(-candidate.lag_frames * FRAME_SECONDS * self.rate) for candidate in found)

    def fit(self, lags: dict[str, float], starts: list[float]) -> SumFit:
        """The gains of all stems at once, each moved by its lag."""
        names = self.facts.track.stems.names
        products, targets, energy = np.zeros((len(names), len(names))), np.zeros(len(names)), 0.0
        for start in starts:
            stems = np.stack([self._moved(name, start, lags.get(name, 0.0)) for name in names])
            whole = self._read((self.mixture,), start)[_MARGIN_SAMPLES:-_MARGIN_SAMPLES].astype(np.float64)
            products += stems @ stems.T
            targets += stems @ whole
            energy += float(whole @ whole)
        gains = np.linalg.lstsq(products, targets, rcond=1e-9)[0]
        left = max(energy - 2 * float(gains @ targets) + float(gains @ products @ gains), 0.0)
        depth = 10 * math.log10(left / (energy + _FLOOR) + _FLOOR)
        return SumFit(lags, {name: float(gain) for name, gain in zip(names, gains, strict=True)}, depth)

    def _moved(self, stem: str, start: float, lag: float) -> NDArray[np.float64]:
        """An excerpt of a stem as it would be without its lag, but for some samples at both ends."""
        whole = round(lag)
        samples = shift(self._read(self.facts.track.stems[stem], start, whole), whole - lag)
        return samples[_MARGIN_SAMPLES:-_MARGIN_SAMPLES].astype(np.float64)

    def _read(self, paths: Sequence[Path], start: float, later_samples: int = 0) -> NDArray[np.float32]:
        start_seconds = start + later_samples / self.rate
        return read_place(paths, start_seconds=start_seconds, seconds=self.seconds, sample_rate=self.rate)

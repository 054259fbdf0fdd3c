"""Stems that contain another stem: bleed between microphones, or an export with the wrong tracks muted.

Where one stem is quiet and another loud, whatever of the loud one is in the quiet one shows: they are similar there,
at one and the same lag wherever one looks. The level of the bleed is that of the projection,

    bleed = 20 log10 | <quiet, loud> / <loud, loud> |   in dB, both aligned.

What is similar is so both ways; of the two directions the one counts in which the quiet stem is more like the loud one.
"""

import math
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from stemtune.data.audit.alignment import agree
from stemtune.data.audit.landmarks import FINGERPRINT_RATE
from stemtune.data.audit.listen import TrackFacts
from stemtune.data.audit.meter import FRAME_SECONDS
from stemtune.data.audit.places import best_places, power_curve, read_place

__all__ = ["Bleed", "find_bleed"]

_EXCERPT_SECONDS = 1.0
_NUM_PLACES = 6
_APART = 4  # excerpts; neighbours would be one place
_MIN_PLACES = 3
_MAX_LAG_SECONDS = 0.05
_WHITENING = 0.5
_SHARE = 0.6
_AUDIBLE_DB, _ALIKE = -45.0, 0.3
_QUIET_POWER, _LOUD_POWER = 1e-11, 1e-5  # -110 dB: something is there at all; -50 dB: worth looking for


@dataclass(frozen=True)
class Bleed:
    """One stem heard in another.

    Attributes:
        into: the stem that should not contain it.
        source: the stem that it contains.
        level_db: of the source in it, relative to the source itself.
        correlation: of the two where the first is quiet, 0 to 1; 1 if nothing but bleed is heard in it there.
    """

    into: str
    source: str
    level_db: float
    correlation: float


def find_bleed(facts: TrackFacts) -> tuple[Bleed, ...]:
    """Every audible pair of a stem and another in it, the loudest first; none where nothing can be told."""
    names = [name for name in facts.track.stems if facts.stem_files(name)]
    if len(names) < 2 or facts.failures:
        return ()
    same = {frozenset(pair) for pair in facts.identical}
    curves = {name: power_curve(facts.stem_files(name)) for name in names}
    found: list[Bleed] = []
    for first, second in combinations(names, 2):
        if frozenset((first, second)) not in same:
            both = (_look(facts, into, source, curves) for into, source in permutations((first, second)))
            found += sorted((bleed for bleed in both if bleed), key=lambda bleed: -bleed.correlation)[:1]
    audible = (bleed for bleed in found if bleed.level_db > _AUDIBLE_DB and bleed.correlation > _ALIKE)
    return tuple(sorted(audible, key=lambda bleed: -bleed.level_db))


def _look(facts: TrackFacts, into: str, source: str, curves: dict[str, NDArray[np.float32]]) -> Bleed | None:
    frames = round(_EXCERPT_SECONDS / FRAME_SECONDS)
    length = min(curves[into].shape[0], curves[source].shape[0])
    quiet, loud = (_smallest(curves[into][:length], frames), _smallest(curves[source][:length], frames))
    contrast = np.where(loud > _LOUD_POWER, loud, 0.0) / np.maximum(quiet, _QUIET_POWER)
    contrast[quiet <= _QUIET_POWER] = 0.0
    places = best_places(contrast, frames=_APART * frames, count=_NUM_PLACES, above=1.0)
    if len(places) < _MIN_PLACES:
        return None
    heard, played = (
        [
            read_place(
                facts.track.stems[name], start_seconds=start, seconds=_EXCERPT_SECONDS, sample_rate=FINGERPRINT_RATE
            )
            for start in places
        ]
        for name in (into, source)
    )
    found = agree(heard, played, max_lag=round(_MAX_LAG_SECONDS * FINGERPRINT_RATE), whitening=_WHITENING)
    if found is None or found.share < _SHARE:
        return None
    lag = found.lag_samples
    product = energy = quiet_energy = 0.0
    for one, other, agrees in zip(heard, played, found.agreeing, strict=True):
        if agrees:
            late, early = (one[lag:], other[: other.shape[0] - lag]) if lag >= 0 else (one[:lag], other[-lag:])
            product += float(np.vdot(late, early))
            energy += float(np.vdot(early, early))
            quiet_energy += float(np.vdot(late, late))
    if not product or not energy or not quiet_energy:
        return None
    return Bleed(into, source, 20 * math.log10(abs(product) / energy), abs(product) / math.sqrt(energy * quiet_energy))


def _smallest(powers: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """The smallest power of every run of ``frames`` frames: neither silence nor a pause hides in it."""
    if powers.shape[0] < frames:
        return np.zeros(0, dtype=np.float32)
    return np.lib.stride_tricks.sliding_window_view(powers, frames).min(axis=1)

"""The balance of a band, and a master that treats all stems alike, so that they go on summing to the mixture.

    stem' = gain(t) * level(stem) * stem,   gain(t) = what a compressor and a limiter on the sum of the stems would do.

Levels are relative to the sum of all stems, where each sounds; they are drawn around those of real songs (see
``docs/rendering.md``), which differ by several decibels from song to song.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.desk import compressed_gain, limited_gain
from stemtune.data.rendering.sound import active_level

__all__ = ["STEM_LEVELS_DB", "mixed_down"]

STEM_LEVELS_DB = {"vocals": (-6.5, 2.5), "drums": (-4.5, 2.5), "bass": (-6.5, 3.0), "other": (-6.5, 3.0)}
"""Mean and standard deviation of the level of a stem; stems of other names are as loud as ``other``."""

_MASTER_DB = (-15.0, 2.0)
_LOUDEST_DB = -10.0
_CEILING = 0.97


def mixed_down(
    stems: Mapping[str, Float32[np.ndarray, "2 time"]], generator: np.random.Generator
) -> dict[str, Float32[np.ndarray, "2 time"]]:
    """Stems at the levels that a mixing engineer may have chosen, mastered together."""
    balanced: dict[str, Float32[np.ndarray, "2 time"]] = {}
    for stem, samples in stems.items():
        mean, spread = STEM_LEVELS_DB.get(stem, STEM_LEVELS_DB["other"])
        wanted_db = mean + float(np.clip(generator.normal(0, spread), -2.5 * spread, 2.5 * spread))
        level = active_level(samples)
        gain = 10 ** (wanted_db / 20) / level if level > 1e-5 else 0.0
        balanced[stem] = samples * np.float32(gain)
    mixture = sum(balanced.values(), start=np.zeros((1, 1), dtype=np.float32))
    level_db = 20 * float(np.log10(active_level(mixture)))
    master = np.float32(10 ** ((min(float(generator.normal(*_MASTER_DB)), _LOUDEST_DB) - level_db) / 20))
    gains = np.full(mixture.shape[1], master, dtype=np.float32)
    if generator.random() < 0.5:
        threshold_db, ratio = level_db + float(generator.uniform(-4, 4)), float(generator.uniform(1.3, 3.0))
        gains *= compressed_gain(mixture, threshold_db=threshold_db, ratio=ratio)
    gains *= limited_gain(mixture * gains, ceiling=_CEILING)
    return {stem: samples * gains for stem, samples in balanced.items()}

"""Samples as the renderer has them, and how loud they are where they sound.

    active level = sqrt(mean of x^2 over the quarter seconds that are not silent).

The level over a whole song would make a part that plays for ten seconds only as loud as one that plays throughout.
"""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from stemtune.errors import InputError

__all__ = ["SAMPLE_RATE", "Audio", "active_level", "load_audio"]

SAMPLE_RATE = 44_100

Audio = NDArray[np.floating[Any]]
"""Samples as soundfile has them: ``time`` (mono) or ``time channel`` (stereo), nominally within [-1, 1]."""

_BLOCK_SAMPLES = SAMPLE_RATE // 4
_SILENCE_POWER = 1e-6


def active_level(samples: Audio) -> float:
    """Root mean square over the quarter seconds that are not silent; a small positive number if all are."""
    usable = len(samples) - len(samples) % _BLOCK_SAMPLES
    blocks = samples[:usable].reshape(-1, _BLOCK_SAMPLES * (samples.shape[1] if samples.ndim > 1 else 1))
    powers = np.mean(np.square(blocks, dtype=np.float64), axis=1)
    loud = powers[powers > _SILENCE_POWER]
    return float(np.sqrt(loud.mean())) if loud.size else _SILENCE_POWER


def load_audio(path: Path) -> Audio:
    """A whole file at the renderer's rate, ``time`` or ``time channel``.

    Raises:
        InputError: if it cannot be decoded or has another rate.
    """
    try:
        samples, sample_rate = soundfile.read(str(path), dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path}: expected an audio file; it cannot be decoded ({error})") from error
    if sample_rate != SAMPLE_RATE:
        raise InputError(f"{path}: expected {SAMPLE_RATE} Hz; got {sample_rate}: resample it first")
    return np.asarray(samples, dtype=np.float32)

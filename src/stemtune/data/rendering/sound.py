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

__all__ = ["BLOCK_SAMPLES", "SAMPLE_RATE", "Audio", "active_level", "block_powers", "load_audio"]

SAMPLE_RATE = 44_100
BLOCK_SAMPLES = SAMPLE_RATE // 4

Audio = NDArray[np.floating[Any]]
"""Samples of type float: ``time`` (mono) or ``channel time`` (stereo), nominally within [-1, 1]."""

_SILENCE_POWER = 1e-6


def active_level(samples: Audio) -> float:
    """Root mean square over the quarter seconds that are not silent; a small positive number if all are."""
    powers = block_powers(samples)
    loud = powers[powers > _SILENCE_POWER]
    return float(np.sqrt(loud.mean())) if loud.size else _SILENCE_POWER


def block_powers(samples: Audio) -> NDArray[np.float64]:
    """The mean square of every whole quarter second, over all channels."""
    count = samples.shape[-1] // BLOCK_SAMPLES
    channels = np.atleast_2d(samples)[:, : count * BLOCK_SAMPLES]
    blocks = channels.reshape(len(channels), count, BLOCK_SAMPLES)
    sums = np.einsum("cbt,cbt->cb", blocks, blocks)
    return sums.mean(axis=0, dtype=np.float64) / BLOCK_SAMPLES


def load_audio(path: Path) -> Audio:
    """A whole file at the renderer's rate, ``time`` or ``channel time``.

    Raises:
        InputError: if it cannot be decoded or has another rate.
    """
    try:
        samples, sample_rate = soundfile.read(str(path), dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path}: expected an audio file; it cannot be decoded ({error})") from error
    if sample_rate != SAMPLE_RATE:
        raise InputError(f"{path}: expected {SAMPLE_RATE} Hz; got {sample_rate}: resample it first")
    return np.ascontiguousarray(samples.T, dtype=np.float32)

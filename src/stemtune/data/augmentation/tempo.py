"""Tempo and pitch, each by itself, and speed, which moves both together.

    stretch: y(f t) sounds like x(t), at x's pitch        speed: y(t) = x(v t)

A stretch by f makes a sound f times as long (Scaper's convention), so n samples are made of n / f. Attacks stay in
their places to a fraction of a millisecond, so stems that are stretched one by one still sound together. The vocoder
fades out during the last 60 ms of what it makes: `source_samples` asks for so much more, and it is cut off.

References:
    Signalsmith Stretch (python-stretch), a phase vocoder in blocks of 120 ms. Scaper 1.6.5: the meaning of the factor.

Deviations:
    Scaper changes pitch and tempo one after the other by sox (overlap-add); here both in one pass of the vocoder.
"""

import math
from importlib.util import find_spec

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import ConfigError

__all__ = ["change_speed", "require_vocoder", "source_samples", "stretch"]

_FADE_SECONDS = 0.06  # half a block of the vocoder: what it fades out at the end
_SEED = 0  # of the vocoder, which draws phases for very long stretches


def require_vocoder() -> None:
    """Raise a `ConfigError` if the vocoder is not installed."""
    if find_spec("python_stretch") is None:
        raise ConfigError(
            'pitch shift and time stretch need python-stretch: pip install "stemtune[train]", or leave '
            "pitch_semitones at (0, 0) and stretch at (1, 1)"
        )


def source_samples(num_samples: int, *, speed: float, factor: float, semitones: float, sample_rate: int) -> int:
    """How many samples `change_speed` and `stretch`, in this order, need to make ``num_samples``."""
    if factor == 1.0 and semitones == 0.0:
        return math.ceil(num_samples * speed)
    return math.ceil((num_samples + _FADE_SECONDS * sample_rate) / factor * speed)


def change_speed(
    samples: Float[Tensor, "channel from_time"], speed: float, *, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """Play ``speed`` times as fast."""
    faster = soxr.resample(samples.T.numpy(), sample_rate * speed, sample_rate, quality="MQ")
    return torch.from_numpy(np.ascontiguousarray(faster.T))


def stretch(
    samples: Float[Tensor, "channel from_time"], *, factor: float, semitones: float, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """Make a sound ``factor`` times as long and ``semitones`` higher; always the same for the same input."""
    from python_stretch.Signalsmith import Stretch

    vocoder = Stretch(_SEED)
    vocoder.preset(samples.shape[0], float(sample_rate))
    vocoder.setTimeFactor(1 / factor)
    vocoder.setTransposeSemitones(semitones)
    return torch.from_numpy(vocoder.process(np.ascontiguousarray(samples.numpy())))

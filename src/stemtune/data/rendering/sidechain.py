"""Side-chain compression, imitated: everything ducks when the kick drum is struck, and comes back.

gain(t) = 1 - depth * exp(-t_since_stroke / recovery), smoothed by a few milliseconds.
"""

from collections.abc import Sequence

import numpy as np

from stemtune.data.rendering.effects import running_mean
from stemtune.data.rendering.oscillators import CONTROL_RATE, Line, at_every_sample, num_controls
from stemtune.data.rendering.sound import SAMPLE_RATE

__all__ = ["ducked", "since_onset"]


def ducked(
    onsets_seconds: Sequence[float], num_samples: int, *, depth: float, recovery_seconds: float, ramp_seconds: float
) -> Line:
    """The gain at every sample, at most 1; ``depth`` is how much of the sound a stroke takes away."""
    moments = np.arange(num_controls(num_samples)) / CONTROL_RATE
    dips = 1 - depth * np.exp(-_since(onsets_seconds, moments) / recovery_seconds)
    return at_every_sample(running_mean(dips, round(ramp_seconds * CONTROL_RATE)), num_samples)


def since_onset(onsets_seconds: Sequence[float], num_samples: int) -> Line:
    """Seconds since the latest onset, at every sample; large before the first."""
    return _since(onsets_seconds, np.arange(num_samples) / SAMPLE_RATE)


def _since(onsets_seconds: Sequence[float], moments: Line) -> Line:
    onsets = np.sort(np.array([-1e3, *onsets_seconds]))
    return moments - onsets[np.searchsorted(onsets, moments, side="right") - 1]

"""Small studio effects for synthesised stems: filters, saturation, rooms, a place in the stereo image.

All are linear and time-invariant but for the saturation, and every random choice comes from a generator:

    room(x) = x + wet * (x convolved with exponentially decaying noise).
"""

from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = [
    "add_room",
    "band_of",
    "filtered",
    "in_stereo",
    "pan",
    "process_mildly",
    "resonator",
    "running_mean",
    "saturated",
    "to_level",
]


def filtered(
    samples: Audio, kind: Literal["lowpass", "highpass"], cutoff_hz: float, *, order: int = 2
) -> NDArray[np.float32]:
    """A Butterworth filter along time."""
    cutoff_hz = min(max(cutoff_hz, 10.0), 0.45 * SAMPLE_RATE)
    sections = cast(Any, signal).butter(order, cutoff_hz, kind, fs=SAMPLE_RATE, output="sos")
    return np.asarray(cast(Any, signal).sosfilt(sections, samples), dtype=np.float32)


def band_of(samples: Audio, centre_hz: float, width_hz: float) -> NDArray[np.float32]:
    """A gentle band-pass filter along time."""
    low, high = max(centre_hz - width_hz / 2, 60.0), min(centre_hz + width_hz / 2, 0.45 * SAMPLE_RATE)
    sections = cast(Any, signal).butter(1, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(cast(Any, signal).sosfilt(sections, samples), dtype=np.float32)


def resonator(samples: Audio, centre_hz: float, bandwidth_hz: float) -> NDArray[np.float32]:
    """Two poles, with gain 1 at 0 Hz: one formant of a cascade."""
    radius = np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE)
    a1 = -2 * radius * np.cos(2 * np.pi * centre_hz / SAMPLE_RATE)
    a2 = radius**2
    return np.asarray(cast(Any, signal).lfilter([1 + a1 + a2], [1.0, a1, a2], samples), dtype=np.float32)


def running_mean(line: Audio, size: int, *, times: int = 1) -> NDArray[np.float64]:
    """A running mean along time; three ``times`` it comes close to a Gaussian and costs far less."""
    result = np.asarray(line, dtype=np.float64)
    for _ in range(times):
        result = np.asarray(cast(Any, ndimage).uniform_filter1d(result, max(size, 1)), dtype=np.float64)
    return result


def saturated(samples: Audio, drive_db: float) -> Audio:
    """Soft clipping that leaves the level of small signals near where it was."""
    peak = float(np.abs(samples).max()) + 1e-9
    drive = 10 ** (drive_db / 20) / peak
    return (np.tanh(samples * drive) / np.tanh(drive * peak) * peak).astype(np.float32)


def in_stereo(samples: Audio) -> Audio:
    """``channel time`` with two channels, whatever came."""
    return np.stack([samples, samples]) if samples.ndim == 1 else samples


def pan(samples: Audio, position: float) -> Audio:
    """A mono signal at a place between -1 (left) and 1 (right), at equal power."""
    angle = (position + 1) * np.pi / 4
    gains = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32) * np.float32(np.sqrt(2))
    return samples * gains[:, None]


def add_room(samples: Audio, generator: np.random.Generator, *, decay_seconds: float, wet_db: float) -> Audio:
    """Stereo reverberation with a random impulse response that falls by 60 dB in ``decay_seconds``."""
    num_samples = max(int(decay_seconds * SAMPLE_RATE), 64)
    time = np.arange(num_samples) / SAMPLE_RATE
    envelope = 10 ** (-3 * time / decay_seconds) * np.clip((time - generator.uniform(0.002, 0.02)) / 0.004, 0, 1)
    response = np.ascontiguousarray(generator.standard_normal((num_samples, 2)).T) * envelope
    response = filtered(response.astype(np.float32), "lowpass", float(generator.uniform(2500, 9000)), order=1)
    response = filtered(response, "highpass", float(generator.uniform(120, 400)), order=1)
    response /= np.sqrt(np.square(response).sum(axis=1, keepdims=True)) + 1e-9
    stereo = in_stereo(samples)
    tail = np.asarray(cast(Any, signal).oaconvolve(stereo, response, axes=1), dtype=np.float32)
    tail = tail[:, : stereo.shape[1]]
    return (stereo + tail * 10 ** (wet_db / 20)).astype(np.float32)


def to_level(samples: Audio, level_db: float, *, peak: float = 0.9) -> Audio:
    """The samples at a level (root mean square in dB), or as near to it as the peak allows."""
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) + 1e-9
    gain = min(10 ** (level_db / 20) / level, peak / (float(np.abs(samples).max()) + 1e-9))
    return (samples * np.float32(gain)).astype(np.float32)


def process_mildly(samples: Audio, generator: np.random.Generator) -> Audio:
    """What a mixing engineer may have done: a tilt, a cut at either end, some saturation, a short room."""
    result = samples
    if generator.random() < 0.4:
        bright = filtered(result, "highpass", float(generator.uniform(1500, 4000)), order=1)
        result = result + bright * np.float32(generator.uniform(-0.6, 1.0))
    if generator.random() < 0.15:
        result = filtered(result, "lowpass", float(generator.uniform(5000, 14000)))
    if generator.random() < 0.5:
        result = saturated(result, float(generator.uniform(-12, 9)))
    if generator.random() < 0.5:
        decay = float(generator.uniform(0.15, 0.9))
        result = add_room(result, generator, decay_seconds=decay, wet_db=float(generator.uniform(-22, -8)))
    return result

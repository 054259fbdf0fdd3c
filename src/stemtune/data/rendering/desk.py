"""A mixing desk: equalisers, a compressor, a room that all instruments share, a place in the stereo image.

Everything that is done to the sum is done to each part, so that the parts go on adding up to it:

    part' = gain(t) * (part + wet * (room convolved with part)),   mixture' = sum over parts of part'.

The room is one impulse response per song: some early reflections, then noise whose high frequencies die first.
References: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients" (the equaliser).
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage, signal

from stemtune.data.rendering.effects import filtered
from stemtune.data.rendering.oscillators import at_every_sample
from stemtune.data.rendering.sound import SAMPLE_RATE, active_level

__all__ = ["Room", "compressed_gain", "draw_room", "equalised", "limited_gain", "placed", "tamed", "to_active_level"]


_AUDIBLE_DB = 0.5  # what an equaliser does less than this, it does not do


@dataclass(frozen=True)
class Room:
    """A room's impulse response, of unit energy in each channel, without the direct sound."""

    decay_seconds: float
    response: Float32[np.ndarray, "2 tap"]

    def added(self, samples: Float32[np.ndarray, "2 time"], *, wet_db: float) -> Float32[np.ndarray, "2 time"]:
        """The samples within the room; what sounds on after their end is cut."""
        return (samples + self.tail(samples) * np.float32(10 ** (wet_db / 20))).astype(np.float32)

    def tail(self, samples: Float32[np.ndarray, "2 time"]) -> Float32[np.ndarray, "2 time"]:
        """What the room adds to the samples, about as loud as they are."""
        if not samples.any():
            return samples
        wet = cast(Any, signal).oaconvolve(samples, self.response, axes=1)
        return np.asarray(wet[:, : samples.shape[1]], dtype=np.float32)


def draw_room(generator: np.random.Generator, *, shortest_seconds: float, longest_seconds: float) -> Room:
    """A random room that falls by 60 dB within a time between the two."""
    decay = float(shortest_seconds * (longest_seconds / shortest_seconds) ** generator.uniform())
    num_taps = max(round(decay * SAMPLE_RATE), 512)
    time = np.arange(num_taps) / SAMPLE_RATE
    size = float(generator.uniform(0.3, 1.0))
    before = 0.004 + 0.03 * size * float(generator.uniform())
    noise = np.ascontiguousarray(generator.standard_normal((num_taps, 2)).T, dtype=np.float32)
    low = filtered(noise, "lowpass", float(generator.uniform(1200, 3500)), order=1)
    low_tail = low * 10 ** (-3 * time / decay)
    high_tail = (noise - low) * 10 ** (-3 * time / (decay * generator.uniform(0.25, 0.7)))
    rise = np.clip((time - before) / (0.01 + 0.03 * size), 0, 1)
    response = (low_tail + float(generator.uniform(0.15, 0.8)) * high_tail) * rise
    for _ in range(int(generator.integers(5, 14))):
        tap = round(float(generator.uniform(0.003, 0.02 + 0.06 * size)) * SAMPLE_RATE)
        if tap < num_taps:
            gains = generator.uniform(0.2, 1.0, size=2) * generator.choice([-1.0, 1.0])
            response[:, tap] += 6 * gains * float(np.exp(-tap / SAMPLE_RATE / 0.03))
    response = filtered(response.astype(np.float32), "highpass", float(generator.uniform(90, 260)), order=1)
    response = filtered(response, "lowpass", float(generator.uniform(5000, 14_000)), order=1)
    return Room(decay, (response / (np.sqrt(np.square(response).sum(axis=1, keepdims=True)) + 1e-9)).astype(np.float32))


def equalised(
    samples: Float32[np.ndarray, "... time"], generator: np.random.Generator, *, amount_db: float = 3.0
) -> Float32[np.ndarray, "... time"]:
    """Two shelves and two bells at random, each of a gain with this standard deviation."""
    gains = np.clip(generator.normal(0, amount_db, size=4), -3 * amount_db, 3 * amount_db)
    sections = [
        _shelf(float(generator.uniform(90, 250)), float(gains[0]), high=False),
        _bell(float(250 * 2 ** generator.uniform(0, 2)), float(gains[1]), float(generator.uniform(0.6, 2.0))),
        _bell(float(1000 * 2 ** generator.uniform(0, 2.3)), float(gains[2]), float(generator.uniform(0.6, 2.0))),
        _shelf(float(generator.uniform(4000, 9000)), float(gains[3]), high=True),
    ]
    audible = [section for section, gain in zip(sections, gains, strict=True) if abs(gain) > _AUDIBLE_DB]
    if not audible:
        return samples
    return np.asarray(cast(Any, signal).sosfilt(np.stack(audible), samples), dtype=np.float32)


def placed(
    samples: Float32[np.ndarray, "2 time"], *, position: float, width: float = 1.0
) -> Float32[np.ndarray, "2 time"]:
    """A stereo signal narrowed to ``width`` of itself and moved to a place from -1 (left) to 1 (right)."""
    angle = (min(max(position, -1.0), 1.0) + 1) * np.pi / 4
    result = np.empty_like(samples)
    for side, gain in enumerate((np.sqrt(2) * np.cos(angle), np.sqrt(2) * np.sin(angle))):
        np.multiply(samples[side], np.float32(gain * (1 + width) / 2), out=result[side])
        result[side] += samples[1 - side] * np.float32(gain * (1 - width) / 2)
    return result


def tamed(samples: Float32[np.ndarray, "... time"], *, headroom: float = 1.2) -> Float32[np.ndarray, "... time"]:
    """The samples with single strokes that stick out rounded off, as tape and limiters do.

    Args:
        samples: of a part that is struck or plucked.
        headroom: how far above the usual stroke (the 90th percentile of the louder peaks) the limit lies.
    """
    hop = round(0.01 * SAMPLE_RATE)
    mono = _loudest(samples)
    usable = len(mono) - len(mono) % hop
    peaks = mono[:usable].reshape(-1, hop).max(axis=1)
    peaks = peaks[peaks > 0.1 * peaks.max(initial=0.0)]
    if not peaks.size:
        return samples
    limit = np.float32(headroom * float(np.quantile(peaks, 0.9)))
    return (limit * np.tanh(samples / limit)).astype(np.float32)


def to_active_level(samples: Float32[np.ndarray, "... time"], level_db: float) -> Float32[np.ndarray, "... time"]:
    """The samples at a level (root mean square in dB) where they sound; silence stays silence."""
    level = active_level(samples)
    gain = 10 ** (level_db / 20) / level if level > 1e-5 else 0.0
    return samples * np.float32(gain)


def compressed_gain(
    samples: Float32[np.ndarray, "... time"],
    *,
    threshold_db: float,
    ratio: float,
    attack_seconds: float = 0.01,
    release_seconds: float = 0.15,
) -> Float32[np.ndarray, "time"]:
    """The gain by which a compressor would turn these samples down, at every sample; at most 1.

    Levels are taken every 5 ms, attack and release follow them, and the gain is interpolated in between.
    """
    hop = round(0.005 * SAMPLE_RATE)
    mono = _loudest(samples)
    count = -(-len(mono) // hop)
    power = np.square(np.pad(mono, (0, count * hop - len(mono)))).reshape(count, hop).mean(axis=1)
    over_db = np.maximum(10 * np.log10(power + 1e-12) - threshold_db, 0.0) * (1 - 1 / ratio)
    rise, fall = (float(np.exp(-hop / SAMPLE_RATE / seconds)) for seconds in (attack_seconds, release_seconds))
    reduction_db = np.empty(count)
    state = 0.0
    for index, wanted in enumerate(over_db.tolist()):
        weight = rise if wanted > state else fall
        state = weight * state + (1 - weight) * wanted
        reduction_db[index] = state
    return _interpolated(10 ** (-reduction_db / 20), hop, len(mono))


def limited_gain(
    samples: Float32[np.ndarray, "2 time"], *, ceiling: float, release_seconds: float = 0.08
) -> Float32[np.ndarray, "time"]:
    """The gain that keeps these samples below a ceiling, with a look-ahead of some milliseconds; at most 1."""
    hop = round(0.002 * SAMPLE_RATE)
    loudest = _loudest(samples)
    count = -(-len(loudest) // hop)
    peaks = np.pad(loudest, (0, count * hop - len(loudest))).reshape(count, hop).max(axis=1)
    around = cast(Any, ndimage).maximum_filter1d(peaks, 3)
    needed = np.minimum(1.0, ceiling / np.maximum(around, 1e-9))
    release = float(np.exp(-hop / SAMPLE_RATE / release_seconds))
    lost = np.log(np.maximum(1 - needed, 1e-12)) - np.arange(count) * np.log(release)
    gains = 1 - np.exp(np.maximum.accumulate(lost) + np.arange(count) * np.log(release))  # it recovers exponentially
    gains = np.minimum(gains, np.roll(gains, -1))  # down before the peak, not on it
    return _interpolated(gains, hop, len(loudest))


def _loudest(samples: Float32[np.ndarray, "... time"]) -> Float32[np.ndarray, "time"]:
    """The larger magnitude of the channels, at every sample."""
    magnitudes = np.abs(samples)
    return magnitudes if magnitudes.ndim == 1 else magnitudes.max(axis=0)


def _interpolated(values: Float64[np.ndarray, "block"], hop: int, num_samples: int) -> Float32[np.ndarray, "time"]:
    """A line through values in the middle of blocks of an even number of samples."""
    ends = np.concatenate([values[:1], values, values[-1:]])
    line = at_every_sample(ends, num_samples + hop // 2, hop=hop)
    return line[hop // 2 :].astype(np.float32)


def _bell(centre_hz: float, gain_db: float, quality: float) -> np.ndarray:
    root = 10 ** (gain_db / 40)
    omega = 2 * np.pi * min(centre_hz, 0.45 * SAMPLE_RATE) / SAMPLE_RATE
    alpha, cosine = np.sin(omega) / (2 * quality), np.cos(omega)
    zeros = np.array([1 + alpha * root, -2 * cosine, 1 - alpha * root])
    poles = np.array([1 + alpha / root, -2 * cosine, 1 - alpha / root])
    return np.concatenate([zeros, poles]) / poles[0]


def _shelf(corner_hz: float, gain_db: float, *, high: bool) -> np.ndarray:
    root = 10 ** (gain_db / 40)
    omega = 2 * np.pi * corner_hz / SAMPLE_RATE
    cosine = -np.cos(omega) if high else np.cos(omega)
    slope = np.sin(omega) / 2 * np.sqrt(2) * 2 * np.sqrt(root)
    sign = -1 if high else 1
    zeros = np.array(
        [
            root * ((root + 1) - (root - 1) * cosine + slope),
            sign * 2 * root * ((root - 1) - (root + 1) * cosine),
            root * ((root + 1) - (root - 1) * cosine - slope),
        ]
    )
    poles = np.array(
        [
            (root + 1) + (root - 1) * cosine + slope,
            -sign * 2 * ((root - 1) + (root + 1) * cosine),
            (root + 1) + (root - 1) * cosine - slope,
        ]
    )
    return np.concatenate([zeros, poles]) / poles[0]

"""Oscillators, envelopes and filters that move: what a subtractive synthesiser is made of, vectorised over time.

A sawtooth that steps from 1 to -1 folds its upper partials back into the audible range; the polynomial band-limited
step (PolyBLEP) rounds the step within one sample on either side, with t the distance from it in samples:

    saw[n] = 2 phase[n] - 1 - blep(t),   blep(t) = 2 t - t^2 - 1  (0 <= t < 1),   t^2 + 2 t + 1  (-1 < t < 0).

References: V. Valimaki and A. Huovilainen, "Antialiasing oscillators in subtractive synthesis", IEEE Signal
    Processing Magazine 24(2), 2007.
Deviations: the moving filter is a cross-fade between fixed filters, which has no recursion to vectorise.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stemtune.data.rendering.effects import filtered, running_mean
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = [
    "CONTROL_RATE",
    "CONTROL_SAMPLES",
    "WAVES",
    "Line",
    "Wave",
    "at_every_sample",
    "frequency_of",
    "gates",
    "hertz",
    "line_of",
    "moving_lowpass",
    "num_controls",
    "oscillator",
]

Wave = Literal["sine", "saw", "square", "triangle"]
WAVES: tuple[Wave, ...] = ("sine", "saw", "square", "triangle")
Line = NDArray[np.float64]
"""One value a sample: a frequency, an envelope, a cutoff."""

CONTROL_SAMPLES = 64
CONTROL_RATE = SAMPLE_RATE / CONTROL_SAMPLES
"""How often a second slow lines are computed, before `at_every_sample`: 689 times."""

_BLOCK_SAMPLES = 1 << 15
_SMOOTHING_SAMPLES = 128  # three milliseconds: no gain may jump, or a click would tell where notes begin


def hertz(pitch: Line | float) -> Line:
    """The frequency of a MIDI pitch, equal temperament, A4 = 440 Hz."""
    return np.asarray(440.0 * 2 ** ((np.asarray(pitch, dtype=np.float64) - 69) / 12))


def at_every_sample(line: Line, num_samples: int, *, hop: int = CONTROL_SAMPLES) -> Line:
    """A line that is known every ``hop`` samples, interpolated in between; `num_controls` values are enough."""
    pieces = np.diff(line)[:, None] * (np.arange(hop) / hop)
    pieces += line[:-1, None]
    return pieces.reshape(-1)[:num_samples]


def num_controls(num_samples: int) -> int:
    """How many values `at_every_sample` needs at the control rate."""
    return -(-num_samples // CONTROL_SAMPLES) + 1


def oscillator(wave: Wave, frequency_hz: Line, *, phase: float = 0.0) -> Audio:
    """A band-limited wave of a frequency that may change from sample to sample."""
    increment = frequency_hz / SAMPLE_RATE
    turns = np.cumsum(increment) + phase
    if wave == "sine":
        return np.sin(2 * np.pi * turns).astype(np.float32)
    if wave == "triangle":
        return (2 / np.pi * np.arcsin(np.sin(2 * np.pi * turns))).astype(np.float32)
    saw = _saw(turns, increment)
    if wave == "saw":
        return saw
    return (0.5 * (saw - _saw(turns + 0.5, increment))).astype(np.float32)


def _saw(turns: Line, increment: Line) -> Audio:
    result = np.empty(len(turns), dtype=np.float32)
    for start in range(0, len(turns), _BLOCK_SAMPLES):  # what stays in the cache costs half
        piece = slice(start, start + _BLOCK_SAMPLES)
        step = np.maximum(increment[piece], 1e-9)
        position = turns[piece] - np.floor(turns[piece])
        wave = 2 * position - 1
        near = np.flatnonzero(position < step)
        after = position[near] / step[near]
        wave[near] -= 2 * after - after**2 - 1
        near = np.flatnonzero(position - 1 > -step)
        before = (position[near] - 1) / step[near]
        wave[near] -= before**2 + 2 * before + 1
        result[piece] = wave
    return result


def line_of(notes: Sequence[Note], num_samples: int, *, glide_seconds: float = 0.0) -> Line:
    """The pitch at every sample: that of the last note that began, with a glide towards it."""
    if not notes:
        return np.full(num_samples, 60.0)
    pitches = np.array([float(note.pitch) for note in notes])
    onsets, lengths = _stretches(notes, num_samples)
    line = np.repeat(pitches, lengths)
    if glide_seconds > 0:
        steps = np.repeat(np.diff(pitches, prepend=pitches[0]), lengths)
        since = (np.arange(num_samples) - np.repeat(onsets, lengths)) / (glide_seconds * SAMPLE_RATE)
        line = line - steps * np.exp(-4 * np.clip(since, 0, None))
    return line


def frequency_of(notes: Sequence[Note], num_samples: int) -> Line:
    """The frequency at every sample, in Hz: that of the last note that began."""
    if not notes:
        return hertz(line_of(notes, num_samples))
    frequencies = hertz(np.array([float(note.pitch) for note in notes]))
    return np.repeat(frequencies, _stretches(notes, num_samples)[1])


def _stretches(notes: Sequence[Note], num_samples: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where notes begin, and for how many samples each is the last one that began; the first from the beginning."""
    onsets = np.array([round(note.start_seconds * SAMPLE_RATE) for note in notes], dtype=np.int64)
    edges = np.clip(np.array([0, *onsets[1:].tolist(), num_samples]), 0, num_samples)
    return onsets, np.diff(edges)


def gates(
    notes: Sequence[Note],
    num_samples: int,
    *,
    attack_seconds: float,
    decay_seconds: float,
    sustain: float,
    release_seconds: float,
) -> Line:
    """Attack, decay, sustain and release of every note; where notes overlap the louder counts."""
    envelope = np.zeros(num_samples)
    for note in notes:
        start = round(note.start_seconds * SAMPLE_RATE)
        held = max(round(note.duration_seconds * SAMPLE_RATE), 32)
        length = min(held + round(4 * release_seconds * SAMPLE_RATE), num_samples - start)
        if length <= 0:
            continue
        time = np.arange(length) / SAMPLE_RATE
        shape = np.minimum(time / max(attack_seconds, 1e-3), 1.0)
        shape *= sustain + (1 - sustain) * np.exp(-np.clip(time - attack_seconds, 0, None) / max(decay_seconds, 1e-3))
        shape *= np.exp(-np.clip(time - held / SAMPLE_RATE, 0, None) / max(release_seconds, 1e-3))
        tail = min(length, 64)
        shape[length - tail :] *= np.linspace(1, 0, tail)
        window = envelope[start : start + length]
        np.maximum(window, shape * (note.velocity / 127), out=window)
    return np.clip(running_mean(envelope, _SMOOTHING_SAMPLES), 0.0, None)


def moving_lowpass(samples: Audio, cutoff_hz: Line, *, num_filters: int = 6) -> Audio:
    """A low-pass filter whose cutoff follows a line, as a cross-fade between fixed filters."""
    low, high = max(float(cutoff_hz.min()), 40.0), min(max(float(cutoff_hz.max()), 80.0), 18_000.0)
    if high < 1.1 * low:
        return filtered(samples, "lowpass", low)
    cutoffs = np.geomspace(low, high, num_filters)
    position = np.empty(len(cutoff_hz))
    for start in range(0, len(cutoff_hz), _BLOCK_SAMPLES):
        piece = slice(start, start + _BLOCK_SAMPLES)
        heights = np.log(np.maximum(cutoff_hz[piece], 1.0))
        position[piece] = np.interp(heights, np.log(cutoffs), np.arange(num_filters))
    result = np.zeros_like(samples)
    for index, cutoff in enumerate(cutoffs):
        fixed = filtered(samples, "lowpass", float(cutoff))
        for start in range(0, len(samples), _BLOCK_SAMPLES):
            piece = slice(start, start + _BLOCK_SAMPLES)
            weight = np.clip(1 - np.abs(position[piece] - index), 0, None).astype(np.float32)
            result[piece] += fixed[piece] * weight
    return result

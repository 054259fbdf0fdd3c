"""Synthesised drum hits in the manner of drum machines: a falling sine, a burst of noise, or both.

A kick, for one, is a sine whose pitch and loudness decay:

    kick(t) = exp(-t / decay) * sin(2 pi * integral of (f_end + (f_start - f_end) * exp(-t / sweep)) dt).
"""

from typing import Any, cast

import numpy as np
from scipy import signal

from stemtune.data.rendering.effects import filtered, saturated
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = ["DRUM_KINDS", "synthetic_hit", "transposed"]

DRUM_KINDS = ("kick", "snare", "clap", "hat", "open_hat", "tom", "ride", "crash")


def transposed(sample: Audio, semitones: float) -> Audio:
    """Another pitch by another speed, as samplers do it (linear interpolation)."""
    if abs(semitones) < 0.01:
        return sample
    ratio = 2 ** (semitones / 12)
    positions = np.arange(int(len(sample) / ratio)) * ratio
    return np.interp(positions, np.arange(len(sample)), sample).astype(np.float32)


def synthetic_hit(kind: str, generator: np.random.Generator) -> Audio:
    """One random hit of a kind of `DRUM_KINDS`, mono, peak 0.9."""
    draw = generator.uniform
    match kind:
        case "kick":
            hit = _thump(draw(90, 350), draw(40, 65), draw(0.015, 0.06), draw(0.1, 0.5), generator)
            hit += _noise(draw(0.002, 0.008), 800.0, 12_000.0, generator, len(hit)) * np.float32(draw(0, 0.5))
            hit = saturated(hit, draw(-6, 10))
        case "tom":
            hit = _thump(draw(140, 260), draw(80, 150), draw(0.03, 0.09), draw(0.12, 0.3), generator)
        case "snare":
            tone = _thump(draw(200, 400), draw(150, 220), draw(0.01, 0.04), draw(0.05, 0.12), generator)
            noise = _noise(draw(0.06, 0.2), draw(400, 1500), draw(7000, 15000), generator, len(tone))
            hit = tone * np.float32(draw(0.2, 0.8)) + noise
        case "clap":
            burst = _noise(draw(0.08, 0.2), draw(600, 1200), draw(3000, 8000), generator, SAMPLE_RATE // 2)
            hit = np.zeros_like(burst)
            for delay in (0.0, 0.011, 0.022):
                onset = round(delay * draw(0.8, 1.2) * SAMPLE_RATE)
                hit[onset:] += burst[: len(burst) - onset] * np.float32(0.6 if delay < 0.02 else 1.0)
        case "hat":
            hit = _metal(draw(0.015, 0.06), draw(5000, 8500), generator)
        case "open_hat":
            hit = _metal(draw(0.12, 0.35), draw(5000, 8000), generator)
        case "ride":
            hit = _metal(draw(0.4, 0.9), draw(3000, 5000), generator)
        case _:
            hit = _metal(draw(0.6, 1.2), draw(1500, 3500), generator)
    return (hit * (0.9 / (np.abs(hit).max() + 1e-9))).astype(np.float32)


def _thump(start_hz: float, end_hz: float, sweep: float, decay: float, generator: np.random.Generator) -> Audio:
    time = np.arange(round(min(6 * decay, 2.0) * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = end_hz + (start_hz - end_hz) * np.exp(-time / sweep)
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE + generator.uniform(0, 0.5 * np.pi)
    attack = np.clip(time / 0.0015, 0, 1)
    return (np.sin(phase) * np.exp(-time / decay) * attack).astype(np.float32)


def _noise(decay: float, low_hz: float, high_hz: float, generator: np.random.Generator, num_samples: int) -> Audio:
    time = np.arange(num_samples) / SAMPLE_RATE
    noise = generator.standard_normal(num_samples).astype(np.float32)
    noise = filtered(filtered(noise, "highpass", low_hz), "lowpass", high_hz)
    return (noise * np.exp(-time / decay) * 0.5).astype(np.float32)


def _metal(decay: float, low_hz: float, generator: np.random.Generator) -> Audio:
    """Six detuned square waves and noise above a high cutoff: the cymbals of drum machines."""
    num_samples = round(min(6 * decay, 3.0) * SAMPLE_RATE)
    time = np.arange(num_samples) / SAMPLE_RATE
    tones = np.zeros(num_samples)
    for frequency in generator.uniform(250, 900, size=6):
        tones += cast(Any, signal).square(2 * np.pi * frequency * generator.uniform(1, 4) * time)
    blend = generator.uniform(0, 1)
    mixed = tones / 6 * blend + generator.standard_normal(num_samples) * (1 - 0.7 * blend)
    mixed = filtered(mixed.astype(np.float32), "highpass", low_hz, order=3)
    return (mixed * np.exp(-time / decay)).astype(np.float32)

"""A section of singers, quickly: pulses filtered by a vocal tract that changes from frame to frame.

Where `singing` runs a cascade of resonators per vowel, here the tract is a gain per frequency and frame, interpolated
in decibels between vowels, and applied to the short-time spectrum of the pulses of all singers together:

    section = overlap-add of irfft(rfft(window * sum of pulses) * exp(sum over vowels of weight(frame) * log|H|)).

With frames of 4096 values and windows of 1024 samples the filters may ring for 35 ms before they wrap around.
References: as in `singing`; J. B. Allen and L. R. Rabiner, "A unified approach to short-time Fourier analysis and
    synthesis", Proc. IEEE 65, 1977 (filtering by overlap-add).
Deviations: the tract has no phase of its own.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from jaxtyping import Float32, Float64
from scipy import fft as scipy_fft

from stemtune.data.rendering.effects import filtered, running_mean
from stemtune.data.rendering.melodies import elsewhere
from stemtune.data.rendering.oscillators import oscillator
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.singing import BANDWIDTHS, VOWELS
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.voice_lines import (
    Manner,
    Voice,
    consonants,
    frequency_line,
    inhalations,
    loudness_line,
    random_manner,
    slow_noise,
)

__all__ = ["sing_together"]

_WINDOW, _HOP, _N_FFT = 1024, 512, 4096
_FRAMES_AT_ONCE = 512
_CHOIR_VOWELS = ("a", "o", "u", "a", "uh", "e")
_FLOOR = 1e-4
_fft = cast(Any, scipy_fft)


def sing_together(
    notes: Sequence[Note],
    *,
    num_samples: int,
    voice: Voice,
    num_singers: int,
    generator: np.random.Generator,
    vowels: Sequence[str] | None = None,
) -> Float32[np.ndarray, "time"]:
    """Some singers on one line, mono and dry, root mean square about 0.1 where they sing.

    Args:
        notes: a line without overlaps, in the range of the voice.
        num_samples: length of the result.
        voice: the kind of singer.
        num_singers: one for a soloist.
        generator: draws the singers, the vowels, the consonants.
        vowels: to draw from; by default all for a soloist, and the round ones for a choir.
    """
    manner = random_manner(voice, generator)
    loudness, phrases = loudness_line(notes, num_samples, generator)
    if num_singers == 1:
        noise, voicing = consonants(notes, num_samples, manner, generator)
        noise = noise + inhalations(phrases, num_samples, manner, generator)
        loudness = loudness * voicing
    else:
        noise = np.zeros(num_samples, dtype=np.float32)
    pulses = np.zeros(num_samples, dtype=np.float32)
    for index in range(num_singers):
        line = notes if index == 0 else elsewhere(notes, generator)
        singer = manner if index == 0 else random_manner(voice, generator)
        pulses += oscillator(
            "saw", frequency_line(line, num_samples, singer, generator), phase=float(generator.random())
        )
    pulses /= np.float32(np.sqrt(num_singers))
    pulses *= 1 + np.float32(0.08) * slow_noise(num_samples, 40.0, generator)
    breath = generator.standard_normal(num_samples, dtype=np.float32) * np.float32(manner.breath)
    source = (pulses + breath * (0.7 + 0.3 * pulses)) * loudness
    weights = _vowel_weights(
        notes, num_samples, vowels or (tuple(VOWELS) if num_singers == 1 else _CHOIR_VOWELS), generator
    )
    tract = _filtered_by_frames(_tilted(source, manner.tilt_db), weights, manner)
    sounding = loudness > 0.1
    level = float(np.sqrt(np.mean(np.square(tract[sounding])))) if sounding.any() else 1.0
    return filtered(np.float32(0.1 / (level + 1e-9)) * tract + noise, "highpass", 70.0)


def _vowel_weights(
    notes: Sequence[Note], num_samples: int, choice: Sequence[str], generator: np.random.Generator
) -> dict[str, Float64[np.ndarray, "frame"]]:
    """How much of each vowel the tract has in each frame; the weights sum to 1."""
    num_frames = num_samples // _HOP + 1
    weights = {name: np.zeros(num_frames) for name in dict.fromkeys(choice)}
    starts = [0, *(round(note.start_seconds * SAMPLE_RATE / _HOP) for note in notes[1:]), num_frames]
    for start, stop in pairwise(starts):
        middle = (start + stop) // 2 if generator.random() < 0.3 else stop
        weights[str(generator.choice(choice))][start:middle] = 1.0
        weights[str(generator.choice(choice))][middle:stop] = 1.0
    width = round(float(generator.uniform(0.03, 0.08)) * SAMPLE_RATE / _HOP)
    return {name: running_mean(weight, width, times=2) for name, weight in weights.items() if weight.any()}


def _filtered_by_frames(
    source: Float32[np.ndarray, "time"], weights: dict[str, Float64[np.ndarray, "frame"]], manner: Manner
) -> Float32[np.ndarray, "time"]:
    shapes = np.stack([np.log(np.maximum(_gain(vowel, manner), _FLOOR)) for vowel in weights]).astype(np.float32)
    mixture = np.stack(list(weights.values()), axis=1).astype(np.float32)
    window = (np.hanning(_WINDOW + 1)[:-1] * (2 * _HOP / _WINDOW)).astype(np.float32)
    num_frames = mixture.shape[0]
    padded = np.pad(source, (_WINDOW // 2, _WINDOW + _HOP))
    result = np.zeros((num_frames - 1) * _HOP + _N_FFT, dtype=np.float32)
    for first in range(0, num_frames, _FRAMES_AT_ONCE):
        last = min(first + _FRAMES_AT_ONCE, num_frames)
        places = np.arange(first, last)[:, None] * _HOP + np.arange(_WINDOW)
        gains = np.exp(np.einsum("fv,vb->fb", mixture[first:last], shapes))  # the same sums on every machine's cores
        spectra = _fft.rfft(padded[places] * window, n=_N_FFT, axis=1) * gains
        frames = _fft.irfft(spectra, n=_N_FFT, axis=1)
        frames = np.roll(frames, (_N_FFT - _WINDOW) // 2, axis=1)  # what rings before a frame comes first
        for offset in range(0, _N_FFT, _HOP):
            target = result[first * _HOP + offset : (last - 1) * _HOP + offset + _HOP]
            target += frames[:, offset : offset + _HOP].reshape(-1)
    start = _WINDOW // 2 + (_N_FFT - _WINDOW) // 2
    return result[start : start + len(source)].copy()


def _gain(vowel: str, manner: Manner) -> Float64[np.ndarray, "frequency"]:
    """The magnitude of the vocal tract for a vowel, with the formants that all vowels share above its own."""
    frequency = np.arange(_N_FFT // 2 + 1) * SAMPLE_RATE / _N_FFT
    formants: list[tuple[float, float]] = list(zip(VOWELS[vowel], BANDWIDTHS, strict=True))
    centre = 4500.0
    while centre * manner.formant_scale < 0.45 * SAMPLE_RATE:
        formants.append((centre, 0.08 * centre))
        centre += 1000.0
    gain = np.ones(len(frequency))
    turn = np.exp(-2j * np.pi * frequency / SAMPLE_RATE)
    for centre, bandwidth in formants:
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        a1 = -2 * radius * np.cos(2 * np.pi * centre * manner.formant_scale / SAMPLE_RATE)
        gain *= np.abs((1 + a1 + radius**2) / (1 + a1 * turn + radius**2 * turn**2))
    singers = 10 ** (manner.singers_formant_db / 20) - 1
    return gain * (1 + singers / (1 + ((frequency - 2900) / 450) ** 2))


def _tilted(source: Float32[np.ndarray, "time"], tilt_db: float) -> Float32[np.ndarray, "time"]:
    dark = filtered(source, "lowpass", 1500.0 * 2 ** (tilt_db / 6), order=1)
    return dark + source * np.float32(0.45 * 10 ** (tilt_db / 20))

"""How singers shape a melody: pitch, loudness, consonants and breaths as lines over time.

Pitch scoops into notes, glides between them, trembles (vibrato) and errs (jitter):

    pitch(t) = smooth(note(t)) - scoop * exp(-t_note / 50 ms) + depth(t_note) * sin(phase(t)) + slow noise.

Nothing of this moves faster than some hundred times a second, so lines are made every 64 samples and interpolated.

References: J. Sundberg, "The Science of the Singing Voice", 1987 (vibrato rates).
Deviations: syllables are drawn at random; no language is sung.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemtune.data.rendering.effects import band_of, running_mean
from stemtune.data.rendering.oscillators import (
    CONTROL_RATE,
    CONTROL_SAMPLES,
    Line,
    at_every_sample,
    hertz,
    num_controls,
)
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = [
    "VOICES",
    "Manner",
    "Voice",
    "consonants",
    "frequency_line",
    "inhalations",
    "loudness_line",
    "random_manner",
    "random_voice",
    "slow_noise",
    "smoothed",
]

_SETTLING_SAMPLES = 441  # until a filter has forgotten that it began
_CONSONANTS = {  # centre and width in Hz, length in seconds, level of the noise, whether the voice stops
    "s": (7000.0, 4500.0, 0.11, 0.30, True), "sh": (3500.0, 2500.0, 0.11, 0.28, True),
    "f": (6000.0, 8000.0, 0.09, 0.10, True), "h": (1500.0, 2500.0, 0.07, 0.10, True),
    "t": (4500.0, 4000.0, 0.025, 0.45, True), "k": (2200.0, 1600.0, 0.03, 0.40, True),
    "p": (900.0, 1000.0, 0.02, 0.35, True), "z": (6500.0, 4000.0, 0.08, 0.15, False),
    "m": (300.0, 200.0, 0.07, 0.0, False), "n": (300.0, 250.0, 0.06, 0.0, False), "l": (400.0, 300.0, 0.05, 0.0, False),
}  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """A kind of singer.

    Attributes:
        lowest_pitch: of the range, a MIDI pitch.
        highest_pitch: of the range.
        formant_scale: formants relative to those of an adult male (a shorter tract has higher ones).
    """

    lowest_pitch: int
    highest_pitch: int
    formant_scale: float


VOICES = {
    "bass": Voice(41, 60, 0.97),
    "tenor": Voice(47, 68, 1.03),
    "alto": Voice(54, 74, 1.14),
    "soprano": Voice(59, 81, 1.19),
    "child": Voice(60, 79, 1.32),
}


@dataclass(frozen=True)
class Manner:
    """How one singer sings; see `random_manner` for the ranges."""

    tilt_db: float
    breath: float
    vibrato_semitones: float
    vibrato_hz: float
    jitter_semitones: float
    glide_seconds: float
    scoop_semitones: float
    formant_scale: float
    singers_formant_db: float
    consonant_level: float


def random_voice(generator: np.random.Generator) -> Voice:
    """One of `VOICES`."""
    return VOICES[str(generator.choice(tuple(VOICES)))]


def random_manner(voice: Voice, generator: np.random.Generator) -> Manner:
    """A singer of this kind of voice."""
    draw = generator.uniform
    return Manner(
        tilt_db=draw(-5, 4),
        breath=0.01 * 25 ** draw(0, 1),
        vibrato_semitones=draw(0.05, 0.7),
        vibrato_hz=draw(4.6, 6.6),
        jitter_semitones=draw(0.03, 0.12),
        glide_seconds=draw(0.03, 0.12),
        scoop_semitones=float(generator.choice([0.0, draw(0.3, 2.5)])),
        formant_scale=voice.formant_scale * draw(0.95, 1.06),
        singers_formant_db=draw(0, 10),
        consonant_level=draw(0.3, 1.5),
    )


def frequency_line(notes: Sequence[Note], num_samples: int, manner: Manner, generator: np.random.Generator) -> Line:
    """The frequency at every sample, in Hz."""
    count = num_controls(num_samples)
    seconds = np.arange(count) / CONTROL_RATE
    onsets = np.array([note.start_seconds for note in notes])
    pitches = np.array([float(note.pitch) for note in notes]) + generator.normal(0, 0.08, size=len(notes))
    index = np.clip(np.searchsorted(onsets, seconds, side="right") - 1, 0, None)
    since = np.clip(seconds - onsets[index], 0, None)
    scoops = (generator.random(len(notes)) < 0.4) * manner.scoop_semitones
    line = smoothed(pitches[index], manner.glide_seconds * CONTROL_RATE / 3)
    line = line - scoops[index] * np.exp(-since / 0.05)
    onset_of_vibrato = np.clip((since - 0.25) / 0.4, 0, 1)
    rate = manner.vibrato_hz * (1 + 0.06 * _slow_noise(count, 3.0, generator))
    vibrato = manner.vibrato_semitones * onset_of_vibrato * np.sin(2 * np.pi * np.cumsum(rate) / CONTROL_RATE)
    drift = manner.jitter_semitones * (_slow_noise(count, 25.0, generator) + _slow_noise(count, 2.0, generator))
    return at_every_sample(hertz(line + vibrato + drift), num_samples)


def loudness_line(notes: Sequence[Note], num_samples: int, generator: np.random.Generator) -> tuple[Audio, list[float]]:
    """The envelope of the voice, and where phrases begin (after a rest of at least a third of a second)."""
    envelope = np.zeros(num_controls(num_samples))
    starts: list[float] = []
    end_of_last = -1.0
    for note in notes:
        start = round(note.start_seconds * CONTROL_RATE)
        stop = min(round((note.start_seconds + note.duration_seconds) * CONTROL_RATE), len(envelope))
        if note.start_seconds - end_of_last > 0.33:
            starts.append(note.start_seconds)
        end_of_last = note.start_seconds + note.duration_seconds
        if stop > start:
            swell = 1 + generator.uniform(-0.3, 0.3) * np.sin(np.pi * np.linspace(0, 1, stop - start))
            envelope[start:stop] = 10 ** (generator.normal(0, 2.5) / 20) * swell
    envelope = np.clip(smoothed(envelope, 0.018 * CONTROL_RATE), 0, None)
    return at_every_sample(envelope, num_samples).astype(np.float32), starts


def consonants(
    notes: Sequence[Note], num_samples: int, manner: Manner, generator: np.random.Generator
) -> tuple[Audio, Audio]:
    """The noise of the consonants, and a gain for the voice that stops or softens around them."""
    noise = np.zeros(num_samples, dtype=np.float32)
    voicing = np.ones(num_controls(num_samples))
    names = list(_CONSONANTS)
    for note in notes:
        if generator.random() < 0.3:
            continue
        name = str(generator.choice(names))
        centre, width, seconds, level, stops = _CONSONANTS[name]
        length = round(seconds * generator.uniform(0.7, 1.5) * SAMPLE_RATE)
        start = max(round(note.start_seconds * SAMPLE_RATE) - length // 2, 0)
        stop = min(start + length, num_samples)
        if stop - start < 200:
            continue
        voicing[start // CONTROL_SAMPLES : -(-stop // CONTROL_SAMPLES)] = 0.02 if stops else 0.35
        if level > 0:
            ramp = np.arange(stop - start) / (stop - start)
            shape = np.exp(-4 * ramp) if seconds < 0.05 else np.sin(np.pi * ramp) ** 0.7
            carrier = band_of(generator.standard_normal(_SETTLING_SAMPLES + stop - start), centre, width)
            segment = carrier[_SETTLING_SAMPLES:]
            scale = level * 0.25 * manner.consonant_level / (float(segment.std()) + 1e-9)
            noise[start:stop] += segment * shape * scale * generator.uniform(0.5, 1.2) * 0.6
    voicing = smoothed(voicing, 0.006 * CONTROL_RATE)
    return noise, at_every_sample(voicing, num_samples).astype(np.float32)


def inhalations(
    phrase_starts: Sequence[float], num_samples: int, manner: Manner, generator: np.random.Generator
) -> Audio:
    """A breath before some of the phrases."""
    result = np.zeros(num_samples)
    for start_seconds in phrase_starts:
        length = round(generator.uniform(0.15, 0.4) * SAMPLE_RATE)
        start = round((start_seconds - 0.06) * SAMPLE_RATE) - length
        if start < 0 or start + length > num_samples or generator.random() < 0.4:
            continue
        shape = np.sin(np.pi * np.linspace(0, 1, length)) ** 1.5
        breath = band_of(generator.standard_normal(length), 1800.0 * manner.formant_scale, 2400.0)
        result[start : start + length] += breath * shape * generator.uniform(0.005, 0.04)
    return result.astype(np.float32)


def smoothed(line: Line, sigma: float) -> Line:
    """Nearly a convolution with a Gaussian of this standard deviation, in values of the line."""
    return running_mean(line, round(2 * sigma), times=3)


def slow_noise(num_samples: int, cutoff_hz: float, generator: np.random.Generator) -> Audio:
    """Unit-variance noise below a cutoff, at every sample."""
    line = _slow_noise(num_controls(num_samples), cutoff_hz, generator)
    return at_every_sample(line, num_samples).astype(np.float32)


def _slow_noise(count: int, cutoff_hz: float, generator: np.random.Generator) -> Line:
    """The same, every `CONTROL_SAMPLES` samples, interpolated from a coarser grid."""
    step = CONTROL_RATE / (4 * cutoff_hz)
    coarse = np.convolve(generator.standard_normal(int(count / step) + 4), [0.25, 0.5, 0.25], mode="same") / 0.61
    return np.interp(np.arange(count) / step, np.arange(len(coarse)), coarse)

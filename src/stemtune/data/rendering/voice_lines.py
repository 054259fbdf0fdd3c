"""How singers shape a melody: pitch, loudness, consonants and breaths as lines over time.

Pitch scoops into notes, glides between them, trembles (vibrato) and errs (jitter):

    pitch(t) = smooth(note(t)) - scoop * exp(-t_note / 50 ms) + depth(t_note) * sin(phase(t)) + slow noise.

References: J. Sundberg, "The Science of the Singing Voice", 1987 (vibrato rates).
Deviations: syllables are drawn at random; no language is sung.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemtune.data.rendering.effects import band_of, running_mean
from stemtune.data.rendering.oscillators import Line
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = [
    "VOICES",
    "Manner",
    "Voice",
    "consonants",
    "inhalations",
    "loudness_line",
    "pitch_line",
    "random_manner",
    "random_voice",
    "slow_noise",
    "smoothed",
]

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


def pitch_line(notes: Sequence[Note], num_samples: int, manner: Manner, generator: np.random.Generator) -> Line:
    """The pitch at every sample, a MIDI pitch with fractions."""
    onsets = np.array([round(note.start_seconds * SAMPLE_RATE) for note in notes])
    pitches = np.array([float(note.pitch) for note in notes]) + generator.normal(0, 0.08, size=len(notes))
    index = np.clip(np.searchsorted(onsets, np.arange(num_samples), side="right") - 1, 0, None)
    since = np.clip((np.arange(num_samples) - onsets[index]) / SAMPLE_RATE, 0, None)
    scoops = (generator.random(len(notes)) < 0.4) * manner.scoop_semitones
    line = smoothed(pitches[index], manner.glide_seconds * SAMPLE_RATE / 3)
    line = line - scoops[index] * np.exp(-since / 0.05)
    onset_of_vibrato = np.clip((since - 0.25) / 0.4, 0, 1)
    rate = manner.vibrato_hz * (1 + 0.06 * slow_noise(num_samples, 3.0, generator))
    vibrato = manner.vibrato_semitones * onset_of_vibrato * np.sin(2 * np.pi * np.cumsum(rate) / SAMPLE_RATE)
    drift = manner.jitter_semitones * (
        slow_noise(num_samples, 25.0, generator) + slow_noise(num_samples, 2.0, generator)
    )
    return line + vibrato + drift


def loudness_line(notes: Sequence[Note], num_samples: int, generator: np.random.Generator) -> tuple[Line, list[float]]:
    """The envelope of the voice, and where phrases begin (after a rest of at least a third of a second)."""
    envelope = np.zeros(num_samples)
    starts: list[float] = []
    end_of_last = -1.0
    for note in notes:
        start = round(note.start_seconds * SAMPLE_RATE)
        stop = min(round((note.start_seconds + note.duration_seconds) * SAMPLE_RATE), num_samples)
        if note.start_seconds - end_of_last > 0.33:
            starts.append(note.start_seconds)
        end_of_last = note.start_seconds + note.duration_seconds
        if stop - start > 64:
            swell = 1 + generator.uniform(-0.3, 0.3) * np.sin(np.pi * np.linspace(0, 1, stop - start))
            envelope[start:stop] = 10 ** (generator.normal(0, 2.5) / 20) * swell
    return np.clip(smoothed(envelope, 0.018 * SAMPLE_RATE), 0, None), starts


def consonants(
    notes: Sequence[Note], num_samples: int, manner: Manner, generator: np.random.Generator
) -> tuple[Audio, Line]:
    """The noise of the consonants, and a gain for the voice that stops or softens around them."""
    noise = np.zeros(num_samples)
    voicing = np.ones(num_samples)
    names = list(_CONSONANTS)
    carriers = {
        name: band_of(generator.standard_normal(num_samples), centre, width)
        for name, (centre, width, _, level, _) in _CONSONANTS.items()
        if level > 0
    }
    for note in notes:
        if generator.random() < 0.3:
            continue
        name = str(generator.choice(names))
        _, _, seconds, level, stops = _CONSONANTS[name]
        length = round(seconds * generator.uniform(0.7, 1.5) * SAMPLE_RATE)
        start = max(round(note.start_seconds * SAMPLE_RATE) - length // 2, 0)
        stop = min(start + length, num_samples)
        if stop - start < 200:
            continue
        voicing[start:stop] = 0.02 if stops else 0.35
        if level > 0:
            ramp = np.arange(stop - start) / (stop - start)
            shape = np.exp(-4 * ramp) if seconds < 0.05 else np.sin(np.pi * ramp) ** 0.7
            segment = carriers[name][start:stop]
            scale = level * 0.25 * manner.consonant_level / (float(segment.std()) + 1e-9)
            noise[start:stop] += segment * shape * scale * generator.uniform(0.5, 1.2) * 0.6
    return noise.astype(np.float32), smoothed(voicing, 0.006 * SAMPLE_RATE)


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


def smoothed(line: Line, sigma_samples: float) -> Line:
    """Nearly a convolution with a Gaussian of this standard deviation."""
    return running_mean(line, round(2 * sigma_samples), times=3)


def slow_noise(num_samples: int, cutoff_hz: float, generator: np.random.Generator) -> Line:
    """Unit-variance noise below a cutoff, interpolated from a coarse grid."""
    step = SAMPLE_RATE / (4 * cutoff_hz)
    count = int(num_samples / step) + 4
    coarse = np.convolve(generator.standard_normal(count), [0.25, 0.5, 0.25], mode="same") / 0.61
    return np.interp(np.arange(num_samples) / step, np.arange(count), coarse)

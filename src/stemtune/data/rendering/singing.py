"""A singing voice by rule: a glottal source, a vocal tract that moves between vowels, breath and consonants.

The classical source-filter model, evaluated harmonic by harmonic in the frequency domain of the moving pitch:

    voice(t) = sum over k of G(k f0(t)) * |H(k f0(t), t)| * cos(k phi(t) + arg H),   phi' = 2 pi f0,

with G the falling spectrum of the glottal pulse and H the product of the resonances (formants) of the vowel. Breath
and consonants are noise through the same tract, or through filters of their own. Pitch scoops into notes, glides
between them, trembles (vibrato) and errs (jitter); formants glide between vowel targets.

References: G. Fant, "Acoustic Theory of Speech Production", 1960 (source and filter); D. Klatt, "Software for a
    cascade/parallel formant synthesizer", JASA 67, 1980 (formant targets, frication); J. Sundberg, "The Science of
    the Singing Voice", 1987 (vibrato rates, the singer's formant).
Deviations: the tract is a cross-fade between fixed vowels, each a cascade of time-invariant
    resonators; the pulse is a band-limited sawtooth with a random spectral tilt rather than an LF pulse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stemtune.data.rendering.effects import band_of, filtered, resonator, running_mean
from stemtune.data.rendering.oscillators import Line, hertz, oscillator
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = ["VOICES", "Voice", "random_voice", "sing"]

# First four formants in Hz of an adult male voice, and their bandwidths.
_VOWELS = {
    "a": (730, 1090, 2440, 3400), "e": (530, 1840, 2480, 3500), "i": (270, 2290, 3010, 3700),
    "o": (570, 840, 2410, 3300), "u": (300, 870, 2240, 3200), "y": (235, 2000, 2300, 3300),
    "ae": (660, 1720, 2410, 3400), "uh": (640, 1190, 2390, 3350), "er": (490, 1350, 1690, 3200),
}  # fmt: skip
_BANDWIDTHS = (80.0, 100.0, 140.0, 220.0)
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


def sing(notes: Sequence[Note], num_samples: int, voice: Voice, generator: np.random.Generator) -> Audio:
    """One voice, mono and dry, root mean square about 0.1 where it sings.

    Args:
        notes: a melody without overlaps, already in the range of the voice.
        num_samples: length of the result.
        voice: the kind of singer.
        generator: draws the singer and the syllables.
    """
    manner = random_manner(voice, generator)
    loudness, phrase_starts = _loudness(notes, num_samples, generator)
    frequency = hertz(_pitch(notes, num_samples, manner, generator))
    vowels = _vowel_weights(notes, num_samples, generator)
    noise, voicing = _consonants(notes, num_samples, manner, generator)
    loudness = loudness * voicing
    pulse = oscillator("saw", frequency)
    shimmer = 1 + 0.08 * _slow_noise(num_samples, 40.0, generator)
    breath = generator.standard_normal(num_samples) * (0.4 + 0.6 * (0.5 + 0.5 * pulse)) * manner.breath
    source = ((pulse * shimmer + breath) * loudness).astype(np.float32)
    source = _tilted(source, manner.tilt_db)
    source = _higher_formants(source, manner)
    tract = np.zeros(num_samples, dtype=np.float32)
    for vowel, weight in vowels.items():
        tract += _formants(source, vowel, manner) * weight.astype(np.float32)
    bursts = noise + _inhalations(phrase_starts, num_samples, manner, generator)
    level = float(np.sqrt(np.mean(tract[loudness > 0.1] ** 2))) if (loudness > 0.1).any() else 1.0
    return filtered(0.1 * tract / (level + 1e-9) + bursts, "highpass", 70.0)


def _pitch(notes: Sequence[Note], num_samples: int, manner: Manner, generator: np.random.Generator) -> Line:
    onsets = np.array([round(note.start_seconds * SAMPLE_RATE) for note in notes])
    pitches = np.array([float(note.pitch) for note in notes]) + generator.normal(0, 0.08, size=len(notes))
    index = np.clip(np.searchsorted(onsets, np.arange(num_samples), side="right") - 1, 0, None)
    since = np.clip((np.arange(num_samples) - onsets[index]) / SAMPLE_RATE, 0, None)
    scoops = (generator.random(len(notes)) < 0.4) * manner.scoop_semitones
    line = _smoothed(pitches[index], manner.glide_seconds * SAMPLE_RATE / 3)
    line = line - scoops[index] * np.exp(-since / 0.05)
    onset_of_vibrato = np.clip((since - 0.25) / 0.4, 0, 1)
    rate = manner.vibrato_hz * (1 + 0.06 * _slow_noise(num_samples, 3.0, generator))
    vibrato = manner.vibrato_semitones * onset_of_vibrato * np.sin(2 * np.pi * np.cumsum(rate) / SAMPLE_RATE)
    drift = manner.jitter_semitones * (
        _slow_noise(num_samples, 25.0, generator) + _slow_noise(num_samples, 2.0, generator)
    )
    return line + vibrato + drift


def _loudness(notes: Sequence[Note], num_samples: int, generator: np.random.Generator) -> tuple[Line, list[float]]:
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
    return np.clip(_smoothed(envelope, 0.018 * SAMPLE_RATE), 0, None), starts


def _vowel_weights(notes: Sequence[Note], num_samples: int, generator: np.random.Generator) -> dict[str, Line]:
    """How much of each vowel the tract has at each sample; the weights sum to 1."""
    names = list(_VOWELS)
    weights = {name: np.zeros(num_samples) for name in names}
    starts = [0, *(round(note.start_seconds * SAMPLE_RATE) for note in notes[1:]), num_samples]
    for start, stop in pairwise(starts):
        middle = (start + stop) // 2 if generator.random() < 0.35 else stop  # a diphthong now and then
        weights[str(generator.choice(names))][start:middle] = 1.0
        weights[str(generator.choice(names))][middle:stop] = 1.0
    sigma = float(generator.uniform(0.015, 0.035)) * SAMPLE_RATE
    return {name: _smoothed(weight, sigma) for name, weight in weights.items() if weight.any()}


def _formants(source: Audio, vowel: str, manner: Manner) -> Audio:
    """The four formants of a vowel, then the singer's formant near 3 kHz in parallel."""
    result = source
    for centre, bandwidth in zip(_VOWELS[vowel], _BANDWIDTHS, strict=True):
        result = resonator(result, centre * manner.formant_scale, bandwidth)
    return result + np.float32(10 ** (manner.singers_formant_db / 20) - 1) * band_of(result, 2900.0, 900.0)


def _higher_formants(source: Audio, manner: Manner) -> Audio:
    """The formants that all vowels share, one a kilohertz; without them the cascade would fall far too steeply."""
    result, centre = source, 4500.0 * manner.formant_scale
    while centre < 0.45 * SAMPLE_RATE:
        result = resonator(result, centre, 0.08 * centre)
        centre += 1000.0 * manner.formant_scale
    return result


def _tilted(source: Audio, tilt_db: float) -> Audio:
    """The glottal spectrum falls faster than a sawtooth's: a first-order roll-off, more or less of it."""
    dark = filtered(source, "lowpass", 1500.0 * 2 ** (tilt_db / 6), order=1)
    return dark + source * np.float32(0.45 * 10 ** (tilt_db / 20))


def _consonants(
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
    return noise.astype(np.float32), _smoothed(voicing, 0.006 * SAMPLE_RATE)


def _inhalations(
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


def _smoothed(line: Line, sigma_samples: float) -> Line:
    """Nearly a convolution with a Gaussian of this standard deviation."""
    return running_mean(line, round(2 * sigma_samples), times=3)


def _slow_noise(num_samples: int, cutoff_hz: float, generator: np.random.Generator) -> Line:
    """Unit-variance noise below a cutoff, interpolated from a coarse grid."""
    step = SAMPLE_RATE / (4 * cutoff_hz)
    count = int(num_samples / step) + 4
    coarse = np.convolve(generator.standard_normal(count), [0.25, 0.5, 0.25], mode="same") / 0.61
    return np.interp(np.arange(num_samples) / step, np.arange(count), coarse)

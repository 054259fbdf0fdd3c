"""A singing voice by rule: a glottal source, a vocal tract that moves between vowels, breath and consonants.

The classical source-filter model, evaluated harmonic by harmonic in the frequency domain of the moving pitch:

    voice(t) = sum over k of G(k f0(t)) * |H(k f0(t), t)| * cos(k phi(t) + arg H),   phi' = 2 pi f0,

with G the falling spectrum of the glottal pulse and H the product of the resonances (formants) of the vowel. Breath
and consonants are noise through the same tract, or through filters of their own; formants glide between vowel targets.

References: G. Fant, "Acoustic Theory of Speech Production", 1960 (source and filter); D. Klatt, "Software for a
    cascade/parallel formant synthesizer", JASA 67, 1980 (formant targets, frication); J. Sundberg, "The Science of
    the Singing Voice", 1987 (the singer's formant).
Deviations: the tract is a cross-fade between fixed vowels, each a cascade of time-invariant
    resonators; the pulse is a band-limited sawtooth with a random spectral tilt rather than an LF pulse.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from stemtune.data.rendering.effects import band_of, filtered, resonator
from stemtune.data.rendering.oscillators import Line, oscillator
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.data.rendering.voice_lines import (
    VOICES,
    Manner,
    Voice,
    consonants,
    frequency_line,
    inhalations,
    loudness_line,
    random_manner,
    random_voice,
    slow_noise,
    smoothed,
)

__all__ = ["BANDWIDTHS", "VOICES", "VOWELS", "Voice", "random_voice", "sing"]

# First four formants in Hz of an adult male voice, and their bandwidths.
VOWELS = {
    "a": (730, 1090, 2440, 3400), "e": (530, 1840, 2480, 3500), "i": (270, 2290, 3010, 3700),
    "o": (570, 840, 2410, 3300), "u": (300, 870, 2240, 3200), "y": (235, 2000, 2300, 3300),
    "ae": (660, 1720, 2410, 3400), "uh": (640, 1190, 2390, 3350), "er": (490, 1350, 1690, 3200),
}  # fmt: skip
BANDWIDTHS = (80.0, 100.0, 140.0, 220.0)


def sing(notes: Sequence[Note], num_samples: int, voice: Voice, generator: np.random.Generator) -> Audio:
    """One voice, mono and dry, root mean square about 0.1 where it sings.

    Args:
        notes: a melody without overlaps, already in the range of the voice.
        num_samples: length of the result.
        voice: the kind of singer.
        generator: draws the singer and the syllables.
    """
    manner = random_manner(voice, generator)
    loudness, phrase_starts = loudness_line(notes, num_samples, generator)
    frequency = frequency_line(notes, num_samples, manner, generator)
    vowels = _vowel_weights(notes, num_samples, generator)
    noise, voicing = consonants(notes, num_samples, manner, generator)
    loudness = loudness * voicing
    pulse = oscillator("saw", frequency)
    shimmer = 1 + 0.08 * slow_noise(num_samples, 40.0, generator)
    breath = generator.standard_normal(num_samples) * (0.4 + 0.6 * (0.5 + 0.5 * pulse)) * manner.breath
    source = ((pulse * shimmer + breath) * loudness).astype(np.float32)
    source = _tilted(source, manner.tilt_db)
    source = _higher_formants(source, manner)
    tract = np.zeros(num_samples, dtype=np.float32)
    for vowel, weight in vowels.items():
        tract += _formants(source, vowel, manner) * weight.astype(np.float32)
    bursts = noise + inhalations(phrase_starts, num_samples, manner, generator)
    level = float(np.sqrt(np.mean(tract[loudness > 0.1] ** 2))) if (loudness > 0.1).any() else 1.0
    return filtered(0.1 * tract / (level + 1e-9) + bursts, "highpass", 70.0)


def _vowel_weights(notes: Sequence[Note], num_samples: int, generator: np.random.Generator) -> dict[str, Line]:
    """How much of each vowel the tract has at each sample; the weights sum to 1."""
    names = list(VOWELS)
    weights = {name: np.zeros(num_samples) for name in names}
    starts = [0, *(round(note.start_seconds * SAMPLE_RATE) for note in notes[1:]), num_samples]
    for start, stop in pairwise(starts):
        middle = (start + stop) // 2 if generator.random() < 0.35 else stop  # a diphthong now and then
        weights[str(generator.choice(names))][start:middle] = 1.0
        weights[str(generator.choice(names))][middle:stop] = 1.0
    sigma = float(generator.uniform(0.015, 0.035)) * SAMPLE_RATE
    return {name: smoothed(weight, sigma) for name, weight in weights.items() if weight.any()}


def _formants(source: Audio, vowel: str, manner: Manner) -> Audio:
    """The four formants of a vowel, then the singer's formant near 3 kHz in parallel."""
    result = source
    for centre, bandwidth in zip(VOWELS[vowel], BANDWIDTHS, strict=True):
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

"""Singing with words and with the timbre of real speakers: a speech synthesiser's voices made to sing a melody.

The source-filter singer of `singing` has every pitch and every vowel, but no human ever sounded so. Here Flite's
voices (built from recordings of speakers, free for any use) read random words; the WORLD vocoder takes what they say
apart into pitch, spectral envelope and aperiodicity; every voiced stretch is laid out over a note of the melody, gets
the note's pitch with glides and vibrato, and all is put together again:

    envelope'(t, f) = envelope(warp(t), f / formant_scale),   pitch'(t) = melody(t) * vibrato(t).

References:
    Morise, Yokomori and Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system", 2016.

Deviations:
    None of the vocoder. The voices end at 8 kHz; above, noise follows the envelope of the band below.
"""

import importlib.util
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from stemtune.data.rendering.effects import band_of, filtered, running_mean
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.errors import InputError

__all__ = ["SPEAKERS", "Speaker", "random_speaker", "sing_words", "speaker_of", "words_can_be_sung"]

_FRAME_SECONDS = 0.005
_WORDS = """
love me in the morning light we are running over golden fields and nobody knows where a river goes when I was young
you said that time would never find us here oh baby hold on tight stay away from my heart tonight every single shadow
falls upon your broken road carry home what you have lost believe again rain down fire blue moon sister why did they
leave so many roses under water show them how to dance forever
"""


@dataclass(frozen=True)
class Speaker:
    """One of Flite's voices, in another body.

    Attributes:
        voice: the name by which Flite knows it.
        lowest_pitch: MIDI note, of the range it sings in.
        highest_pitch: likewise.
        formant_scale: how much shorter the vocal tract is.
    """

    voice: str
    lowest_pitch: float
    highest_pitch: float
    formant_scale: float


SPEAKERS = {"slt": 57.0, "rms": 45.0, "awb": 48.0, "kal16": 45.0}
"""Flite's voices, and the lowest MIDI note that suits each."""


def words_can_be_sung() -> bool:
    """Whether Flite and the vocoder are on this machine."""
    return shutil.which("flite") is not None and importlib.util.find_spec("pyworld") is not None


def random_speaker(generator: np.random.Generator) -> Speaker:
    """A voice, a range that suits it, and a vocal tract."""
    return speaker_of(tuple(SPEAKERS)[int(generator.integers(4))], generator)


def speaker_of(voice: str, generator: np.random.Generator) -> Speaker:
    """One of `SPEAKERS` with a random vocal tract, and a range that suits it."""
    scale = float(generator.uniform(0.88, 1.22))
    low = SPEAKERS[voice] + 12 * np.log2(scale) * 1.5 + float(generator.uniform(-2, 4))
    return Speaker(voice, low, low + 17, scale)


def sing_words(
    notes: Sequence[Note],
    num_samples: int,
    speaker: Speaker,
    generator: np.random.Generator,
    *,
    most_words: int | None = None,
) -> Audio:
    """The notes, sung on random words; mono at the corpus's rate.

    Args:
        notes: a melody without overlaps.
        num_samples: length of the result.
        speaker: who sings.
        generator: draws the words and the manner.
        most_words: after so many the words begin again, which saves time; as many as are needed if None.
    """
    num_words = len(notes) * 3 // 4 + 8
    num_words = num_words if most_words is None else min(num_words, most_words)
    analysed = _Analysis.of(_speak(speaker, num_words=num_words, generator=generator))
    frames = round(num_samples / SAMPLE_RATE / _FRAME_SECONDS)
    source = np.full(frames, -1.0)  # which frame of the speech each frame takes its envelope from; -1 is silence
    pitch = np.zeros(frames)
    runs = analysed.voiced_runs()
    for number, note in enumerate(notes):
        begin, end = runs[number % len(runs)]
        at = round(note.start_seconds / _FRAME_SECONDS)
        length = min(round(note.duration_seconds / _FRAME_SECONDS), frames - at)
        if at >= frames or length < 6:
            continue
        source[at : at + length] = np.linspace(begin, end - 1, length)
        pitch[at : at + length] = 440.0 * 2.0 ** ((note.pitch - 69) / 12)
        lead = min(begin - (runs[number % len(runs) - 1][1] if number % len(runs) else 0), 24, at)
        quiet = source[at - lead : at] < 0
        source[at - lead : at][quiet] = np.arange(begin - lead, begin)[quiet]
    voice = analysed.resynthesise(source, _expressive(pitch, generator), speaker.formant_scale)
    upsampled = soxr.resample(voice, analysed.rate, SAMPLE_RATE)[:num_samples]
    upsampled = np.pad(upsampled, (0, num_samples - len(upsampled)))
    return _with_air(upsampled.astype(np.float32), generator)


@dataclass(frozen=True)
class _Analysis:
    """What WORLD finds in a recording: pitch in Hz (0 where unvoiced), envelope and aperiodicity per frame."""

    rate: int
    pitch: NDArray[np.float64]
    envelope: NDArray[np.float64]
    aperiodicity: NDArray[np.float64]

    @staticmethod
    def of(speech: tuple[NDArray[np.float64], int]) -> "_Analysis":
        world, (samples, rate) = _world(), speech
        rough, times = world.dio(samples, rate, frame_period=_FRAME_SECONDS * 1000)
        pitch = world.stonemask(samples, rough, times, rate)
        envelope = world.cheaptrick(samples, pitch, times, rate)
        return _Analysis(rate, pitch, envelope, world.d4c(samples, pitch, times, rate))

    def voiced_runs(self) -> list[tuple[int, int]]:
        """First and last frame of everything voiced for at least 60 ms."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], self.pitch > 0, [False])).astype(int)))
        runs = [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2) if end - begin >= 12]
        pieces: list[tuple[int, int]] = []
        for begin, end in runs:  # a long run holds several syllables
            parts = max(1, (end - begin) // 45)
            cuts = [round(begin + (end - begin) * part / parts) for part in range(parts + 1)]
            pieces += pairwise(cuts)
        return pieces

    def resynthesise(
        self, source: NDArray[np.float64], pitch: NDArray[np.float64], formant_scale: float
    ) -> NDArray[np.float64]:
        """Sound with the envelope of the frames ``source``, at another pitch, with the formants moved."""
        frame = np.clip(np.rint(source), 0, len(self.pitch) - 1).astype(int)
        last = self.envelope.shape[1] - 1
        moved = np.array([min(round(index / formant_scale), last) for index in range(last + 1)])
        envelope = self.envelope[frame][:, moved]
        fade = np.clip(running_mean((source >= 0).astype(np.float32), 7), 0, 1)[:, None]
        envelope = np.ascontiguousarray(envelope * np.maximum(fade, 1e-4) ** 2)
        return _world().synthesize(
            np.where(source >= 0, pitch, 0.0),
            envelope,
            np.ascontiguousarray(self.aperiodicity[frame][:, moved]),
            self.rate,
            _FRAME_SECONDS * 1000,
        )


def _expressive(pitch: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """The melody with glides between notes, vibrato on long ones and a hand that is not quite steady."""
    sung = pitch > 0
    if not sung.any():
        return pitch
    places = np.arange(len(pitch))
    line = np.interp(places, places[sung], np.log2(pitch[sung]))
    line = np.asarray(running_mean(line, int(generator.integers(5, 15)), times=2))
    depth = float(generator.uniform(0.0, 0.6)) / 12
    phase = 2 * np.pi * np.cumsum(generator.normal(5.7, 0.4, len(pitch))) * _FRAME_SECONDS
    onset = np.asarray(running_mean(sung.astype(np.float32), 60)) ** 4
    drift = np.asarray(running_mean(generator.normal(0, 1, len(pitch)), 40)) * 0.25 / 12
    return np.where(sung, 2.0 ** (line + depth * onset * np.sin(phase) + drift), 0.0)


def _with_air(voice: Audio, generator: np.random.Generator) -> Audio:
    """Breath above 7 kHz, as loud as the band below makes likely."""
    below = band_of(voice, 5250.0, 3500.0)
    envelope = np.sqrt(np.maximum(running_mean(below**2, 441), 0.0))
    noise = filtered(generator.standard_normal(len(voice)).astype(np.float32), "highpass", 7000.0)
    gain = 10 ** (float(generator.uniform(-18, -3)) / 20)
    return (voice + gain * envelope * noise).astype(np.float32)


def _speak(speaker: Speaker, *, num_words: int, generator: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    """Random words read by one of Flite's voices."""
    if shutil.which("flite") is None:
        raise InputError("singing with words needs Flite; install the Debian package flite")
    vocabulary = _WORDS.split()
    words = " ".join(vocabulary[int(index)] for index in generator.integers(len(vocabulary), size=num_words))
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", speaker.voice, "-t", words, "-o", file.name]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  (fixed program, our own words)
        samples, rate = soundfile.read(file.name, dtype="float64")
    return np.ascontiguousarray(samples, dtype=np.float64), int(rate)


def _world() -> Any:
    """The vocoder, imported late: it is in the ``corpus`` extra, and warns about setuptools."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyworld  # pyright: ignore[reportMissingImports]
    return pyworld

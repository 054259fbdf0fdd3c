"""Sampled voices: sustained notes of a choir, moved to any pitch without turning men into children.

Played faster, a recording of a voice gets a shorter throat: its spectral envelope moves along with its pitch. Here the
envelope E of the recording is estimated, and put back to where it was:

    note = recording(ratio * t) filtered by E(f / size) / E(f / ratio),   size = 1 for the same throat.

The envelope is the cepstrally smoothed mean spectrum; the correction is limited to 18 dB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float32, Float64
from scipy import fft as scipy_fft

from stemtune.data.rendering.hits import transposed
from stemtune.data.rendering.samples import pitch_of_file
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, load_audio
from stemtune.errors import InputError

__all__ = ["VoiceBank", "read_bank", "sing_from_bank"]

_AUDIO = (".flac", ".wav", ".ogg", ".aif", ".aiff")
_N_FFT = 4096
_LIMIT_LOG = 18 / 8.686  # decibels as natural logarithm
_SMOOTHING_SECONDS = 0.0011
_CROSSFADE_SECONDS = 0.3
_RELEASE_SECONDS = 0.12
_fft = cast(Any, scipy_fft)


@dataclass(frozen=True)
class VoiceBank:
    """Recordings of one kind of voice by MIDI pitch."""

    name: str
    recordings: Mapping[float, tuple[Path, ...]]

    @property
    def middle(self) -> float:
        """The median of its pitches."""
        return float(np.median(list(self.recordings)))


def read_bank(folder: Path) -> VoiceBank:
    """The recordings of a folder, by the pitches in their names.

    Raises:
        InputError: if none of its files is named after a pitch.
    """
    found: dict[float, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _AUDIO:
            try:
                found.setdefault(pitch_of_file(path), []).append(path)
            except ValueError:
                continue
    if not found:
        raise InputError(f"{folder}: expected recordings named after their pitch, such as c4.wav; found none")
    return VoiceBank(folder.name, {pitch: tuple(paths) for pitch, paths in sorted(found.items())})


def sing_from_bank(
    notes: Sequence[Note],
    bank: VoiceBank,
    *,
    num_samples: int,
    size: float,
    generator: np.random.Generator,
) -> Float32[np.ndarray, "time"]:
    """A line sung by a sampled section, mono and dry.

    Args:
        notes: in the order of time.
        bank: the recordings.
        num_samples: length of the result.
        size: how much higher the formants lie than recorded (a shorter throat), 1 for as recorded.
        generator: draws attacks, dynamics and where in a recording a note begins.
    """
    result = np.zeros(num_samples, dtype=np.float32)
    pitches = np.array(list(bank.recordings))
    legato = float(generator.uniform(0.0, 0.1))
    for note in notes:
        nearest = float(pitches[np.argmin(np.abs(pitches - note.pitch) + 0.01 * generator.random(len(pitches)))])
        paths = bank.recordings[nearest]
        path = paths[int(generator.integers(len(paths)))]
        sound = _moved(path, note.pitch - nearest, round(size, 3))
        length = min(round((note.duration_seconds + legato + _RELEASE_SECONDS) * SAMPLE_RATE), num_samples)
        onset = max(round((note.start_seconds - 0.02) * SAMPLE_RATE), 0)
        skipped = round(float(generator.choice([0.0, generator.uniform(0.1, 1.2)])) * SAMPLE_RATE)
        rise = round((0.03 if skipped == 0 else float(generator.uniform(0.04, 0.12))) * SAMPLE_RATE)
        held = _held(sound, skipped, length) * np.float32((note.velocity / 100) ** 1.5)
        held[:rise] *= np.linspace(0, 1, min(rise, length), dtype=np.float32)
        fall = min(round((_RELEASE_SECONDS + legato) * SAMPLE_RATE), length)
        held[length - fall :] *= np.linspace(1, 0, fall, dtype=np.float32) ** 1.5
        if length > SAMPLE_RATE // 2:
            held *= (1 + float(generator.uniform(-0.25, 0.25)) * np.sin(np.linspace(0, np.pi, length))).astype(
                np.float32
            )
        end = min(onset + length, num_samples)
        if end > onset:
            result[onset:end] += held[: end - onset]
    return result


@lru_cache(maxsize=160)
def _moved(path: Path, semitones: float, size: float) -> Float32[np.ndarray, "time"]:
    """A recording at another pitch, with its formants where they were, times ``size``."""
    samples = load_audio(path)
    mono = samples if samples.ndim == 1 else samples.mean(axis=0)
    peak_free = np.asarray(mono / (np.sqrt(np.mean(np.square(mono))) + 1e-9) * 0.1, dtype=np.float32)
    moved = transposed(peak_free, semitones)
    ratio = 2 ** (semitones / 12)
    if abs(ratio / size - 1) < 0.01:
        return np.asarray(moved, dtype=np.float32)
    envelope = _log_envelope(peak_free)
    num_padded: int = _fft.next_fast_len(len(moved) + _N_FFT, real=True)
    frequency = np.arange(num_padded // 2 + 1) * SAMPLE_RATE / num_padded
    grid = np.arange(len(envelope)) * SAMPLE_RATE / _N_FFT
    wanted, there = np.interp(frequency / size, grid, envelope), np.interp(frequency / ratio, grid, envelope)
    correction = np.exp(np.clip(wanted - there, -_LIMIT_LOG, _LIMIT_LOG)).astype(np.float32)
    return _fft.irfft(_fft.rfft(moved, n=num_padded) * correction, n=num_padded)[: len(moved)].astype(np.float32)


def _log_envelope(samples: Float32[np.ndarray, "time"]) -> Float64[np.ndarray, "frequency"]:
    """The natural logarithm of a smooth magnitude spectrum."""
    padded = np.pad(samples, (0, max(_N_FFT - len(samples), 0)))
    frames = padded[: len(padded) // _N_FFT * _N_FFT].reshape(-1, _N_FFT)
    power = np.square(np.abs(_fft.rfft(frames * np.hanning(_N_FFT), axis=1))).mean(axis=0)
    cepstrum = _fft.irfft(0.5 * np.log(power + 1e-8 * power.max() + 1e-20))
    keep = round(_SMOOTHING_SECONDS * SAMPLE_RATE)
    lifter = np.zeros(_N_FFT)
    lifter[:keep] = lifter[-keep + 1 :] = 1.0
    return _fft.rfft(cepstrum * lifter).real


def _held(sound: Float32[np.ndarray, "time"], start: int, length: int) -> Float32[np.ndarray, "held"]:
    """As much of a recording as is wanted; a note that outlasts it goes on with its middle, cross-faded."""
    start = min(start, len(sound) // 4)
    if start + length <= len(sound):
        return sound[start : start + length].copy()
    fade = min(round(_CROSSFADE_SECONDS * SAMPLE_RATE), len(sound) // 8)
    body = sound[start : len(sound) - len(sound) // 8]
    result = np.zeros(length + len(body), dtype=np.float32)
    rise = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))
    position = 0
    while position < length:
        piece = body[len(body) // 3 :].copy() if position else body.copy()
        if position:
            piece[:fade] *= rise
        piece[-fade:] *= rise[::-1]
        result[position : position + len(piece)] += piece
        position += len(piece) - fade
    return result[:length]

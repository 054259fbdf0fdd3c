"""Electronic bass lines, and electronic music of the stem other: pads, arpeggios, leads, stabs, sweeps.

All are subtractive synthesis on a random harmony, with what electronic music does to it:

    stem = saturate(moving_lowpass(sum of oscillators) * envelope) * (1 - depth * exp(-t_since_beat / recovery)).

The last factor imitates a compressor that the kick drum drives ("side-chain"). Bass lines include pure sub-basses
and long falling notes in the manner of the TR-808, which separators like to take for drums.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import (
    add_room,
    filtered,
    in_stereo,
    process_mildly,
    running_mean,
    saturated,
    to_level,
)
from stemtune.data.rendering.harmony import Bar, arpeggio, bars_at_random, bars_of_song, bass_line
from stemtune.data.rendering.oscillators import (
    WAVES,
    Line,
    Wave,
    gates,
    hertz,
    line_of,
    moving_lowpass,
    oscillator,
)  # fmt: skip
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.recipes.default_model.pieces import Piece

__all__ = ["make_bass", "make_other", "synthesis_pieces"]

_SECONDS = 36.0


def synthesis_pieces(songs: Sequence[Path], *, num_bass: int, num_other: int, seed: int) -> list[Piece]:
    """Pool files of bass and other; every second one on the harmony of a POP909 song."""
    pieces: list[Piece] = []
    for stem, count, make in (("bass", num_bass, make_bass), ("other", num_other, make_other)):
        chosen = generator_of(seed, f"synthesis-{stem}").permutation(len(songs))
        for index in range(count):
            name = f"synth-{stem}-{index:03d}"
            song = songs[int(chosen[index % len(chosen)])] if index % 2 and len(songs) else None
            origin = f"synthesised here{f' on midi/pop909/{song.name}' if song else ''}"
            pieces.append(
                Piece(name, "pool", partial(make, song, name=name, seed=seed), origin, "MIT" if song else "CC0-1.0")
            )
    return pieces


def _bars(song: Path | None, seconds: float, generator: np.random.Generator) -> tuple[Bar, ...]:
    bars = bars_of_song(song, seconds, generator) if song else ()
    return bars or bars_at_random(seconds, generator)


def make_bass(song: Path | None, *, name: str, seed: int, seconds: float = _SECONDS) -> Mapping[str, Audio]:
    """A bass line on a random instrument; mono."""
    generator = generator_of(seed, name)
    bars = _bars(song, seconds, generator)
    num_samples = round(seconds * SAMPLE_RATE)
    lowest = int(generator.integers(24, 34))
    notes = bass_line(bars, generator, lowest_pitch=lowest)
    kind = str(generator.choice(["sub", "808", "filter", "filter", "reese", "fm"]))
    glide = float(generator.choice([0.0, 0.0, generator.uniform(0.02, 0.15)]))
    pitch = line_of(notes, num_samples, glide_seconds=glide)
    draw = generator.uniform
    if kind == "808":
        since = _since_onset([note.start_seconds for note in notes], num_samples)
        pitch = pitch + draw(5, 24) * np.exp(-since / draw(0.01, 0.05))
    frequency = hertz(pitch)
    envelope = gates(
        notes,
        num_samples,
        attack_seconds=draw(0.002, 0.02),
        decay_seconds=draw(0.3, 1.5) if kind == "808" else draw(0.08, 0.8),
        sustain=0.0 if kind == "808" else draw(0.1, 1.0),
        release_seconds=draw(0.01, 0.12),
    )
    match kind:
        case "sub" | "808":
            samples = oscillator("sine" if generator.random() < 0.8 else "triangle", frequency)
            samples = samples * envelope.astype(np.float32)
            samples = saturated(samples, draw(-10, 12))
        case "fm":
            index = draw(0.5, 4) * envelope**2
            modulator = oscillator("sine", frequency * float(generator.choice([1, 1, 2, 3])))
            turns = np.cumsum(frequency) / SAMPLE_RATE
            samples = (np.sin(2 * np.pi * turns + index * modulator) * envelope).astype(np.float32)
        case _:
            samples = _voices(frequency, generator, num_voices=3 if kind == "reese" else 2, detune=draw(0.05, 0.3))
            samples = samples + oscillator("sine", frequency) * np.float32(draw(0, 1.0))
            cutoff = draw(80, 400) * (1 + draw(0, 20) * envelope ** draw(1, 4))
            samples = moving_lowpass(samples, cutoff) * envelope.astype(np.float32)
            samples = saturated(samples, draw(-10, 8))
    samples = filtered(samples, "highpass", 22.0) * _ducking(bars, num_samples, generator).astype(np.float32)
    return {"bass": to_level(samples, float(generator.normal(-19, 2.5)))}


def make_other(song: Path | None, *, name: str, seed: int) -> Mapping[str, Audio]:
    """One to three layers of electronic instruments on one harmony; stereo."""
    generator = generator_of(seed, name)
    bars = _bars(song, _SECONDS, generator)
    num_samples = round(_SECONDS * SAMPLE_RATE)
    mix = np.zeros((num_samples, 2), dtype=np.float32)
    layers = [_pad, _arpeggio, _arpeggio, _stab, _lead, _sweeps]
    for index in generator.choice(len(layers), size=int(generator.integers(1, 4)), replace=False):
        layer = in_stereo(layers[int(index)](bars, num_samples, generator))
        layer = _widened(layer, generator)
        mix += to_level(layer, float(generator.normal(-20, 3)))
    mix *= _ducking(bars, num_samples, generator).astype(np.float32)[:, None]
    mix = filtered(process_mildly(mix, generator), "highpass", float(generator.uniform(40, 180)))
    return {"other": to_level(mix, float(generator.normal(-20, 2.5)))}


def _voices(frequency: Line, generator: np.random.Generator, *, num_voices: int, detune: float) -> Audio:
    """Detuned oscillators of one random wave; ``detune`` in semitones."""
    wave: Wave = WAVES[int(generator.choice([1, 1, 2, 3]))]
    total = np.zeros(len(frequency), dtype=np.float32)
    for offset in np.linspace(-detune, detune, num_voices) if num_voices > 1 else (0.0,):
        total += oscillator(wave, frequency * 2 ** (offset / 12), phase=float(generator.random()))
    return total / num_voices


def _chord_lines(bars: Sequence[Bar], lowest: int, num_voices: int) -> list[list[Note]]:
    """One line of notes per voice of the chords."""
    lines: list[list[Note]] = [[] for _ in range(num_voices)]
    for bar in bars:
        for voice, line in enumerate(lines):
            pitch = lowest + (bar.chord[voice % len(bar.chord)] - lowest) % 12 + 12 * (voice // len(bar.chord))
            line.append(Note(bar.start_seconds, bar.seconds * 0.98, pitch, 100))
    return lines


def _pad(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    draw = generator.uniform
    attack, release, detune = draw(0.02, 0.6), draw(0.1, 0.6), draw(0.03, 0.2)
    total = np.zeros(num_samples, dtype=np.float32)
    for line in _chord_lines(bars, int(generator.integers(48, 60)), int(generator.integers(3, 5))):
        envelope = gates(
            line, num_samples, attack_seconds=attack, decay_seconds=1.0, sustain=0.8, release_seconds=release
        )
        frequency = hertz(line_of(line, num_samples))
        total += _voices(frequency, generator, num_voices=3, detune=detune) * envelope.astype(np.float32)
    slow = np.sin(2 * np.pi * draw(0.03, 0.4) * np.arange(num_samples) / SAMPLE_RATE)
    return moving_lowpass(total, draw(400, 5000) * 2 ** (draw(0, 2) * slow))


def _arpeggio(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    draw = generator.uniform
    notes = arpeggio(bars, generator, lowest_pitch=int(generator.integers(46, 70)))
    envelope = gates(
        notes, num_samples, attack_seconds=0.002, decay_seconds=draw(0.04, 0.4), sustain=draw(0, 0.4),
        release_seconds=draw(0.02, 0.3),
    )  # fmt: skip
    frequency = hertz(line_of(notes, num_samples))
    if generator.random() < 0.3:
        modulator = oscillator("sine", frequency * float(generator.choice([1, 1.41, 2, 3.5])))
        turns = np.cumsum(frequency) / SAMPLE_RATE
        return (np.sin(2 * np.pi * turns + draw(0.5, 3) * envelope * modulator) * envelope).astype(np.float32)
    samples = _voices(frequency, generator, num_voices=2, detune=draw(0.0, 0.15))
    return moving_lowpass(samples, draw(300, 2000) * (1 + draw(0, 12) * envelope)) * envelope.astype(np.float32)


def _stab(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    steps = np.flatnonzero(generator.random(16) < 0.3)
    steps = steps if steps.size else np.array([4, 12])
    decay, brightness = generator.uniform(0.05, 0.4), generator.uniform(600, 6000)
    total = np.zeros(num_samples, dtype=np.float32)
    for line in _chord_lines(bars, int(generator.integers(50, 64)), 3):
        notes = [
            Note(note.start_seconds + step / 16 * note.duration_seconds, decay, note.pitch, 100)
            for note in line
            for step in steps
        ]
        envelope = gates(
            notes, num_samples, attack_seconds=0.003, decay_seconds=decay, sustain=0.1, release_seconds=0.08
        )
        frequency = hertz(line_of(notes, num_samples))
        total += _voices(frequency, generator, num_voices=3, detune=0.12) * envelope.astype(np.float32)
    return filtered(total, "lowpass", brightness)


def _lead(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    draw = generator.uniform
    notes = bass_line(bars, generator, lowest_pitch=int(generator.integers(60, 76)))
    vibrato = 0.25 * np.sin(2 * np.pi * draw(4.5, 6.5) * np.arange(num_samples) / SAMPLE_RATE)
    frequency = hertz(line_of(notes, num_samples, glide_seconds=draw(0.01, 0.12)) + vibrato * draw(0, 1))
    envelope = gates(
        notes, num_samples, attack_seconds=draw(0.003, 0.05), decay_seconds=0.3, sustain=0.7, release_seconds=0.1
    )
    samples = _voices(frequency, generator, num_voices=int(generator.integers(1, 4)), detune=draw(0.02, 0.15))
    return filtered(samples, "lowpass", draw(1500, 9000)) * envelope.astype(np.float32)


def _sweeps(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    """Risers and falls of filtered noise, over two to eight bars."""
    noise = generator.standard_normal(num_samples).astype(np.float32)
    span = float(generator.integers(2, 9)) * bars[0].seconds
    position = (np.arange(num_samples) / SAMPLE_RATE / span) % 1.0
    position = position if generator.random() < 0.6 else 1 - position
    swept = moving_lowpass(noise, 200 * 2 ** (6 * position), num_filters=8)
    return filtered(swept, "highpass", 150) * (position**1.5).astype(np.float32)


def _widened(samples: Audio, generator: np.random.Generator) -> Audio:
    """A short delay between the sides, an echo, a room: each now and then."""
    result = samples
    if generator.random() < 0.5:
        shift = round(generator.uniform(0.004, 0.02) * SAMPLE_RATE)
        result = np.stack([result[:, 0], np.roll(result[:, 1], shift)], axis=1)
    if generator.random() < 0.4:
        shift = round(generator.uniform(0.15, 0.5) * SAMPLE_RATE)
        echo = np.zeros_like(result)
        echo[shift:] = result[:-shift, ::-1] * np.float32(generator.uniform(0.2, 0.5))
        result = result + echo
    if generator.random() < 0.6:
        decay, wet_db = float(generator.uniform(0.4, 2.5)), float(generator.uniform(-16, -4))
        result = add_room(result, generator, decay_seconds=decay, wet_db=wet_db)
    return result


def _since_onset(onsets_seconds: Sequence[float], num_samples: int) -> Line:
    """Seconds since the latest onset, at every sample; large before the first."""
    onsets = np.sort(np.array([-1e3, *onsets_seconds]))
    time = np.arange(num_samples) / SAMPLE_RATE
    return time - onsets[np.searchsorted(onsets, time, side="right") - 1]


def _ducking(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Line:
    """A gain that dips on every beat, in four of ten pieces; otherwise 1."""
    if generator.random() > 0.4:
        return np.ones(num_samples)
    beats = [bar.start_seconds + beat * bar.seconds / 4 for bar in bars for beat in range(4)]
    depth, recovery = generator.uniform(0.4, 1.0), generator.uniform(0.05, 0.18)
    dips = 1 - depth * np.exp(-_since_onset(beats, num_samples) / recovery)
    return running_mean(dips, round(generator.uniform(0.004, 0.015) * SAMPLE_RATE))

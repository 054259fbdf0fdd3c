"""Layers of electronic music on a harmony: pads, arpeggios, leads, stabs, sweeps.

    layer = moving_lowpass(sum of detuned oscillators) * envelope.

Each layer is mono; `widened` spreads it with delays, echoes and rooms.
"""

from collections.abc import Sequence

import numpy as np

from stemtune.data.rendering.effects import add_room, filtered
from stemtune.data.rendering.harmony import Bar, arpeggio, bass_line
from stemtune.data.rendering.oscillators import (
    WAVES,
    Line,
    Wave,
    frequency_of,
    gates,
    hertz,
    line_of,
    moving_lowpass,
    oscillator,
)
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = ["LAYERS", "arpeggiated", "lead", "pad", "stabs", "sweeps", "voices", "widened"]


def voices(frequency: Line, generator: np.random.Generator, *, num_voices: int, detune: float) -> Audio:
    """Detuned oscillators of one random wave; ``detune`` in semitones."""
    wave: Wave = WAVES[int(generator.choice([1, 1, 2, 3]))]
    total = np.zeros(len(frequency), dtype=np.float32)
    for offset in np.linspace(-detune, detune, num_voices) if num_voices > 1 else (0.0,):
        total += oscillator(wave, frequency * 2 ** (offset / 12), phase=float(generator.random()))
    return total / num_voices


def chord_lines(bars: Sequence[Bar], lowest: int, num_voices: int) -> list[list[Note]]:
    """One line of notes per voice of the chords."""
    lines: list[list[Note]] = [[] for _ in range(num_voices)]
    for bar in bars:
        for voice, line in enumerate(lines):
            pitch = lowest + (bar.chord[voice % len(bar.chord)] - lowest) % 12 + 12 * (voice // len(bar.chord))
            line.append(Note(bar.start_seconds, bar.seconds * 0.98, pitch, 100))
    return lines


def pad(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    """Held chords of detuned waves, whose brightness comes and goes."""
    draw = generator.uniform
    attack, release, detune = draw(0.02, 0.6), draw(0.1, 0.6), draw(0.03, 0.2)
    total = np.zeros(num_samples, dtype=np.float32)
    for line in chord_lines(bars, int(generator.integers(48, 60)), int(generator.integers(3, 5))):
        envelope = gates(
            line, num_samples, attack_seconds=attack, decay_seconds=1.0, sustain=0.8, release_seconds=release
        )
        frequency = frequency_of(line, num_samples)
        total += voices(frequency, generator, num_voices=3, detune=detune) * envelope.astype(np.float32)
    slow = np.sin(2 * np.pi * draw(0.03, 0.4) * np.arange(num_samples) / SAMPLE_RATE)
    return moving_lowpass(total, draw(400, 5000) * 2 ** (draw(0, 2) * slow))


def arpeggiated(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    """Chord notes one after the other, subtractive or by frequency modulation."""
    draw = generator.uniform
    notes = arpeggio(bars, generator, lowest_pitch=int(generator.integers(46, 70)))
    envelope = gates(
        notes, num_samples, attack_seconds=0.002, decay_seconds=draw(0.04, 0.4), sustain=draw(0, 0.4),
        release_seconds=draw(0.02, 0.3),
    )  # fmt: skip
    frequency = frequency_of(notes, num_samples)
    if generator.random() < 0.3:
        modulator = oscillator("sine", frequency * float(generator.choice([1, 1.41, 2, 3.5])))
        turns = np.cumsum(frequency) / SAMPLE_RATE
        return (np.sin(2 * np.pi * turns + draw(0.5, 3) * envelope * modulator) * envelope).astype(np.float32)
    samples = voices(frequency, generator, num_voices=2, detune=draw(0.0, 0.15))
    return moving_lowpass(samples, draw(300, 2000) * (1 + draw(0, 12) * envelope)) * envelope.astype(np.float32)


def stabs(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    """Short chords in one rhythm."""
    steps = np.flatnonzero(generator.random(16) < 0.3)
    steps = steps if steps.size else np.array([4, 12])
    decay, brightness = generator.uniform(0.05, 0.4), generator.uniform(600, 6000)
    total = np.zeros(num_samples, dtype=np.float32)
    for line in chord_lines(bars, int(generator.integers(50, 64)), 3):
        notes = [
            Note(note.start_seconds + step / 16 * note.duration_seconds, decay, note.pitch, 100)
            for note in line
            for step in steps
        ]
        envelope = gates(
            notes, num_samples, attack_seconds=0.003, decay_seconds=decay, sustain=0.1, release_seconds=0.08
        )
        frequency = frequency_of(notes, num_samples)
        total += voices(frequency, generator, num_voices=3, detune=0.12) * envelope.astype(np.float32)
    return filtered(total, "lowpass", brightness)


def lead(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    """A line above, with glides and vibrato."""
    draw = generator.uniform
    notes = bass_line(bars, generator, lowest_pitch=int(generator.integers(60, 76)))
    vibrato = 0.25 * np.sin(2 * np.pi * draw(4.5, 6.5) * np.arange(num_samples) / SAMPLE_RATE)
    frequency = hertz(line_of(notes, num_samples, glide_seconds=draw(0.01, 0.12)) + vibrato * draw(0, 1))
    envelope = gates(
        notes, num_samples, attack_seconds=draw(0.003, 0.05), decay_seconds=0.3, sustain=0.7, release_seconds=0.1
    )
    samples = voices(frequency, generator, num_voices=int(generator.integers(1, 4)), detune=draw(0.02, 0.15))
    return filtered(samples, "lowpass", draw(1500, 9000)) * envelope.astype(np.float32)


def sweeps(bars: Sequence[Bar], num_samples: int, generator: np.random.Generator) -> Audio:
    """Risers and falls of filtered noise, over two to eight bars."""
    noise = generator.standard_normal(num_samples).astype(np.float32)
    span = float(generator.integers(2, 9)) * bars[0].seconds
    position = (np.arange(num_samples) / SAMPLE_RATE / span) % 1.0
    position = position if generator.random() < 0.6 else 1 - position
    swept = moving_lowpass(noise, 200 * 2 ** (6 * position), num_filters=8)
    return filtered(swept, "highpass", 150) * (position**1.5).astype(np.float32)


def widened(samples: Audio, generator: np.random.Generator) -> Audio:
    """A short delay between the sides, an echo, a room: each now and then."""
    result = samples
    if generator.random() < 0.5:
        shift = round(generator.uniform(0.004, 0.02) * SAMPLE_RATE)
        result = np.stack([result[0], np.roll(result[1], shift)])
    if generator.random() < 0.4:
        shift = round(generator.uniform(0.15, 0.5) * SAMPLE_RATE)
        echo = np.zeros_like(result)
        echo[:, shift:] = result[::-1, :-shift] * np.float32(generator.uniform(0.2, 0.5))
        result = result + echo
    if generator.random() < 0.6:
        decay, wet_db = float(generator.uniform(0.4, 2.5)), float(generator.uniform(-16, -4))
        result = add_room(result, generator, decay_seconds=decay, wet_db=wet_db)
    return result


LAYERS = (pad, arpeggiated, arpeggiated, stabs, lead, sweeps)
"""Functions of (bars, number of samples, generator)."""

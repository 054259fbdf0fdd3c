"""Harmony to improvise on: bars with a root and a chord, and lines and arpeggios on them.

bar = (start, length, root pitch class, chord pitch classes),   bass note = root near the register of the player.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stemtune.data.rendering.scores import Note

__all__ = ["Bar", "arpeggio", "bars_at_random", "bass_line"]

_PROGRESSIONS = (
    (0, 7, 9, 5), (9, 5, 0, 7), (0, 9, 5, 7), (0, 5, 7, 5), (2, 7, 0, 0), (9, 7, 5, 4), (0, 0, 5, 7), (9, 9, 5, 7),
)  # fmt: skip
_MINOR_DEGREES = frozenset({2, 4, 9})


@dataclass(frozen=True)
class Bar:
    """One chord: when it begins, how long it lasts, its root and its notes as pitch classes."""

    start_seconds: float
    seconds: float
    root: int
    chord: tuple[int, ...]


def bars_at_random(num_seconds: float, generator: np.random.Generator) -> tuple[Bar, ...]:
    """A progression of four chords in a random key and tempo, repeated."""
    seconds = 4 * 60 / float(generator.uniform(80, 175))
    key = int(generator.integers(12))
    degrees = _PROGRESSIONS[int(generator.integers(len(_PROGRESSIONS)))]
    bars: list[Bar] = []
    for index in range(int(num_seconds / seconds) + 1):
        degree = degrees[index % 4]
        root = (key + degree) % 12
        third = 3 if degree in _MINOR_DEGREES else 4
        chord = (root, (root + third) % 12, (root + 7) % 12)
        bars.append(Bar(index * seconds, seconds, root, chord))
    return tuple(bars)


def bass_line(bars: Sequence[Bar], generator: np.random.Generator, *, lowest_pitch: int) -> tuple[Note, ...]:
    """One random rhythm of sixteen steps on the roots, now and then with octaves, fifths and chord notes."""
    style = int(generator.integers(6))
    steps = np.zeros(16, dtype=bool)
    match style:
        case 0:
            steps[0] = True
        case 1:
            steps[::2] = True
        case 2:
            steps[2::4] = True
        case 3:
            steps[:] = True
        case 4:
            steps[[0, 3, 6, 10, 12]] = True
        case _:
            steps = generator.random(16) < 0.35
            steps[0] = True
    octaves, wander = generator.random() < 0.35, float(generator.choice([0.0, 0.1, 0.3]))
    length = float(generator.uniform(0.4, 1.0))
    notes: list[Note] = []
    where = np.flatnonzero(steps)
    for index, bar in enumerate(bars):
        if generator.random() < 0.05:
            continue
        step = bar.seconds / 16
        for count, position in enumerate(where):
            following = where[count + 1] if count + 1 < len(where) else 16
            pitch = lowest_pitch + (bar.root - lowest_pitch) % 12
            if octaves and count % 2 and pitch < lowest_pitch + 10:
                pitch += 12
            elif generator.random() < wander:
                pitch = lowest_pitch + (bar.chord[int(generator.integers(len(bar.chord)))] - lowest_pitch) % 12
            velocity = int(generator.uniform(85, 127))
            duration = float(following - position) * step * length
            notes.append(Note(bar.start_seconds + float(position) * step, duration, pitch, velocity, index))
    return tuple(notes)


def arpeggio(bars: Sequence[Bar], generator: np.random.Generator, *, lowest_pitch: int) -> tuple[Note, ...]:
    """Chord notes one after the other, in one random order and rhythm."""
    division = int(generator.choice([8, 12, 16, 16]))
    order = generator.permutation(int(generator.integers(3, 9)))
    length, rest = float(generator.uniform(0.3, 1.2)), float(generator.choice([0.0, 0.0, 0.2, 0.4]))
    notes: list[Note] = []
    for bar in bars:
        step = bar.seconds / division
        ladder = [
            lowest_pitch + (pitch - lowest_pitch) % 12 + 12 * octave for octave in range(3) for pitch in bar.chord
        ]
        ladder.sort()
        for position in range(division):
            if generator.random() >= rest:
                pitch = ladder[int(order[position % len(order)]) % len(ladder)]
                velocity = int(generator.uniform(70, 127))
                notes.append(Note(bar.start_seconds + position * step, step * length, pitch, velocity))
    return tuple(notes)

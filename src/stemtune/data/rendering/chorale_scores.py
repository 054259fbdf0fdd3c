"""Bach's chorales as lines of notes: a grid of sixteenths becomes four parts in time.

A grid has one column of pitches per sixteenth note; equal pitches of neighbouring columns are one note, which is
struck again at some of its beats as the syllables of a hymn are. Where all parts rest on a long chord a phrase ends:
there the singers breathe, and the beat slows down:

    time(step) = sum over earlier steps of 15 / tempo(step),   tempo(step) = tempo * curve(step).
"""

import gzip
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float64

from stemtune.data.rendering.scores import Note
from stemtune.errors import InputError

__all__ = ["Grid", "grid_lines", "grid_seconds", "read_grids"]

Grid = tuple[tuple[int, ...], ...]
"""Per sixteenth the pitches of the parts, highest part first; 0 where a part rests."""

NUM_PARTS = 4
_STEPS_PER_BEAT = 4
_SHORTEST_CADENCE_STEPS = 4
_BREATH = 0.82
_SPLITS = ("train", "valid", "test")


def read_grids(path: Path) -> dict[str, tuple[Grid, ...]]:
    """The chorales of a JSON file (or a gzipped one) by split.

    Raises:
        InputError: if it is no such file.
    """
    try:
        data = path.read_bytes()
        tree = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        return {split: tuple(_grid(song) for song in tree[split]) for split in _SPLITS if split in tree}
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected chorales, a JSON object of lists of columns of pitches by split ({error})"
        ) from None


def grid_seconds(grid: Grid, beats_per_minute: float) -> float:
    """About how long a chorale lasts, with its breaths and a last chord that dies away."""
    return _times(grid, beats_per_minute)[-1] + 1.5


def grid_lines(grid: Grid, beats_per_minute: float, generator: np.random.Generator) -> list[list[Note]]:
    """The notes of the four parts, in seconds, with velocities that swell and fall within phrases.

    Args:
        grid: the chorale.
        beats_per_minute: quarter notes.
        generator: draws which long notes are struck again, and the dynamics.
    """
    times = _times(grid, beats_per_minute)
    cadences = set(_cadences(grid))
    restrike = float(generator.uniform(0.3, 0.9))
    loudness = _dynamics(grid, generator)
    lines: list[list[Note]] = []
    for part in range(NUM_PARTS):
        line: list[Note] = []
        for start, stop, pitch in _runs([column[part] for column in grid]):
            inner = range(start + (-start) % _STEPS_PER_BEAT, stop, _STEPS_PER_BEAT)
            cuts = [start, *(step for step in inner if step > start and generator.random() < restrike), stop]
            for begin, end in pairwise(cuts):
                length = float(times[end] - times[begin])
                length *= _BREATH if end in cadences else 1.0
                velocity = int(np.clip(loudness[begin] + generator.normal(0, 4), 30, 120))
                line.append(Note(float(times[begin]), length, pitch, velocity, part))
        lines.append(line)
    return lines


def _grid(song: Any) -> Grid:
    columns = cast(list[list[int]], song)
    if not columns or not all(0 <= pitch < 128 for column in columns for pitch in column):
        raise ValueError("a song without columns, or with pitches beyond 0 to 127")
    padded = ((*column[:NUM_PARTS], *(0,) * (NUM_PARTS - len(column))) for column in columns)
    return tuple(tuple(int(pitch) for pitch in column) for column in padded)  # some files hold floating numbers


def _runs(pitches: Sequence[int]) -> list[tuple[int, int, int]]:
    """Start, stop and pitch of everything that is held."""
    edges = [0, *(i for i in range(1, len(pitches)) if pitches[i] != pitches[i - 1]), len(pitches)]
    return [(a, b, pitches[a]) for a, b in pairwise(edges) if pitches[a] > 0]


def _cadences(grid: Grid) -> list[int]:
    """The steps at which a chord ends that all parts held for at least a quarter note."""
    starts = [0] * NUM_PARTS
    ends: list[int] = []
    for step in range(1, len(grid) + 1):
        changed = [step == len(grid) or grid[step][part] != grid[step - 1][part] for part in range(NUM_PARTS)]
        if all(changed) and all(step - start >= _SHORTEST_CADENCE_STEPS for start in starts):
            ends.append(step)
        starts = [step if change else start for change, start in zip(changed, starts, strict=True)]
    return ends


def _times(grid: Grid, beats_per_minute: float) -> Float64[np.ndarray, "time"]:
    """When each step begins, and when the last one ends; slower towards the ends of phrases."""
    speed = np.ones(len(grid))
    for end in _cadences(grid):
        for step in range(max(end - 6, 0), end):
            speed[step] = min(speed[step], 1.0 - 0.03 * (step - end + 7))
    steps = 60.0 / beats_per_minute / _STEPS_PER_BEAT / speed
    return np.concatenate([[0.0], np.cumsum(steps)])


def _dynamics(grid: Grid, generator: np.random.Generator) -> Float64[np.ndarray, "time"]:
    """A velocity for every step: each phrase has a level of its own and an arch."""
    ends = [*_cadences(grid), len(grid)]
    result = np.zeros(len(grid))
    start = 0
    base = float(generator.uniform(62, 88))
    for end in ends:
        if end > start:
            arch = np.sin(np.pi * np.linspace(0.1, 0.9, end - start))
            result[start:end] = base + generator.normal(0, 9) + arch * generator.uniform(0, 14)
            start = end
    return result

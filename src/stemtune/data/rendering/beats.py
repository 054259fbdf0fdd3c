"""Programmed beats of electronic music, as lists of strokes.

One bar is a grid of sixteen steps for each kind of drum; a beat repeats it, with rests, fills and a little chance:

    strokes = {(bar * 16 + step) * step_seconds : grid[kind][step] > 0, unless it rests or is left out}.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemtune.data.rendering.hits import DRUM_KINDS

__all__ = ["Grid", "Stroke", "draw_grid", "pattern"]

Grid = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Stroke:
    """One hit: when, on which kind of drum, how hard (0 to 1), and for toms how high."""

    seconds: float
    kind: str
    velocity: float
    semitones: float = 0.0


def pattern(num_seconds: float, generator: np.random.Generator) -> list[Stroke]:
    """A random beat: mostly four on the floor or broken, with fills every fourth bar or so."""
    step = 60 / float(generator.uniform(84, 176)) / 4
    swing = float(generator.choice([0.0, 0.0, 0.12, 0.2])) * step
    grid = draw_grid(generator)
    muted = {kind for kind in ("kick", "hat", "open_hat", "tom", "ride") if generator.random() < 0.3}
    strokes: list[Stroke] = []
    for bar in range(int(num_seconds / (16 * step)) + 1):
        rests = muted if (bar // 4) % 4 == 3 else set[str]()
        if bar % 8 == 0:
            strokes.append(Stroke(bar * 16 * step, "crash", 0.8))
        for kind, levels in grid.items():
            for index in np.flatnonzero(levels):
                if kind not in rests and generator.random() > 0.02:
                    seconds = (bar * 16 + int(index)) * step + (swing if index % 2 else 0.0)
                    semitones = float(generator.integers(-4, 5)) if kind == "tom" else 0.0
                    strokes.append(Stroke(seconds, kind, float(min(levels[index], 1.0)), semitones))
        if bar % 4 == 3 and generator.random() < 0.5:
            strokes += _fill((bar + 1) * 16 * step, step, generator)
    return sorted((stroke for stroke in strokes if stroke.seconds < num_seconds), key=lambda stroke: stroke.seconds)


def draw_grid(generator: np.random.Generator) -> Grid:
    """How hard each kind of drum is struck on each of the sixteen steps of a bar; 0 where it is not."""
    grid: Grid = {kind: np.zeros(16) for kind in DRUM_KINDS}
    if generator.random() < 0.55:
        grid["kick"][::4] = 1.0
    else:
        grid["kick"][[0, int(generator.choice([6, 7, 10]))]] = 1.0
        grid["kick"] += (generator.random(16) < 0.08) * 0.7
    back = "clap" if generator.random() < 0.5 else "snare"
    grid[back][[4, 12] if generator.random() < 0.8 else [8]] = 1.0
    grid["snare"] += (generator.random(16) < 0.06) * 0.35
    hat_style = int(generator.integers(4))
    grid["hat"][:: (1, 2, 4, 2)[hat_style]] = generator.uniform(0.4, 0.9)
    grid["hat"] *= generator.uniform(0.7, 1.0, size=16)
    if generator.random() < 0.6:
        grid["open_hat"][2::4] = 0.8
    if generator.random() < 0.3:
        grid["ride"][::2] = 0.5
    if generator.random() < 0.3:
        grid["tom"] += (generator.random(16) < 0.12) * 0.7
    return grid


def _fill(end_seconds: float, step: float, generator: np.random.Generator) -> list[Stroke]:
    """Two to seven strokes that grow towards the end of a bar; toms fall meanwhile."""
    count = int(generator.integers(2, 8))
    kind = str(generator.choice(["snare", "tom", "clap"]))
    return [
        Stroke(end_seconds - (count - n) * step, kind, 0.4 + 0.5 * n / count, -float(n) if kind == "tom" else 0.0)
        for n in range(count)
    ]

"""Drums for pop songs: a human performance bent to the song's beat, or a drum machine's pattern.

    time of a stroke = song(beat of the stroke),   beat = strokes' seconds * tempo of the performance / 60.

The performance keeps its own small deviations from the beat: they are what makes it human. It is one of the same side
of the split, in common time, of a tempo near the song's (or near half or twice of it), and starts over when it ends.
"""

from collections.abc import Sequence

import numpy as np

from stemtune.data.rendering.beats import draw_grid
from stemtune.data.rendering.drum_map import Hit
from stemtune.data.rendering.groove import Performance, read_hits
from stemtune.data.rendering.pop_scores import PopScore

__all__ = ["drawn_performance", "drums_of_song", "machine_of_song"]

_NOTES = {"kick": 36, "snare": 38, "clap": 39, "hat": 42, "open_hat": 46, "tom": 45, "ride": 51, "crash": 49}
_CRASH, _SNARE = 49, 38
_NEAR = 0.18


def drawn_performance(
    performances: Sequence[Performance], beats_per_minute: float, generator: np.random.Generator
) -> tuple[Performance, float] | None:
    """A performance that suits a tempo, and how many of its beats go into one of the song's; None if none does."""
    fitting = [
        (performance, factor)
        for performance in performances
        for factor in (1.0, 2.0, 0.5)
        if performance.common_time
        and performance.beats_per_minute > 0
        and abs(np.log(performance.beats_per_minute / (beats_per_minute * factor))) < _NEAR
    ]
    return fitting[int(generator.integers(len(fitting)))] if fitting else None


def drums_of_song(
    score: PopScore, performance: Performance, factor: float, generator: np.random.Generator
) -> list[Hit]:
    """A performance along a song, with an entry, now and then a break, and a cymbal where a section begins."""
    hits = read_hits(performance.path, from_first=False)
    beats = np.array([hit.seconds for hit in hits]) * performance.beats_per_minute / 60 / factor
    length = max(4.0 * np.floor(beats.max() / 4), 4.0)
    song_beats = float(len(score.beats) - 1)
    silent = _silent_bars(score.num_bars, generator)
    played: list[Hit] = []
    for turn in range(int(np.ceil(song_beats / length))):
        for hit, beat in zip(hits, beats, strict=True):
            place = beat + turn * length
            if beat < length and place < song_beats and int(place // 4) not in silent:
                played.append(Hit(float(score.seconds_of(place)), hit.note, hit.velocity))
    played += [
        Hit(float(score.seconds_of(4.0 * bar)), _CRASH, float(generator.uniform(0.6, 1.0)))
        for bar in range(0, score.num_bars, 8)
        if bar not in silent and generator.random() < 0.5
    ]
    return sorted(played, key=lambda hit: hit.seconds)


def machine_of_song(score: PopScore, generator: np.random.Generator) -> list[Hit]:
    """A programmed beat along a song: one or two patterns, rolls before sections, a break now and then."""
    grids = [draw_grid(generator), draw_grid(generator)]
    swing = float(generator.choice([0.0, 0.0, 0.1, 0.17]))
    silent = _silent_bars(score.num_bars, generator)
    played: list[Hit] = []
    for bar in range(score.num_bars):
        if bar in silent:
            continue
        for kind, levels in grids[(bar // 16) % 2].items():
            for step in np.flatnonzero(levels):
                if generator.random() > 0.02:
                    place = 4.0 * bar + (float(step) + (swing if step % 2 else 0.0)) / 4
                    velocity = min(float(levels[step]) * float(generator.uniform(0.93, 1.0)), 1.0)
                    played.append(Hit(float(score.seconds_of(place)), _NOTES[kind], velocity))
        if bar % 8 == 0:
            played.append(Hit(float(score.seconds_of(4.0 * bar)), _CRASH, 0.85))
        if bar % 8 == 7 and generator.random() < 0.6:
            count = int(generator.integers(3, 9))
            played += [
                Hit(float(score.seconds_of(4.0 * bar + 4 - (count - n) / 4)), _SNARE, 0.35 + 0.5 * n / count)
                for n in range(count)
            ]
    return sorted(played, key=lambda hit: hit.seconds)


def _silent_bars(num_bars: int, generator: np.random.Generator) -> frozenset[int]:
    """Bars without drums: an introduction, and some groups of four."""
    entry = int(generator.choice([0, 0, 4, 8]))
    breaks = {
        bar for first in range(entry, num_bars, 4) if generator.random() < 0.06 for bar in range(first, first + 4)
    }
    return frozenset(set(range(min(entry, num_bars // 2))) | breaks)

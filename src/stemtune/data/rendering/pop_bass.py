"""Bass lines for pop songs: the left hand of the piano, or roots in a rhythm, often that of the kick drum.

line = {low piano notes, an octave or two down}  or  {(beat, root of its half bar) : beat in rhythm}.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stemtune.data.rendering.pop_scores import PopScore
from stemtune.data.rendering.scores import Note

__all__ = ["bass_of_song", "without_left_hand"]

_RHYTHMS = (
    (0,), (0, 8), (0, 6, 8), (0, 4, 8, 12), (0, 2, 4, 6, 8, 10, 12, 14), (0, 3, 6, 8, 11, 14), (0, 6, 8, 14),
    (0, 7, 8, 15), (2, 6, 10, 14), (0, 3, 6, 10, 12), tuple(range(16)),
)  # fmt: skip
_STEPS = 16
_HIGHEST_LEFT_HAND = 55
_SHORTEST_GAP_SECONDS = 0.14


def bass_of_song(
    score: PopScore, kicks_seconds: Sequence[float], generator: np.random.Generator, *, lowest_pitch: int = 28
) -> tuple[Note, ...]:
    """A line without overlaps.

    Args:
        score: the song.
        kicks_seconds: when the kick drum is struck.
        generator: draws the style and what deviates from it.
        lowest_pitch: of the instrument; the line stays within an octave and a half above it.
    """
    style = float(generator.random())
    if style < 0.3:
        notes = _left_hand(score, lowest_pitch)
    elif style < 0.6 and len(kicks_seconds) > 16:
        notes = _with_kicks(score, kicks_seconds, generator, lowest_pitch)
    else:
        notes = _in_rhythm(score, generator, lowest_pitch)
    return _as_line(notes, generator)


def without_left_hand(piano: Sequence[Note], generator: np.random.Generator) -> tuple[Note, ...]:
    """The piano as it plays beside a bass: mostly without its lowest notes."""
    lowest = float(generator.choice([0, 45, 48, 52]))
    return tuple(note for note in piano if note.pitch >= lowest)


def _left_hand(score: PopScore, lowest_pitch: int) -> list[Note]:
    """The lowest notes that the piano strikes, moved into the register of a bass."""
    low = [note for note in score.piano if note.pitch < _HIGHEST_LEFT_HAND]
    kept: list[Note] = []
    for note in low:
        if kept and note.start_seconds - kept[-1].start_seconds < 0.06:
            if note.pitch < kept[-1].pitch:
                kept[-1] = note
        else:
            kept.append(note)
    return [replace(note, pitch=_folded(note.pitch, lowest_pitch), velocity=max(note.velocity, 70)) for note in kept]


def _with_kicks(
    score: PopScore, kicks: Sequence[float], generator: np.random.Generator, lowest_pitch: int
) -> list[Note]:
    """The root of the harmony wherever the kick drum is struck."""
    onsets = [kicks[0]]
    for kick in kicks[1:]:
        if kick - onsets[-1] > _SHORTEST_GAP_SECONDS:
            onsets.append(kick)
    fifths = float(generator.choice([0.0, 0.1, 0.25]))
    notes: list[Note] = []
    for onset in onsets:
        half = int(np.searchsorted(score.beats, onset + 0.05, side="right") - 1) // 2
        if 0 <= half < len(score.chords):
            chord = score.chords[half]
            pitch_class = (
                chord.classes[int(generator.integers(len(chord.classes)))]
                if generator.random() < fifths
                else chord.root
            )
            notes.append(Note(onset, 0.6, _folded(pitch_class, lowest_pitch), int(generator.uniform(80, 118))))
    return notes


def _in_rhythm(score: PopScore, generator: np.random.Generator, lowest_pitch: int) -> list[Note]:
    """One or two rhythms of sixteenths for the song, with octaves, passing notes and rests by chance."""
    rhythms = [_RHYTHMS[int(index)] for index in generator.integers(len(_RHYTHMS), size=2)]
    octaves, passing = float(generator.choice([0.0, 0.0, 0.5])), float(generator.choice([0.0, 0.15]))
    late = float(generator.normal(0.004, 0.006))
    notes: list[Note] = []
    for bar in range(score.num_bars):
        if generator.random() < 0.03:
            continue
        for count, step in enumerate(rhythms[(bar // 8) % 2]):
            chord = score.chords[2 * bar + step // 8]
            pitch = _folded(chord.root, lowest_pitch)
            if count % 2 and generator.random() < octaves:
                pitch += 12
            elif step >= 12 and generator.random() < passing:
                pitch = _folded(chord.classes[-1], lowest_pitch)
            onset = float(score.seconds_of(4.0 * bar + 4.0 * step / _STEPS)) + late
            notes.append(Note(onset, 4.0, pitch, int(generator.uniform(78, 118))))
    return notes


def _as_line(notes: Sequence[Note], generator: np.random.Generator) -> tuple[Note, ...]:
    """Every note ends before the next begins; how long before is the player's articulation."""
    length = float(generator.uniform(0.5, 1.0))
    ordered = sorted(notes, key=lambda note: note.start_seconds)
    line: list[Note] = []
    for note, following in zip(ordered, [*ordered[1:], None], strict=True):
        gap = following.start_seconds - note.start_seconds if following else 2.0
        if gap > 0.05:
            duration = min(note.duration_seconds, gap) * length
            line.append(replace(note, start_seconds=max(note.start_seconds, 0.0), duration_seconds=max(duration, 0.05)))
    return tuple(line)


def _folded(pitch: int, lowest: int) -> int:
    return lowest + (pitch - lowest) % 12

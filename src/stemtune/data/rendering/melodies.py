"""Melodies as singers take them: an excerpt, within a voice's range, sung once more a little elsewhere.

line = {note : its end <= the next note's start}, at most six seconds a note.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE

__all__ = ["Range", "as_line", "elsewhere", "excerpt", "in_phrases", "in_range"]

_LONGEST_NOTE_SECONDS = 6.0
_MARGIN_SECONDS = 0.7


@runtime_checkable
class Range(Protocol):
    """What a singer can reach, in MIDI notes."""

    @property
    def lowest_pitch(self) -> float:
        """The lowest note."""
        ...

    @property
    def highest_pitch(self) -> float:
        """The highest note."""
        ...


def excerpt(melody: Sequence[Note], generator: np.random.Generator, *, seconds: float) -> list[Note]:
    """Some seconds of a melody at another tempo, as one line without overlaps."""
    if len(melody) < 2:
        return []
    speed = float(generator.uniform(0.85, 1.15))
    latest = max(melody[-1].start_seconds - seconds * speed, melody[0].start_seconds + 1e-3)
    start = float(generator.uniform(melody[0].start_seconds, latest))
    inside = [
        replace(
            note,
            start_seconds=(note.start_seconds - start) / speed + 0.05,
            duration_seconds=note.duration_seconds / speed,
        )
        for note in melody
        if start <= note.start_seconds < start + seconds * speed
    ]
    ends = [note.start_seconds for note in inside[1:]] + [seconds]
    line: list[Note] = []
    for note, end in zip(inside, ends, strict=False):
        gap = end - note.start_seconds
        if gap > 0.05:
            length = min(max(note.duration_seconds, min(gap, 0.25)), gap, _LONGEST_NOTE_SECONDS)
            line.append(replace(note, duration_seconds=length))
    return line


def as_line(notes: Sequence[Note], *, end_seconds: float) -> list[Note]:
    """Notes that end before the next one begins, none longer than six seconds, none shorter than a syllable may be."""
    line: list[Note] = []
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        gap = (following.start_seconds if following else end_seconds) - note.start_seconds
        if gap > 0.05:
            length = min(max(note.duration_seconds, min(gap, 0.25)), gap, _LONGEST_NOTE_SECONDS)
            line.append(replace(note, duration_seconds=length))
    return line


def in_phrases(
    notes: Sequence[Note], num_samples: int, sing: Callable[[Sequence[Note], int], Float32[np.ndarray, "time"]]
) -> Float32[np.ndarray, "time_all"]:
    """Sing only where there is something to sing: long rests are cut out before, and put back after.

    Args:
        notes: a line, in the order of time.
        num_samples: the length of all of it.
        sing: makes so many samples of a line.
    """
    result = np.zeros(num_samples, dtype=np.float32)
    phrases: list[list[Note]] = []
    for note in notes:
        if phrases and note.start_seconds - _end(phrases[-1][-1]) < 2 * _MARGIN_SECONDS:
            phrases[-1].append(note)
        else:
            phrases.append([note])
    shortened: list[Note] = []
    places: list[tuple[int, int, int]] = []
    position = 0
    for phrase in phrases:
        start = max(round((phrase[0].start_seconds - _MARGIN_SECONDS) * SAMPLE_RATE), 0)
        length = min(round((_end(phrase[-1]) + _MARGIN_SECONDS) * SAMPLE_RATE), num_samples) - start
        if length <= 0:
            continue
        shift = (position - start) / SAMPLE_RATE
        shortened += [replace(note, start_seconds=note.start_seconds + shift) for note in phrase]
        places.append((start, position, length))
        position += length
    if not shortened:
        return result
    sung = sing(shortened, position)
    for start, position, length in places:
        result[start : start + length] = sung[position : position + length]
    return result


def _end(note: Note) -> float:
    return note.start_seconds + note.duration_seconds


def elsewhere(notes: Sequence[Note], generator: np.random.Generator) -> list[Note]:
    """The same line as another take: every note up to some hundredths of a second away."""
    shifts = generator.normal(0, 0.02, size=len(notes))
    moved = [
        replace(note, start_seconds=max(note.start_seconds + float(shift), 0.0))
        for note, shift in zip(notes, shifts, strict=True)
    ]
    return sorted(moved, key=lambda note: note.start_seconds)


def in_range(notes: Sequence[Note], voice: Range) -> list[Note]:
    """A line moved by octaves, as a whole, to the middle of a voice's range; stray notes fold into it."""
    middle = (voice.lowest_pitch + voice.highest_pitch) / 2
    mean = float(np.mean([note.pitch for note in notes]))
    shift = 12 * round((middle - mean) / 12)
    moved: list[Note] = []
    for note in notes:
        pitch = note.pitch + shift
        while pitch > voice.highest_pitch + 2:
            pitch -= 12
        while pitch < voice.lowest_pitch - 2:
            pitch += 12
        moved.append(replace(note, pitch=pitch))
    return moved

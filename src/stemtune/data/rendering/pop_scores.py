"""Pop songs as POP909 has them: a melody, a bridge and a piano, and under them a beat that must be found.

The files count quarter notes, but their first beat may lie anywhere between two of them. The offset is where most of
the piano's notes begin, and the bar begins on the beat on which its low notes do:

    offset = argmax over phases of onsets(phase) + onsets(phase + 1/2) / 2,   downbeat = argmax over 4 of low(beat).

References: Z. Wang et al., "POP909: a pop-song dataset for music arrangement generation", ISMIR 2020.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from stemtune.data.rendering.midi import MidiScore, read_midi
from stemtune.data.rendering.scores import Note, events_of, notes_of
from stemtune.errors import InputError

__all__ = ["Chord", "PopScore", "read_pop_score"]

_PARTS = ("MELODY", "BRIDGE", "PIANO")
_PHASES = 16
_LOW_PITCH = 52
_LEAD_SECONDS = 0.1
_BEATS_PER_BAR = 4
_LEAST_AGREEMENT = 0.5


@dataclass(frozen=True)
class Chord:
    """What sounds within half a bar: its bass note's pitch class, and all pitch classes, most important first."""

    root: int
    classes: tuple[int, ...]


@dataclass(frozen=True)
class PopScore:
    """A song in seconds.

    Attributes:
        melody: notes that somebody may sing.
        bridge: a second voice and interludes.
        piano: the accompaniment.
        beats: when the beats of all bars begin, from a downbeat on; a multiple of four, and one more.
        chords: two per bar.
    """

    melody: tuple[Note, ...]
    bridge: tuple[Note, ...]
    piano: tuple[Note, ...]
    beats: Float64[np.ndarray, "time"]
    chords: tuple[Chord, ...]

    @property
    def num_bars(self) -> int:
        """How many bars there are."""
        return (len(self.beats) - 1) // _BEATS_PER_BAR

    @property
    def beats_per_minute(self) -> float:
        """The median tempo."""
        return 60 / float(np.median(np.diff(self.beats)))

    def bars(self, first: int, count: int) -> "PopScore":
        """``count`` bars from bar ``first`` on, with time beginning a little before the first of them."""
        beats = self.beats[4 * first : 4 * (first + count) + 1]
        begin, end = float(beats[0]) - _LEAD_SECONDS, float(beats[-1])

        def within(notes: tuple[Note, ...]) -> tuple[Note, ...]:
            return tuple(
                replace(note, start_seconds=note.start_seconds - begin)
                for note in notes
                if begin <= note.start_seconds < end
            )

        chords = self.chords[2 * first : 2 * (first + count)]
        return PopScore(within(self.melody), within(self.bridge), within(self.piano), beats - begin, chords)

    def seconds_of(self, beat: Float64[np.ndarray, "..."] | float) -> Float64[np.ndarray, "..."]:
        """When a beat, counted from the first downbeat, is; beats may have fractions."""
        return np.asarray(np.interp(beat, np.arange(len(self.beats)), self.beats))


def read_pop_score(path: Path, *, speed: float = 1.0, semitones: int = 0) -> PopScore:
    """Read a song, played ``speed`` times as fast, in another key.

    Raises:
        InputError: if it lacks a melody or a piano, or keeps to no beat.
    """
    midi = read_midi(path)
    lists: dict[str, list[Note]] = {name: [] for name in _PARTS}
    for note in notes_of(events_of(midi)):
        name = note.part.strip().upper()
        if name in lists:
            start, duration = note.start_seconds / speed, note.duration_seconds / speed
            pitch = min(max(note.pitch + semitones, 0), 127)
            lists[name].append(Note(start, duration, pitch, note.velocity, note.channel, note.program, note.part))
    parts = {name: tuple(notes) for name, notes in lists.items()}
    for name in ("MELODY", "PIANO"):
        if not parts[name]:
            raise InputError(f"{path}: expected the tracks {', '.join(_PARTS)} as in POP909; it has no {name}")
    quarters = _quarters(midi, parts["PIANO"][-1].start_seconds * speed + 4.0) / speed
    beats = _beats(parts["PIANO"], quarters, path)
    bars = (len(beats) - 1) // _BEATS_PER_BAR
    halves = [
        (float(beats[4 * bar + 2 * half]), float(beats[4 * bar + 2 * half + 2]))
        for bar in range(bars)
        for half in (0, 1)
    ]
    return PopScore(
        parts["MELODY"], parts["BRIDGE"], parts["PIANO"], beats, _chords([*parts["PIANO"], *parts["BRIDGE"]], halves)
    )


def _quarters(score: MidiScore, until_seconds: float) -> Float64[np.ndarray, "quarter"]:
    """When each quarter note of a MIDI file begins, by its tempo."""
    longest = max((tick for tick, _ in score.tempi), default=0) // score.ticks_per_beat
    count = int(longest + until_seconds * 8)  # eight a second: faster than any song
    times = score.seconds_of([index * score.ticks_per_beat for index in range(count)])
    return times[: int(np.searchsorted(times, until_seconds)) + 1]


def _beats(piano: Sequence[Note], quarters: Float64[np.ndarray, "quarter"], path: Path) -> Float64[np.ndarray, "beat"]:
    """The beats from the first downbeat to the last whole bar."""
    onsets = np.array([note.start_seconds for note in piano])
    places = np.interp(onsets, quarters, np.arange(len(quarters)))
    histogram = np.bincount(np.round(places * _PHASES).astype(int) % _PHASES, minlength=_PHASES).astype(float)
    smooth = histogram + 0.5 * (np.roll(histogram, 1) + np.roll(histogram, -1))
    phase = int(np.argmax(smooth + 0.5 * np.roll(smooth, _PHASES // 2)))
    on_grid = sum(histogram[(phase + shift + near) % _PHASES] for shift in (0, 4, 8, 12) for near in (-1, 0))
    off_grid = histogram.sum() - on_grid
    if on_grid < _LEAST_AGREEMENT * (on_grid + off_grid):
        raise InputError(
            f"{path}: keeps to no beat; {off_grid / histogram.sum():.0%} of the notes lie between sixteenths"
        )
    index = np.arange(len(quarters)) + phase / _PHASES
    beats = np.interp(index[:-1], np.arange(len(quarters)), quarters)
    low = np.array([note.start_seconds for note in piano if note.pitch < _LOW_PITCH])
    nearest = np.abs(low[:, None] - beats[None, :]).argmin(axis=1) if low.size else np.zeros(0, dtype=int)
    first = int(np.argmax(np.bincount(nearest % _BEATS_PER_BAR, minlength=_BEATS_PER_BAR)))
    beats = beats[first:]
    beats = beats[: (len(beats) - 1) // _BEATS_PER_BAR * _BEATS_PER_BAR + 1]
    if len(beats) < 4 * _BEATS_PER_BAR:
        raise InputError(f"{path}: expected at least four bars; found {(len(beats) - 1) // _BEATS_PER_BAR}")
    return beats


def _chords(notes: Sequence[Note], halves: Sequence[tuple[float, float]]) -> tuple[Chord, ...]:
    """The harmony of every half bar: its lowest note, and what sounds longest."""
    ordered = sorted(notes, key=lambda note: note.start_seconds)
    starts = np.array([note.start_seconds for note in ordered])
    ends = np.array([note.start_seconds + note.duration_seconds for note in ordered])
    pitches = np.array([note.pitch for note in ordered])
    chords: list[Chord] = []
    for begin, end in halves:
        overlap = np.clip(np.minimum(ends, end) - np.maximum(starts, begin), 0, None)
        sounding = overlap > 0.2 * (end - begin)
        if not sounding.any():
            chords.append(chords[-1] if chords else Chord(0, (0, 4, 7)))
            continue
        root = int(pitches[sounding].min()) % 12
        weights = np.bincount(pitches[sounding] % 12, weights=overlap[sounding], minlength=12)
        ranked = [int(c) for c in np.argsort(-weights, kind="stable") if weights[c] > 0 and int(c) != root]
        chords.append(Chord(root, (root, *ranked[:3])))
    return tuple(chords)

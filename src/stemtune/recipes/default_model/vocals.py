"""Vocal tracks: synthesised singers on the melodies of POP909, arranged as recordings of pop songs are.

A lead, sometimes doubled (the same tune sung again, a little elsewhere in time and pitch), sometimes with a harmony
below or above, in a room, with an echo:

    vocals = room(pan(lead) + sum over doubles of pan(double) + sum over harmonies of pan(harmony)).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from stemtune.errors import InputError
from stemtune.recipes.default_model.bands import generator_of
from stemtune.recipes.default_model.effects import add_room, filtered, pan, saturated, to_level
from stemtune.recipes.default_model.harmony import melody_of_song
from stemtune.recipes.default_model.pieces import SAMPLE_RATE, Audio, Piece
from stemtune.recipes.default_model.scores import Note
from stemtune.recipes.default_model.singing import random_voice, sing

__all__ = ["make_vocals", "vocal_pieces"]

EXCERPT_SECONDS = 40.0
_LONGEST_NOTE_SECONDS = 6.0


@runtime_checkable
class Range(Protocol):
    """What a singer can reach, in MIDI notes."""

    @property
    def lowest_pitch(self) -> float: ...

    @property
    def highest_pitch(self) -> float: ...


def vocal_pieces(songs: Sequence[Path], *, num_pieces: int, seed: int) -> list[Piece]:
    """Pool files of vocals, each on another song."""
    return on_songs(songs, make_vocals, name="sung", draw="vocals", num_pieces=num_pieces, seed=seed)


def on_songs(
    songs: Sequence[Path],
    make: Callable[..., Mapping[str, Audio]],
    *,
    name: str,
    draw: str,
    num_pieces: int,
    seed: int,
    credit: str = "",
) -> list[Piece]:
    """Pool files called ``name``, made on songs drawn at random under the label ``draw``."""
    order = generator_of(seed, draw).permutation(len(songs))[:num_pieces]
    return [
        Piece(
            f"{name}-{songs[index].stem}",
            "pool",
            partial(make, songs[index], seed=seed),
            f"synthesised here on midi/pop909/{songs[index].name}{credit}",
            "MIT",
        )
        for index in order
    ]


def make_vocals(song: Path, *, seed: int) -> Mapping[str, Audio]:
    """An arrangement of voices on a random excerpt of a melody; stereo."""
    generator = generator_of(seed, f"sung-{song.stem}")
    try:
        melody = melody_of_song(song)
    except InputError:
        return {}
    melody = excerpt(melody, generator)
    if len(melody) < 10:
        return {}
    voice = random_voice(generator)
    notes = in_range(melody, voice)
    num_samples = round(EXCERPT_SECONDS * SAMPLE_RATE)
    mix = pan(sing(notes, num_samples, voice, generator), float(generator.normal(0, 0.1)))
    if generator.random() < 0.35:
        width = float(generator.uniform(0.3, 1.0))
        for side in (-width, width):
            again = _elsewhere(notes, generator)
            mix += pan(sing(again, num_samples, voice, generator), side) * np.float32(generator.uniform(0.3, 0.8))
    if generator.random() < 0.35:
        interval = int(generator.choice([-12, -5, -4, -3, 3, 4, 7, 12]))
        other = random_voice(generator)
        line = in_range([replace(note, pitch=note.pitch + interval) for note in _elsewhere(notes, generator)], other)
        place = float(generator.uniform(-0.8, 0.8))
        mix += pan(sing(line, num_samples, other, generator), place) * np.float32(generator.uniform(0.3, 0.8))
    return {"vocals": _produced(mix, generator)}


def _produced(mix: Audio, generator: np.random.Generator) -> Audio:
    """Compression by saturation, a presence shelf, an echo, a room."""
    if generator.random() < 0.5:
        mix = mix + filtered(mix, "highpass", 3000.0, order=1) * np.float32(generator.uniform(-0.3, 1.2))
    if generator.random() < 0.6:
        mix = saturated(mix, float(generator.uniform(-6, 9)))
    if generator.random() < 0.3:
        shift = round(generator.uniform(0.12, 0.5) * SAMPLE_RATE)
        echo = np.zeros_like(mix)
        echo[shift:] = mix[:-shift, ::-1] * np.float32(generator.uniform(0.1, 0.35))
        mix = mix + filtered(echo, "lowpass", 4000.0)
    if generator.random() < 0.75:
        decay, wet_db = float(generator.uniform(0.3, 2.5)), float(generator.uniform(-20, -6))
        mix = add_room(mix, generator, decay_seconds=decay, wet_db=wet_db)
    return to_level(mix, float(generator.normal(-21, 2)))


def excerpt(melody: Sequence[Note], generator: np.random.Generator) -> list[Note]:
    """Some seconds of a melody at another tempo, as one line without overlaps."""
    if len(melody) < 2:
        return []
    speed = float(generator.uniform(0.85, 1.15))
    latest = max(melody[-1].start_seconds - EXCERPT_SECONDS * speed, melody[0].start_seconds + 1e-3)
    start = float(generator.uniform(melody[0].start_seconds, latest))
    inside = [
        replace(
            note,
            start_seconds=(note.start_seconds - start) / speed + 0.05,
            duration_seconds=note.duration_seconds / speed,
        )
        for note in melody
        if start <= note.start_seconds < start + EXCERPT_SECONDS * speed
    ]
    ends = [note.start_seconds for note in inside[1:]] + [EXCERPT_SECONDS]
    line: list[Note] = []
    for note, end in zip(inside, ends, strict=False):
        gap = end - note.start_seconds
        if gap > 0.05:
            length = min(max(note.duration_seconds, min(gap, 0.25)), gap, _LONGEST_NOTE_SECONDS)
            line.append(replace(note, duration_seconds=length))
    return line


def _elsewhere(notes: Sequence[Note], generator: np.random.Generator) -> list[Note]:
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

"""Recorded notes: which pitch a file holds, and how long a recording is heard.

    note = fade_in * recording * fade_out, cut at the note's length.

The saxophone's file names count octaves one too low (measured by the collection's keeper), which is set right here.
"""

import re
from pathlib import Path

import numpy as np

from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio

__all__ = ["pitch_of_file", "shaped"]

_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE_NAME = re.compile(r"(?:^|-)([a-g])([sb]?)(\d)(?=[_-]|$)")


def pitch_of_file(path: Path) -> float:
    """The MIDI pitch that a file of the collection is named after."""
    match = _NOTE_NAME.search(path.stem)
    if match is None:
        raise ValueError(f"{path.name}: expected a note name such as as4 in the file name; found none")
    letter, accidental, octave = match.groups()
    pitch = 12 * (int(octave) + 1) + _SEMITONES[letter] + {"s": 1, "b": -1, "": 0}[accidental]
    return float(pitch + 12 if "_cnd" in path.stem else pitch)


def shaped(sound: Audio, note: Note, generator: np.random.Generator) -> Audio:
    """A recording cut to the length of a note, from somewhere after its attack if the note is short."""
    length = min(round((note.duration_seconds + 0.12) * SAMPLE_RATE), len(sound))
    rise, fall = round(generator.uniform(0.005, 0.05) * SAMPLE_RATE), round(0.12 * SAMPLE_RATE)
    gain = np.ones(length, dtype=np.float32)
    gain[: min(rise, length)] = np.linspace(0, 1, min(rise, length), dtype=np.float32)
    gain[-min(fall, length) :] *= np.linspace(1, 0, min(fall, length), dtype=np.float32)
    return sound[:length] * gain * np.float32(note.velocity / 127)

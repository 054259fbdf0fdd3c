"""Phrases of single recorded notes: saxophone and violins for other, choirs for vocals.

A sampled note is moved to the wanted pitch by playing it faster or slower, from the nearest note that was recorded:

    phrase = sum over notes of fade(note) * recording(nearest)[ 2^((pitch - nearest) / 12) * t ].

The saxophone's file names count octaves one too low (measured by the collection's keeper), which is set right here.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.recipes.default_model.bands import generator_of
from stemtune.recipes.default_model.effects import add_room, in_stereo, pan, process_mildly, to_level
from stemtune.recipes.default_model.harmony import Bar, arpeggio, bars_at_random, bass_line
from stemtune.recipes.default_model.hits import transposed
from stemtune.recipes.default_model.pieces import SAMPLE_RATE, Audio, Piece
from stemtune.recipes.default_model.real import Row, load_audio
from stemtune.recipes.default_model.scores import Note

__all__ = ["make_phrases", "phrase_pieces", "pitch_of_file"]

_SECONDS = 36.0
_STEM_OF_INSTRUMENT = {
    "alto_saxophone": "other",
    "violins": "other",
    "choir_female": "vocals",
    "choir_male": "vocals",
}
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE_NAME = re.compile(r"(?:^|-)([a-g])([sb]?)(\d)(?=[_-]|$)")


def phrase_pieces(rows: Sequence[Row], *, num_pieces: int, seed: int) -> list[Piece]:
    """Pool files of phrases, ``num_pieces`` of each instrument."""
    notes: dict[str, dict[Path, float]] = {}
    licences: dict[str, str] = {}
    for row in rows:
        if row.corpus == "instruments" and row.stem in _STEM_OF_INSTRUMENT:
            notes.setdefault(row.stem, {})[row.path] = pitch_of_file(row.path)
            licences[row.stem] = row.licence
    pieces: list[Piece] = []
    for instrument, samples in notes.items():
        for index in range(num_pieces):
            name = f"{instrument}-{index:03d}"
            make = partial(make_phrases, samples, instrument=instrument, name=name, seed=seed)
            pieces.append(Piece(name, "pool", make, f"instruments/{instrument}", licences[instrument]))
    return pieces


def pitch_of_file(path: Path) -> float:
    """The MIDI pitch that a file of the collection is named after."""
    match = _NOTE_NAME.search(path.stem)
    if match is None:
        raise ValueError(f"{path.name}: expected a note name such as as4 in the file name; found none")
    letter, accidental, octave = match.groups()
    pitch = 12 * (int(octave) + 1) + _SEMITONES[letter] + {"s": 1, "b": -1, "": 0}[accidental]
    return float(pitch + 12 if "_cnd" in path.stem else pitch)


def make_phrases(samples: Mapping[Path, float], *, instrument: str, name: str, seed: int) -> Mapping[str, Audio]:
    """Half a minute of melodies or chords on one instrument; stereo."""
    generator = generator_of(seed, name)
    bars = bars_at_random(_SECONDS, generator)
    pitches = sorted(samples.values())
    lowest = int(generator.integers(int(pitches[0]), max(int(pitches[-1]) - 24, int(pitches[0]) + 1)))
    style = generator.random()
    if instrument.startswith("choir") or (instrument == "violins" and style < 0.5):
        notes = _chords(bars, lowest, generator)
    elif style < 0.75:
        notes = list(arpeggio(bars, generator, lowest_pitch=lowest))
    else:
        notes = list(bass_line(bars, generator, lowest_pitch=lowest + 5))
    num_samples = round(_SECONDS * SAMPLE_RATE)
    mix = np.zeros((num_samples, 2), dtype=np.float32)
    loaded: dict[Path, Audio] = {}
    place = float(generator.uniform(-0.5, 0.5))
    for note in notes:
        nearest = min(samples, key=lambda path: (abs(samples[path] - note.pitch), generator.random()))
        if abs(samples[nearest] - note.pitch) > 5:
            continue
        if nearest not in loaded:
            loaded[nearest] = load_audio(nearest)
        sound = _shaped(transposed(loaded[nearest], note.pitch - samples[nearest]), note, generator)
        onset = round(note.start_seconds * SAMPLE_RATE)
        sound = sound[: max(num_samples - onset, 0)]
        position = min(max(place + float(generator.normal(0, 0.2)), -1.0), 1.0)
        mix[onset : onset + len(sound)] += pan(sound, position)
    if generator.random() < 0.7:
        decay, wet_db = float(generator.uniform(0.5, 2.5)), float(generator.uniform(-14, -4))
        mix = add_room(mix, generator, decay_seconds=decay, wet_db=wet_db)
    stem = _STEM_OF_INSTRUMENT[instrument]
    return {stem: to_level(in_stereo(process_mildly(mix, generator)), float(generator.normal(-21, 2)))}


def _chords(bars: Sequence[Bar], lowest: int, generator: np.random.Generator) -> list[Note]:
    """Two to four voices on every chord, with a rest now and then and voices that enter a little apart."""
    num_voices = int(generator.integers(2, 5))
    notes: list[Note] = []
    for bar in bars:
        if generator.random() < 0.12:
            continue
        for voice in range(num_voices):
            pitch = lowest + (bar.chord[voice % len(bar.chord)] - lowest) % 12 + 12 * (voice // len(bar.chord))
            late = abs(float(generator.normal(0, 0.03)))
            notes.append(Note(bar.start_seconds + late, bar.seconds * 1.05, pitch, int(generator.uniform(70, 120))))
    return notes


def _shaped(sound: Audio, note: Note, generator: np.random.Generator) -> Audio:
    """A recording cut to the length of a note, from somewhere after its attack if the note is short."""
    length = min(round((note.duration_seconds + 0.12) * SAMPLE_RATE), len(sound))
    rise, fall = round(generator.uniform(0.005, 0.05) * SAMPLE_RATE), round(0.12 * SAMPLE_RATE)
    gain = np.ones(length, dtype=np.float32)
    gain[: min(rise, length)] = np.linspace(0, 1, min(rise, length), dtype=np.float32)
    gain[-min(fall, length) :] *= np.linspace(1, 0, min(fall, length), dtype=np.float32)
    return sound[:length] * gain * np.float32(note.velocity / 127)

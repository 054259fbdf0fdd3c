"""Phrases of single recorded notes: saxophone and violins for other, choirs for vocals.

A sampled note is moved to the wanted pitch by playing it faster or slower, from the nearest note that was recorded:

    phrase = sum over notes of fade(note) * recording(nearest)[ 2^((pitch - nearest) / 12) * t ].
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import add_room, in_stereo, pan, process_mildly, to_level
from stemtune.data.rendering.harmony import Bar, arpeggio, bars_at_random, bass_line
from stemtune.data.rendering.hits import transposed
from stemtune.data.rendering.samples import pitch_of_file, shaped
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio, load_audio
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.default_model.real import Row

__all__ = ["make_phrases", "phrase_pieces"]

_SECONDS = 36.0
_STEM_OF_INSTRUMENT = {
    "alto_saxophone": "other",
    "violins": "other",
    "choir_female": "vocals",
    "choir_male": "vocals",
}


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
    mix = np.zeros((2, num_samples), dtype=np.float32)
    loaded: dict[Path, Audio] = {}
    place = float(generator.uniform(-0.5, 0.5))
    for note in notes:
        nearest = min(samples, key=lambda path: (abs(samples[path] - note.pitch), generator.random()))
        if abs(samples[nearest] - note.pitch) > 5:
            continue
        if nearest not in loaded:
            loaded[nearest] = load_audio(nearest)
        sound = shaped(transposed(loaded[nearest], note.pitch - samples[nearest]), note, generator)
        onset = round(note.start_seconds * SAMPLE_RATE)
        sound = sound[: max(num_samples - onset, 0)]
        position = min(max(place + float(generator.normal(0, 0.2)), -1.0), 1.0)
        mix[:, onset : onset + len(sound)] += pan(sound, position)
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

"""Vocal tracks: synthesised singers on the melodies of POP909, arranged as recordings of pop songs are.

A lead, sometimes doubled (the same tune sung again, a little elsewhere in time and pitch), sometimes with a harmony
below or above, in a room, with an echo:

    vocals = room(pan(lead) + sum over doubles of pan(double) + sum over harmonies of pan(harmony)).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import add_room, filtered, pan, saturated, to_level
from stemtune.data.rendering.melodies import elsewhere, excerpt, in_range
from stemtune.data.rendering.singing import random_voice, sing
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.errors import InputError
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.default_model.scores import melody_of_song

__all__ = ["make_vocals", "vocal_pieces"]

EXCERPT_SECONDS = 40.0


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
    melody = excerpt(melody, generator, seconds=EXCERPT_SECONDS)
    if len(melody) < 10:
        return {}
    voice = random_voice(generator)
    notes = in_range(melody, voice)
    num_samples = round(EXCERPT_SECONDS * SAMPLE_RATE)
    mix = pan(sing(notes, num_samples, voice, generator), float(generator.normal(0, 0.1)))
    if generator.random() < 0.35:
        width = float(generator.uniform(0.3, 1.0))
        for side in (-width, width):
            again = elsewhere(notes, generator)
            mix += pan(sing(again, num_samples, voice, generator), side) * np.float32(generator.uniform(0.3, 0.8))
    if generator.random() < 0.35:
        interval = int(generator.choice([-12, -5, -4, -3, 3, 4, 7, 12]))
        other = random_voice(generator)
        line = in_range([replace(note, pitch=note.pitch + interval) for note in elsewhere(notes, generator)], other)
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
        echo[:, shift:] = mix[::-1, :-shift] * np.float32(generator.uniform(0.1, 0.35))
        mix = mix + filtered(echo, "lowpass", 4000.0)
    if generator.random() < 0.75:
        decay, wet_db = float(generator.uniform(0.3, 2.5)), float(generator.uniform(-20, -6))
        mix = add_room(mix, generator, decay_seconds=decay, wet_db=wet_db)
    return to_level(mix, float(generator.normal(-21, 2)))

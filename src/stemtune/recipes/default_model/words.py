"""Vocals with words: the melodies of POP909 sung by Flite's speakers, a lead and now and then a second voice.

vocals = room(pan(lead) + pan(second)).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import add_room, pan, to_level
from stemtune.data.rendering.melodies import excerpt, in_range
from stemtune.data.rendering.sound import SAMPLE_RATE, Audio
from stemtune.data.rendering.words import random_speaker, sing_words
from stemtune.errors import InputError
from stemtune.recipes.default_model.pieces import Piece
from stemtune.recipes.default_model.scores import melody_of_song
from stemtune.recipes.default_model.vocals import EXCERPT_SECONDS, on_songs

__all__ = ["make_worded", "worded_pieces"]


def worded_pieces(songs: Sequence[Path], *, num_pieces: int, seed: int) -> list[Piece]:
    """Pool files of vocals with words, each on another song."""
    return on_songs(
        songs,
        make_worded,
        name="worded",
        draw="worded",
        credit=" with Flite's voices",
        num_pieces=num_pieces,
        seed=seed,
    )


def make_worded(song: Path, *, seed: int) -> Mapping[str, Audio]:
    """A lead, at times with a second voice, dry as often as in a room; stereo.

    Raises:
        InputError: if Flite is not installed.
    """
    generator = generator_of(seed, f"worded-{song.stem}")
    try:
        melody = excerpt(melody_of_song(song), generator, seconds=EXCERPT_SECONDS)
    except InputError:
        return {}
    if len(melody) < 10:
        return {}
    num_samples = round(EXCERPT_SECONDS * SAMPLE_RATE)
    speaker = random_speaker(generator)
    mix = pan(sing_words(in_range(melody, speaker), num_samples, speaker, generator), float(generator.normal(0, 0.1)))
    if generator.random() < 0.3:
        second = random_speaker(generator)
        line = sing_words(in_range(melody, second), num_samples, second, generator)
        mix += pan(line, float(generator.uniform(-0.8, 0.8))) * np.float32(generator.uniform(0.3, 0.7))
    if generator.random() < 0.5:
        decay, wet_db = float(generator.uniform(0.3, 1.8)), float(generator.uniform(-22, -8))
        mix = add_room(mix, generator, decay_seconds=decay, wet_db=wet_db)
    if not np.isfinite(mix).all():  # the vocoder can lose its footing; such a piece is not made
        return {}
    return {"vocals": to_level(mix, float(generator.normal(-21, 2)))}

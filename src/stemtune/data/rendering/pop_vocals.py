"""Vocals for pop songs: a lead, at times doubled, at times in two parts, sung on vowels, with words, or by a choir.

    vocals = room(echo(compressor(place(lead) + doubles + harmonies))).

Voices by rule and Flite's speakers are described in `tract` and `words`, sampled choirs in `voice_banks`. Speakers are
divided between the sides of the split, as soundfonts are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.choir import CHOIR_PARTS, ChoirSinger
from stemtune.data.rendering.desk import Room, compressed_gain, equalised
from stemtune.data.rendering.effects import filtered, pan
from stemtune.data.rendering.ingredients import Ingredient, synthesised
from stemtune.data.rendering.melodies import as_line, elsewhere, in_phrases, in_range
from stemtune.data.rendering.plans import Singer, TimbreSet
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.singing import VOICES, random_voice
from stemtune.data.rendering.sound import SAMPLE_RATE, active_level
from stemtune.data.rendering.tract import sing_together
from stemtune.data.rendering.words import sing_words, speaker_of

__all__ = ["Vocals", "sing_song"]

Mono = Float32[np.ndarray, "time"]
Take = Callable[[Sequence[Note]], Mono]

_MOST_WORDS = 40
_INTERVALS = (-12, -5, -4, -3, 3, 4, 5, 12)
_FLITE = Ingredient(
    name="Flite", role="voice", licence="BSD-like (Flite)", may_train_released_weights=True,
    origin="Debian package flite", attribution="Flite by Carnegie Mellon University",
)  # fmt: skip


@dataclass(frozen=True)
class Vocals:
    """A vocal stem, who sings it, and whose licences count."""

    samples: Float32[np.ndarray, "2 time"]
    singer: str
    ingredients: tuple[Ingredient, ...]


def sing_song(
    melody: Sequence[Note],
    *,
    kind: Singer,
    timbres: TimbreSet,
    choir: ChoirSinger,
    room: Room,
    num_samples: int,
    generator: np.random.Generator,
) -> Vocals:
    """The vocals of a song.

    Args:
        melody: its notes, which may overlap.
        kind: of singer.
        timbres: speakers to draw from.
        choir: sings if the kind is a choir.
        room: where the band plays.
        num_samples: length of the result.
        generator: draws singers and arrangement.
    """
    line = as_line(melody, end_seconds=num_samples / SAMPLE_RATE)
    if not line:
        return Vocals(np.zeros((2, num_samples), dtype=np.float32), "nobody", ())
    owed: dict[str, Ingredient] = {}
    singer, take = _singer(kind, timbres, choir, num_samples, generator, owed)
    mix = pan(take(line), float(generator.normal(0, 0.08))).astype(np.float32)
    arrangement = float(generator.random())
    if kind != "choir" and arrangement < (0.1 if kind == "words" else 0.25):
        width = float(generator.uniform(0.3, 1.0))
        for side in (-width, width):
            mix += pan(take(elsewhere(line, generator)), side) * np.float32(generator.uniform(0.25, 0.6))
    elif arrangement < 0.45:
        interval = int(generator.choice(_INTERVALS))
        part = [replace(note, pitch=note.pitch + interval) for note in elsewhere(line, generator)]
        _, second = _singer(kind, timbres, choir, num_samples, generator, owed)
        mix += pan(second(part), float(generator.uniform(-0.8, 0.8))) * np.float32(generator.uniform(0.3, 0.7))
    return Vocals(_produced(mix, room, generator), singer, tuple(owed.values()))


def _singer(
    kind: Singer,
    timbres: TimbreSet,
    choir: ChoirSinger,
    num_samples: int,
    generator: np.random.Generator,
    owed: dict[str, Ingredient],
) -> tuple[str, Take]:
    """A name, and somebody who sings a line as often as they are asked; who that is, is added to ``owed``."""
    if kind == "words" and timbres.speakers:
        speaker = speaker_of(timbres.speakers[int(generator.integers(len(timbres.speakers)))], generator)
        owed[speaker.voice] = _FLITE.override({"name": f"Flite {speaker.voice}"})
        return f"words {speaker.voice}", lambda line: in_phrases(
            in_range(line, speaker),
            num_samples,
            lambda notes, count: sing_words(notes, count, speaker, generator, most_words=_MOST_WORDS),
        )
    if kind == "vowels" and timbres.synthetic:
        voice = random_voice(generator)
        owed["rule"] = synthesised("voices")
        return "vowels", lambda line: in_phrases(
            in_range(line, voice),
            num_samples,
            lambda notes, count: sing_together(
                notes, num_samples=count, voice=voice, num_singers=1, generator=generator
            ),
        )
    part = str(generator.choice(CHOIR_PARTS))
    kinds = [choice for choice in choir.kinds if choice != "rule"] or list(choir.kinds)
    chosen = str(generator.choice(kinds))

    def section(line: Sequence[Note]) -> Mono:
        moved = in_range(line, VOICES[part])
        sound, ingredient = choir.sing(chosen, part, moved, num_samples=num_samples, generator=generator)
        owed[ingredient.name] = ingredient
        return sound

    return f"choir {chosen} {part}", section


def _produced(
    mix: Float32[np.ndarray, "2 time"], room: Room, generator: np.random.Generator
) -> Float32[np.ndarray, "2 time"]:
    """Tone, compression, an echo, a room."""
    mix = filtered(equalised(mix, generator, amount_db=2.5), "highpass", float(generator.uniform(60, 140)))
    level_db = 20 * float(np.log10(active_level(mix)))
    if generator.random() < 0.8:
        ratio = float(generator.uniform(1.5, 5.0))
        mix *= compressed_gain(mix, threshold_db=level_db - 3, ratio=ratio, attack_seconds=0.005)
    if generator.random() < 0.3:
        shift = round(float(generator.uniform(0.12, 0.5)) * SAMPLE_RATE)
        echo = np.zeros_like(mix)
        echo[:, shift:] = mix[::-1, :-shift] * np.float32(generator.uniform(0.08, 0.3))
        mix = mix + filtered(echo, "lowpass", 4000.0)
    return room.added(mix.astype(np.float32), wet_db=float(generator.uniform(-22, -8)))

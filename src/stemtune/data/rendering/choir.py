"""Choirs: chorales sung by sampled sections, by the choirs of soundfonts, and by voices made by rule.

    stem(part) = place(room(equaliser(section(part)))),   section = sampled | soundfont | rule | two of them.

Stems are soprano, alto, tenor and bass, or groups of them (male, female) by a mapping. Part of the songs mixes kinds of
singers between the parts, so that a network cannot tell parts by their kind alone.

References: S. Rosenzweig et al., "Dagstuhl ChoirSet", 2020 (parts and their groups).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.chorale_scores import NUM_PARTS, Grid, grid_lines, grid_seconds, read_grids
from stemtune.data.rendering.chorales import chorale_candidates, chorale_of, draw_tempo, draw_transposition
from stemtune.data.rendering.desk import draw_room, equalised, placed, to_active_level
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import in_stereo
from stemtune.data.rendering.fluidsynth import play_channels
from stemtune.data.rendering.ingredients import Ingredient, synthesised
from stemtune.data.rendering.mapping import grouped, require
from stemtune.data.rendering.performing import draw_manner, late, perform
from stemtune.data.rendering.plans import Candidate, RenderConfig, Rendering, SongPlan, Split
from stemtune.data.rendering.scores import Note
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.tract import sing_together
from stemtune.data.rendering.voice_banks import VoiceBank, read_bank, sing_from_bank
from stemtune.data.rendering.voice_lines import VOICES

__all__ = ["CHOIR_PARTS", "ChoirProducer", "ChoirSinger"]

CHOIR_PARTS = ("soprano", "alto", "tenor", "bass")
_PROGRAMS = (52, 52, 53, 53, 54)
_LEVEL_DB = -22.0
_SIZES = {"soprano": 1.03, "alto": 0.97, "tenor": 1.04, "bass": 0.97}


class ChoirSinger:
    """Sings single lines with the voices that a side of the split may use."""

    def __init__(self, config: RenderConfig, split: Split) -> None:
        self._timbres = config.timbres(split)
        self._banks = [(read_bank(voices.path), voices.ingredient) for voices in self._timbres.voices]

    @property
    def kinds(self) -> dict[str, float]:
        """The kinds of singers that there are, with their shares."""
        shares = {"soundfont": 0.35} if self._timbres.soundfonts else {}
        shares |= {"sampled": 0.4} if self._banks else {}
        return shares | ({"rule": 0.25} if self._timbres.synthetic else {})

    def sing(
        self, kind: str, part: str, line: Sequence[Note], *, num_samples: int, generator: np.random.Generator
    ) -> tuple[Float32[np.ndarray, "time"], Ingredient]:
        """One part by one kind of singers, mono and dry; and whose licence counts."""
        if kind == "sampled":
            bank, ingredient = self._bank_for(line)
            size = _SIZES[part] * float(generator.uniform(0.96, 1.04))
            humanised = late(line, generator, timing_seconds=0.012)
            return sing_from_bank(humanised, bank, num_samples=num_samples, size=size, generator=generator), ingredient
        if kind == "rule":
            number = int(generator.integers(3, 7))
            sound = sing_together(
                line, num_samples=num_samples, voice=VOICES[part], num_singers=number, generator=generator
            )
            return sound, synthesised("voices")
        font = self._timbres.soundfonts[int(generator.integers(len(self._timbres.soundfonts)))]
        manner = replace(draw_manner(generator, vibrato_semitones=0.1), timing_seconds=0.012, scoop_semitones=0.0)
        program = int(generator.choice(_PROGRAMS))
        events = perform(line, channel=0, program=program, manner=manner, generator=generator)
        sound = play_channels(events, soundfont=font.path, num_channels=1, num_samples=num_samples)
        return sound[0].mean(axis=0), font.ingredient

    def _bank_for(self, line: Sequence[Note]) -> tuple[VoiceBank, Ingredient]:
        """The voices whose recordings lie nearest to a line."""

        def distance(bank: VoiceBank) -> float:
            pitches = np.array(list(bank.recordings))
            return float(np.mean([np.abs(pitches - note.pitch).min() for note in line])) if line else 0.0

        return min(self._banks, key=lambda pair: distance(pair[0]))


class ChoirProducer:
    """Chorales as choirs sing them."""

    def __init__(self, config: RenderConfig) -> None:
        self.config = config
        if config.mapping:
            config.mapping.check_parts(CHOIR_PARTS)
        self._singers: dict[Split, ChoirSinger] = {}

    @cached_property
    def _grids(self) -> list[dict[str, tuple[Grid, ...]]]:
        return [read_grids(source.path) for source in self.config.sources]

    def candidates(self) -> Sequence[Candidate]:
        """Every chorale."""
        return chorale_candidates(self.config)

    def plan(self, candidate: Candidate, split: Split) -> SongPlan:
        """How long it takes at its tempo."""
        seconds = grid_seconds(chorale_of(self._grids, candidate), draw_tempo(self.config, candidate.name))
        return SongPlan(
            name=candidate.name, split=split, source=candidate.source, locator=candidate.locator,
            seconds=min(seconds, self.config.max_seconds),
        )  # fmt: skip

    def render(self, plan: SongPlan) -> Rendering:
        """Four sections in one church, or in a studio."""
        generator = generator_of(self.config.seed, plan.name)
        tempo, shift = draw_tempo(self.config, plan.name), draw_transposition(generator)
        lines = grid_lines(chorale_of(self._grids, plan), tempo, generator)
        num_samples = round(plan.seconds * SAMPLE_RATE)
        singer = self._singers.setdefault(plan.split, ChoirSinger(self.config, plan.split))
        kinds, shares = list(singer.kinds), np.array(list(singer.kinds.values()))
        main = str(generator.choice(kinds, p=shares / shares.sum()))
        mixed = generator.random() < 0.25
        room = draw_room(generator, shortest_seconds=0.5, longest_seconds=4.0)
        wet_db, spread = float(generator.uniform(-18, -3)), float(generator.uniform(0.1, 0.9))
        seats = generator.permutation(np.linspace(-1, 1, NUM_PARTS))
        parts: dict[str, Float32[np.ndarray, "2 time"]] = {}
        ingredients = {self.config.sources[plan.source].ingredient}
        chosen: dict[str, str] = {}
        for number, part in enumerate(CHOIR_PARTS):
            line = [replace(note, pitch=note.pitch + shift) for note in lines[number]]
            chosen[part] = str(generator.choice(kinds, p=shares / shares.sum())) if mixed else main
            sound, ingredient = singer.sing(chosen[part], part, line, num_samples=num_samples, generator=generator)
            ingredients.add(ingredient)
            sound = to_active_level(
                equalised(sound, generator, amount_db=2.5), _LEVEL_DB + float(generator.normal(0, 2.0))
            )
            stereo = placed(in_stereo(sound), position=spread * float(seats[number]))
            parts[part] = room.added(stereo, wet_db=wet_db + float(generator.normal(0, 1.5)))
        details: dict[str, str | float | int] = {
            "tempo": round(tempo, 1), "transposition": shift, "room_seconds": round(room.decay_seconds, 2),
            **{f"voice {part}": kind for part, kind in chosen.items()},
        }  # fmt: skip
        ordered = tuple(sorted(ingredients, key=lambda ingredient: ingredient.name))
        stems = grouped(parts, self.config.mapping)
        require(plan.name, stems, self.config.mapping)
        return Rendering(stems, ordered, details)

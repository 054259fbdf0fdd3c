"""Bach's chorales on four instruments: a corpus in the manner of Bach10, of any length.

    stem(part) = place(room(equaliser(instrument(performance(part))))),   levels balanced, a few decibels apart.

Tempo, key, players, room, seats and levels are drawn per song. The four parts keep their order: the first instrument
plays the soprano. Instruments that cannot reach a part's notes play it an octave away.

References: Z. Duan and B. Pardo, Bach10 data set (violin, clarinet, saxophone, bassoon), 2012.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.chorale_scores import NUM_PARTS, Grid, grid_lines, grid_seconds, read_grids
from stemtune.data.rendering.desk import draw_room, equalised, placed, to_active_level
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.effects import in_stereo
from stemtune.data.rendering.fluidsynth import play_channels
from stemtune.data.rendering.ingredients import of_soundfont
from stemtune.data.rendering.instruments import Instrument, find_instrument, fitting_octaves
from stemtune.data.rendering.mapping import grouped, require
from stemtune.data.rendering.performing import draw_manner, perform
from stemtune.data.rendering.plans import Candidate, RenderConfig, Rendering, SongPlan, Split
from stemtune.data.rendering.scores import Event
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.errors import ConfigError, InputError

__all__ = ["ChoraleProducer", "chorale_candidates", "chorale_of", "draw_tempo", "draw_transposition"]

_SPLIT_NAMES: dict[str, Split] = {"train": "train", "valid": "valid", "test": "test"}
_LEVEL_DB = -24.0


def chorale_candidates(config: RenderConfig) -> list[Candidate]:
    """Every chorale of the sources.

    Raises:
        InputError: if there is none.
    """
    found = [
        Candidate(f"chorale-{split}-{index:03d}", number, f"{split}/{index}", _SPLIT_NAMES[split])
        for number, source in enumerate(config.sources)
        for split, grids in read_grids(source.path).items()
        for index in range(len(grids))
    ]
    if not found:
        raise InputError(f"{config.sources[0].path}: expected chorales; it holds none")
    return found


def chorale_of(grids: Sequence[dict[str, tuple[Grid, ...]]], plan: SongPlan | Candidate) -> Grid:
    """The score that a plan or a candidate means."""
    split, _, index = plan.locator.partition("/")
    return grids[plan.source][split][int(index)]


def draw_tempo(config: RenderConfig, name: str) -> float:
    """Quarter notes a minute."""
    return float(generator_of(config.seed, f"{name}/tempo").uniform(58, 104))


def draw_transposition(generator: np.random.Generator) -> int:
    """Semitones."""
    return int(generator.integers(-4, 5))


class ChoraleProducer:
    """Chorales as four instruments play them."""

    def __init__(self, config: RenderConfig) -> None:
        if len(config.instruments) != NUM_PARTS or len(set(config.instruments)) != NUM_PARTS:
            raise ConfigError(
                f"chorales have four parts: expected four different instruments; got {', '.join(config.instruments)}"
            )
        if config.mapping:
            config.mapping.check_parts(config.instruments)
        self.config = config
        self._instruments: dict[str, Instrument] = {name: find_instrument(name) for name in config.instruments}

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
        """Four instruments in one room."""
        generator = generator_of(self.config.seed, plan.name)
        tempo = draw_tempo(self.config, plan.name)
        shift = draw_transposition(generator)
        lines = grid_lines(chorale_of(self._grids, plan), tempo, generator)
        fonts = self.config.timbres(plan.split).soundfonts
        soundfont = fonts[int(generator.integers(len(fonts)))]
        events: list[Event] = []
        programs: dict[str, int] = {}
        for channel, (name, instrument) in enumerate(self._instruments.items()):
            line = lines[channel]
            pitches = [note.pitch + shift for note in line] or [60]
            moved = shift + fitting_octaves(instrument, min(pitches), max(pitches))
            programs[name] = int(generator.choice(instrument.programs))
            manner = draw_manner(generator, vibrato_semitones=instrument.vibrato_semitones)
            line = [replace(note, pitch=note.pitch + moved) for note in line]
            events += perform(line, channel=channel, program=programs[name], manner=manner, generator=generator)
        events.sort(key=lambda event: event.seconds)
        num_samples = round(plan.seconds * SAMPLE_RATE)
        dry = play_channels(events, soundfont=soundfont.path, num_channels=NUM_PARTS, num_samples=num_samples)
        room = draw_room(generator, shortest_seconds=0.3, longest_seconds=3.0)
        wet_db, spread = float(generator.uniform(-20, -5)), float(generator.uniform(0.1, 0.8))
        seats = generator.permutation(np.linspace(-1, 1, NUM_PARTS))
        stems: dict[str, Float32[np.ndarray, "2 time"]] = {}
        for channel, name in enumerate(self._instruments):
            sound = equalised(dry[channel].mean(axis=0), generator, amount_db=2.5)
            sound = to_active_level(sound, _LEVEL_DB + float(generator.normal(0, 2.5)))
            sound = placed(in_stereo(sound), position=spread * float(seats[channel]))
            stems[name] = room.added(sound, wet_db=wet_db + float(generator.normal(0, 2)))
        details = {"tempo": round(tempo, 1), "transposition": shift, "room_seconds": round(room.decay_seconds, 2)}
        details |= {f"program {name}": number for name, number in programs.items()}
        ingredients = (self.config.sources[plan.source].ingredient, of_soundfont(soundfont.path))
        stems = grouped(stems, self.config.mapping)
        require(plan.name, stems, self.config.mapping)
        return Rendering(stems, ingredients, {**details, "soundfont": soundfont.path.name})

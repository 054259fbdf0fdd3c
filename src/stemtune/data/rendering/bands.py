"""Full bands from MIDI files: every instrument by itself, grouped into stems by a mapping, mixed anew for each song.

    song = mixdown(band(excerpt of score at another tempo, in another key, on other instruments)).

Any folder of General MIDI files works. Excerpt, tempo, key, instruments, drum kit, room, places and levels are drawn
per song; a third of the songs become electronic music: synthesised basses, drum machines, a side-chain.
"""

from collections.abc import Container, Sequence
from functools import cached_property

from stemtune.data.rendering.band_playing import play_band, side_chained
from stemtune.data.rendering.desk import draw_room
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.drum_kits import scan_kits
from stemtune.data.rendering.effects import filtered
from stemtune.data.rendering.mapping import StemMapping, load_mapping, require
from stemtune.data.rendering.midi_parts import MidiPart, excerpt_of, lively_start, read_parts
from stemtune.data.rendering.mixdown import mixed_down
from stemtune.data.rendering.oneshots import Recordings
from stemtune.data.rendering.plans import Candidate, RenderConfig, Rendering, SongPlan, Split
from stemtune.data.rendering.sound import SAMPLE_RATE
from stemtune.data.rendering.sources import midi_files
from stemtune.errors import InputError

__all__ = ["LOWEST_HZ", "BandProducer"]

LOWEST_HZ = 22.0
"""What lies below is cut: some samples of the soundfonts have an offset."""

_SHORTEST_SECONDS = 10.0
_TAIL_SECONDS = 1.0
_ELECTRONIC_PROBABILITY = {"any": 0.33, "band": 0.0, "electronic": 1.0}
_SIDE_CHAIN_PROBABILITY = 0.6


class BandProducer:
    """MIDI files as bands play them."""

    def __init__(self, config: RenderConfig) -> None:
        self.config = config
        self._mapping: StemMapping = config.mapping or load_mapping("musdb")

    @cached_property
    def _recordings(self) -> dict[str, Recordings]:
        return scan_kits(self.config.learn) | scan_kits(self.config.judge)

    def candidates(self) -> Sequence[Candidate]:
        """Every MIDI file."""
        found: dict[str, Candidate] = {}
        for number, source in enumerate(self.config.sources):
            root = source.path if source.path.is_dir() else source.path.parent
            for path in midi_files(source.path):
                name = _free_name(f"{source.ingredient.name}-{path.stem}", found)
                found[name] = Candidate(name, number, path.relative_to(root).as_posix())
        return list(found.values())

    def plan(self, candidate: Candidate, split: Split) -> SongPlan:
        """How long the excerpt is, if the file has what the mapping requires."""
        parts = self._parts(candidate.source, candidate.locator)
        stems = {self._stem_of(part) for part in parts}
        missing = [stem for stem in self._mapping.required if stem not in stems]
        if missing or stems == {None}:
            lacks = (
                f"for the stem {missing[0]}, which the mapping requires" if missing else "for any stem of the mapping"
            )
            raise InputError(f"{candidate.locator}: has nothing {lacks}")
        used = [part for part in parts if self._stem_of(part) is not None]
        last = max(note.start_seconds + note.duration_seconds for part in used for note in part.notes)
        seconds = min(last / self._speed(candidate.name) + _TAIL_SECONDS, self.config.max_seconds)
        if seconds < _SHORTEST_SECONDS:
            raise InputError(f"{candidate.locator}: lasts {seconds:.1f} s; expected at least {_SHORTEST_SECONDS:.0f} s")
        return SongPlan(
            name=candidate.name, split=split, source=candidate.source, locator=candidate.locator, seconds=seconds
        )

    def render(self, plan: SongPlan) -> Rendering:
        """An excerpt of a score, played and mixed."""
        generator = generator_of(self.config.seed, plan.name)
        speed = self._speed(plan.name)
        timbres = self.config.timbres(plan.split)
        parts = {_key(part): part for part in self._parts(plan.source, plan.locator) if self._stem_of(part) is not None}
        stem_of = {key: str(self._stem_of(part)) for key, part in parts.items()}
        groups = [
            [note for key in parts if stem_of[key] == stem for note in parts[key].notes] for stem in self._mapping.stems
        ]
        start = lively_start(groups, seconds=plan.seconds * speed, generator=generator)
        parts = {key: excerpt_of(part, start=start, seconds=plan.seconds, speed=speed) for key, part in parts.items()}
        parts = {key: part for key, part in parts.items() if part.notes}
        electronic = bool(generator.random() < _ELECTRONIC_PROBABILITY[self.config.style])
        room = draw_room(generator, shortest_seconds=0.2, longest_seconds=2.5)
        sound = play_band(
            parts, stem_of, timbres, self._recordings, stems=tuple(self._mapping.stems), room=room,
            num_samples=round(plan.seconds * SAMPLE_RATE), electronic=electronic, generator=generator,
        )  # fmt: skip
        stems = sound.stems
        if electronic and generator.random() < _SIDE_CHAIN_PROBABILITY:
            stems = side_chained(stems, parts, generator)
        stems = {stem: filtered(samples, "highpass", LOWEST_HZ) for stem, samples in stems.items()}
        require(plan.name, stems, self._mapping)
        details: dict[str, str | float | int] = {
            "style": "electronic" if electronic else "band", "speed": round(speed, 3), "start_seconds": round(start, 2),
            "room_seconds": round(room.decay_seconds, 2), "kit": sound.kit,
            "programs": " ".join(f"{key}:{number}" for key, number in sound.programs.items()),
        }  # fmt: skip
        ingredients = (self.config.sources[plan.source].ingredient, *sound.ingredients.values())
        return Rendering(mixed_down(stems, generator), ingredients, details)

    def _parts(self, source: int, locator: str) -> tuple[MidiPart, ...]:
        root = self.config.sources[source].path
        return read_parts((root if root.is_dir() else root.parent) / locator)

    def _stem_of(self, part: MidiPart) -> str | None:
        return self._mapping.stem_of_program(
            part.program, is_drums=part.is_drums, track_name=part.name, pitch=part.pitch, is_line=part.is_line
        )

    def _speed(self, name: str) -> float:
        return float(generator_of(self.config.seed, f"{name}/speed").uniform(0.9, 1.1))


def _key(part: MidiPart) -> str:
    return f"{part.channel}/{part.program}"


def _free_name(wanted: str, taken: Container[str]) -> str:
    """A name for a folder that no other song has."""
    name = "".join(letter if letter.isalnum() or letter in "-_.+()&" else "_" for letter in wanted).strip(".") or "song"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free

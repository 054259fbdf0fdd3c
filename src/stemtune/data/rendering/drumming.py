"""Drum performances with kick, snare, cymbals and toms as stems: human timing and dynamics on ever other kits.

stem(part) = room(tape(equaliser(kit(part)))),   the kit as a whole brought to a common level.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from stemtune.data.rendering.desk import Room, draw_room, equalised, tamed
from stemtune.data.rendering.draws import generator_of
from stemtune.data.rendering.drum_kits import draw_drum_sound, scan_kits
from stemtune.data.rendering.drum_map import DRUM_PARTS, Hit
from stemtune.data.rendering.groove import Performance, list_performances, read_hits
from stemtune.data.rendering.mapping import grouped, load_mapping, require
from stemtune.data.rendering.oneshots import Recordings
from stemtune.data.rendering.plans import Candidate, RenderConfig, Rendering, SongPlan, Split
from stemtune.data.rendering.sound import SAMPLE_RATE, active_level
from stemtune.errors import InputError

__all__ = ["DrumProducer", "processed_drums", "summed_drums"]

Stereo = Float32[np.ndarray, "2 time"]

_SHORTEST_SECONDS = 5.0
_TAIL_SECONDS = 1.5
_LEVEL_DB = -18.0
_BALANCE_DB = {"kick": 0.0, "snare": -1.0, "cymbals": -8.0, "toms": 0.0, "percussion": -6.0}
_BALANCE_SPREAD_DB = 2.5
_BALANCING = 0.7  # how much of a kit's own imbalance an engineer removes
_WET_DB = {"kick": -26.0, "snare": -15.0, "cymbals": -18.0, "toms": -15.0, "percussion": -15.0}


def processed_drums(
    parts: Mapping[str, Stereo], generator: np.random.Generator, *, room: Room | None = None
) -> dict[str, Stereo]:
    """The parts of a kit as an engineer leaves them: their balance, tone, saturation and room.

    Args:
        parts: dry and stereo.
        generator: draws everything.
        room: where the kit stands; drawn if None.

    Returns:
        Every part; their sum has a common level where it sounds.
    """
    space = room or draw_room(generator, shortest_seconds=0.15, longest_seconds=1.4)
    treated, wet_db = _treated(parts, generator)
    result = {part: space.added(sound, wet_db=wet_db[part]) for part, sound in treated.items()}
    total = sum(result.values(), start=np.zeros((1, 1), dtype=np.float32))
    level = active_level(total)
    gain = np.float32(10 ** (_LEVEL_DB / 20) / level if level > 1e-5 else 0.0)
    return {part: sound * gain for part, sound in result.items()}


def summed_drums(
    parts: Mapping[str, Stereo], generator: np.random.Generator, *, room: Room, num_samples: int
) -> Stereo:
    """The same as one stem, with one room for all, which takes a quarter of the time."""
    treated, wet_db = _treated(parts, generator)
    total = np.zeros((2, num_samples), dtype=np.float32)
    sends = np.zeros((2, num_samples), dtype=np.float32)
    for part, sound in treated.items():
        total += sound
        sends += sound * np.float32(10 ** (wet_db[part] / 20))
    return total + room.tail(sends)


def _treated(parts: Mapping[str, Stereo], generator: np.random.Generator) -> tuple[dict[str, Stereo], dict[str, float]]:
    """Every part with its level and tone, and how loud it shall be in the room, in dB."""
    wetness = float(generator.uniform(-8, 6))
    result: dict[str, Stereo] = {}
    for part, dry in parts.items():
        sound = equalised(dry, generator, amount_db=2.5)
        wanted_db = _LEVEL_DB + _BALANCE_DB[part] + float(generator.normal(0, _BALANCE_SPREAD_DB))
        off_db = wanted_db - 20 * float(np.log10(active_level(sound)))
        sound = sound * np.float32(10 ** ((off_db * _BALANCING if off_db < 60 else 0.0) / 20))
        result[part] = tamed(sound.astype(np.float32), headroom=float(generator.uniform(0.6, 1.6)))
    return result, {part: _WET_DB[part] + wetness for part in parts}


class DrumProducer:
    """Performances on kits."""

    def __init__(self, config: RenderConfig) -> None:
        self.config = config
        self._mapping = config.mapping or load_mapping("drums")
        self._mapping.check_parts(DRUM_PARTS)

    @cached_property
    def _performances(self) -> dict[tuple[int, str], Performance]:
        return {
            (number, performance.locator): performance
            for number, source in enumerate(self.config.sources)
            for performance in list_performances(source.path)
        }

    @cached_property
    def _recordings(self) -> dict[str, Recordings]:
        return scan_kits(self.config.learn) | scan_kits(self.config.judge)

    def candidates(self) -> Sequence[Candidate]:
        """Every performance."""
        return [
            Candidate(_name(locator), number, locator, performance.split)
            for (number, locator), performance in self._performances.items()
        ]

    def plan(self, candidate: Candidate, split: Split) -> SongPlan:
        """How long the excerpt is."""
        hits = self._hits(candidate.source, candidate.locator)
        seconds = min(hits[-1].seconds / self._speed(candidate.name) + _TAIL_SECONDS, self.config.max_seconds)
        if seconds < _SHORTEST_SECONDS:
            raise InputError(
                f"{candidate.locator}: shorter than {_SHORTEST_SECONDS:.0f} s, which is a fill, not a song"
            )
        return SongPlan(
            name=candidate.name, split=split, source=candidate.source, locator=candidate.locator, seconds=seconds
        )

    def render(self, plan: SongPlan) -> Rendering:
        """An excerpt of a performance on a random kit."""
        generator = generator_of(self.config.seed, plan.name)
        speed = self._speed(plan.name)
        hits = [Hit(h.seconds / speed, h.note, h.velocity) for h in self._hits(plan.source, plan.locator)]
        latest = max(hits[-1].seconds + _TAIL_SECONDS - plan.seconds, 0.0)
        start = float(generator.uniform(0, latest)) if latest > 0 else 0.0
        hits = [Hit(h.seconds - start + 0.05, h.note, h.velocity) for h in hits if h.seconds >= start]
        num_samples = round(plan.seconds * SAMPLE_RATE)
        timbres = self.config.timbres(plan.split)
        electronic = bool(generator.random() < 0.2)
        sound = draw_drum_sound(
            hits, timbres, self._recordings, num_samples=num_samples, generator=generator, electronic=electronic
        )
        stems = grouped(processed_drums(sound.parts, generator), self._mapping)
        require(plan.name, stems, self._mapping)
        performance = self._performances[plan.source, plan.locator]
        source = self.config.sources[plan.source].ingredient
        details: dict[str, str | float | int] = {"kit": sound.kit, "speed": round(speed, 3), "style": performance.style}
        return Rendering(stems, (source, sound.ingredient), details)

    def _hits(self, source: int, locator: str) -> list[Hit]:
        return read_hits(self._performances[source, locator].path)

    def _speed(self, name: str) -> float:
        return float(generator_of(self.config.seed, f"{name}/speed").uniform(0.92, 1.08))


def _name(locator: str) -> str:
    """``groove/drummer1/session1/1_funk_80_beat_4-4.mid`` as a name of a folder."""
    words = locator.removesuffix(".midi").removesuffix(".mid").split("/")
    return "-".join(word.replace(" ", "_") for word in words[-3:])

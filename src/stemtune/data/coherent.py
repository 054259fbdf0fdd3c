"""Coherent examples: the stems of one song as they sound together.

    source_i(t) = augment_i(stem_i(start + shift_i + t / (speed, stretch))),   start, speed, stretch, pitch in common.

First an excerpt is drawn, without a file being opened (unless active passages are asked for); each of its sources can
then be read by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from stemtune.data import augment
from stemtune.data.augment import Augmentation
from stemtune.data.chance import Chance, Purpose
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.mixing_config import MixingConfig
from stemtune.data.segments import Pool, draw_start, level_db
from stemtune.data.tracks import Track

__all__ = ["Excerpt", "Part", "choose", "draw_excerpt", "read_part"]


@dataclass(frozen=True)
class Part:
    """One source, as drawn: its stem, and what becomes of it."""

    stem: str
    augmentation: Augmentation


@dataclass(frozen=True)
class Excerpt:
    """A coherent example, as drawn.

    Attributes:
        track: of which song.
        start_seconds: from where on.
        parts: one for each place on the stem axis; None where the song has nothing to offer.
    """

    track: Track
    start_seconds: float
    parts: tuple[Part | None, ...]


def draw_excerpt(config: MixingConfig, songs: Pool, reader: ExcerptReader, chance: Chance) -> Excerpt:
    """Draw a song, what happens to its stems, and a place in it."""
    track = songs.draw(chance.main)
    more = chance.side(Purpose.AUGMENT)
    drawn = [augment.draw(config.augmentation, chance.main, more=more) for _ in config.stem_names]
    parts = tuple(
        None if stem is None else Part(stem, augment.together(augmentation, drawn[0]))
        for stem, augmentation in zip(_stems(config, track, chance), drawn, strict=True)
    )
    needed = augment.num_source_samples(drawn[0], config.num_samples, sample_rate=config.sample_rate)
    duration = needed / config.sample_rate + config.augmentation.shift_seconds
    start = draw_start(track, chance.main, duration_seconds=duration)
    if config.min_active:
        start = _active_start(config, reader, Excerpt(track, start, parts), duration, chance.side(Purpose.START))
    return Excerpt(track, start, parts)


def read_part(
    config: MixingConfig, reader: ExcerptReader, excerpt: Excerpt, part: Part, *, out: Float[Tensor, "channel time"]
) -> Float[Tensor, "channel time"]:
    """Read and augment one source; into ``out`` if nothing is to be changed about it."""
    needed = augment.num_source_samples(part.augmentation, config.num_samples, sample_rate=config.sample_rate)
    samples = reader.read(
        excerpt.track.stems[part.stem],
        start_seconds=excerpt.start_seconds + part.augmentation.shift_seconds,
        num_samples=needed,
        out=out if needed == config.num_samples else None,
    )
    return augment.apply(part.augmentation, samples, num_samples=config.num_samples, sample_rate=config.sample_rate)


def choose(config: MixingConfig, there: Sequence[str], chance: Chance) -> list[str]:
    """Which of the stems that are there an example gets: all, or as many as are drawn, in the same order."""
    width = min(len(there), len(config.stem_names))
    if config.num_stems is None and width == len(there):
        return list(there)
    low, high = config.num_stems or (width, width)
    generator = chance.side(Purpose.STEMS)
    count = int(generator.integers(min(low, width), min(high, width) + 1))
    return [there[int(index)] for index in sorted(generator.permutation(len(there))[:count])]


def _stems(config: MixingConfig, track: Track, chance: Chance) -> list[str | None]:
    """The stem at each place of the axis: named ones at their own, others from the first place on."""
    if isinstance(config.stems, str):
        chosen = choose(config, sorted(track.stems), chance)
        return [*chosen, *[None] * (config.max_stems - len(chosen))]
    chosen = choose(config, [stem for stem in config.stems if stem in track.stems], chance)
    return [stem if stem in chosen else None for stem in config.stems]


def _active_start(
    config: MixingConfig,
    reader: ExcerptReader,
    excerpt: Excerpt,
    duration_seconds: float,
    generator: np.random.Generator,
) -> float:
    """A start from which enough of the stems are heard, or the best of all tries."""
    stems = [part.stem for part in excerpt.parts if part is not None]
    start = best = excerpt.start_seconds
    most = -1
    for number in range(config.tries):
        if number:
            start = draw_start(excerpt.track, generator, duration_seconds=duration_seconds)
        active = sum(
            level_db(reader.read(excerpt.track.stems[stem], start_seconds=start, num_samples=config.num_samples))
            >= config.min_level_db
            for stem in stems
        )
        if active > most:
            most, best = active, start
        if active >= min(config.min_active, len(stems)):
            break
    return best

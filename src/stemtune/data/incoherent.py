"""Incoherent examples: every stem from a recording of its own, at a time and a speed of its own.

    source_i(t) = level_i augment_i(stem_i of song_i(start_i + t / (speed_i, stretch_i))),   all of them independent.

Where a stem is silent for a while, another place in the same recording is tried.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from stemtune.data import augment
from stemtune.data.chance import Chance, Purpose
from stemtune.data.coherent import choose
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.mixing_config import MixingConfig
from stemtune.data.provenance import Place
from stemtune.data.segments import Pool, find_active, level_db
from stemtune.data.stock import Stock

__all__ = ["Stranger", "draw_sources"]


@dataclass(frozen=True)
class Stranger:
    """One source, and where it comes from."""

    samples: Float[Tensor, "channel time"]
    place: Place


def draw_sources(config: MixingConfig, stock: Stock, reader: ExcerptReader, chance: Chance) -> list[Stranger | None]:
    """One source for each place on the stem axis; None where there is none."""
    more = chance.side(Purpose.AUGMENT)
    sources: list[Stranger | None] = []
    for place in _places(config, stock, chance):
        if place is None:
            sources.append(None)
            continue
        stem, pool = place
        augmentation = augment.draw(config.augmentation, chance.main, more=more)
        track = pool.draw(chance.main)
        found = find_active(
            reader,
            track,
            stem,
            chance.main,
            num_samples=augment.num_source_samples(augmentation, config.num_samples, sample_rate=config.sample_rate),
            min_level_db=config.min_level_db,
            tries=config.tries,
        )
        source = augment.apply(
            augmentation, found.samples, num_samples=config.num_samples, sample_rate=config.sample_rate
        )
        levelled = _levelled(config, source, float(chance.main.random()))
        sources.append(Stranger(levelled, Place(track.stems[stem], found.start_seconds)))
    return sources


def _places(config: MixingConfig, stock: Stock, chance: Chance) -> list[tuple[str, Pool] | None]:
    """The stem and its pool at each place of the axis."""
    absent = chance.main.random(len(config.stem_names)) < config.absent_probability
    if absent.all():
        absent[int(chance.main.integers(len(absent)))] = False
    pools = stock.programmes[0] if len(stock.programmes) == 1 else stock.programme(chance.side(Purpose.CORPUS))
    chosen = choose(config, list(pools), chance)
    names = [*chosen, *[None] * (len(absent) - len(chosen))] if isinstance(config.stems, str) else list(config.stems)
    kept = [stem if stem in chosen and not gone else None for stem, gone in zip(names, absent, strict=True)]
    if not any(kept):
        kept = [stem if stem in chosen else None for stem in names]
    return [None if stem is None else (stem, pools[stem]) for stem in kept]


def _levelled(
    config: MixingConfig, source: Float[Tensor, "channel time"], drawn: float
) -> Float[Tensor, "channel time"]:
    """Bring a source to its drawn level; what is nearly silent stays so."""
    if config.levels_db is None or (level := level_db(source)) < config.min_level_db:
        return source
    low, high = config.levels_db
    return source * 10 ** ((low + (high - low) * drawn - level) / 20)

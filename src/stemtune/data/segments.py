"""Drawing a segment: which recording, and where in it.

Recordings are drawn in proportion to the weight of their corpus and to their length; the start is uniform. Stems are
silent for long stretches of real songs, so a start whose segment stays below a level is drawn again a few times:

    p(track) = weight(corpus) * duration(track) / duration(corpus).
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from stemtune.config import Frozen
from stemtune.data.datasets import Layout, open_dataset
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.tracks import Track
from stemtune.errors import ConfigError, InputError
from stemtune.types import StemSet

__all__ = ["Active", "Corpus", "Pool", "draw_start", "find_active", "level_db", "open_corpora", "rename_stems"]


class Corpus(Frozen):
    """A data set to learn from, and how much of what is heard comes from it."""

    path: str = Field(description="a folder or a CSV, see `stemtune.data.datasets.open_dataset`")
    split: str | None = None
    layout: Layout | None = None
    pattern: str = Field(default="*", description="shell pattern that the names of the tracks must match")
    mapping: dict[str, str | None] | str | None = Field(
        default=None,
        description='new names of stems, such as {"guitar": "other"}: what gets the same name is added, what gets none '
        "(null) is left out, what is not named stays; or a mapping file, see `stemtune.data.datasets.open_dataset`",
    )
    weight: float = Field(default=1.0, gt=0, description="relative share of the draws, for each stem that it has")


@dataclass(frozen=True)
class Pool:
    """Tracks with the probability of drawing each (summing to one)."""

    tracks: tuple[Track, ...]
    probabilities: tuple[float, ...]

    @staticmethod
    def of(corpora: Sequence[tuple[Corpus, Sequence[Track]]]) -> "Pool":
        """Weigh tracks by corpus and duration; corpora without tracks are left out."""
        tracks: list[Track] = []
        weights: list[float] = []
        for corpus, members in corpora:
            duration = sum(track.duration_seconds for track in members)
            for track in members:
                tracks.append(track)
                weights.append(corpus.weight * track.duration_seconds / duration)
        total = sum(weights)
        return Pool(tuple(tracks), tuple(weight / total for weight in weights))

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        cumulative = np.cumsum(self.probabilities)
        return cumulative / cumulative[-1]

    def draw(self, generator: np.random.Generator) -> Track:
        """One track; takes one random value."""
        return self.tracks[int(np.searchsorted(self._cumulative, generator.random(), side="right"))]

    @property
    def longest_seconds(self) -> float:
        """How long its longest track is."""
        return max(track.duration_seconds for track in self.tracks)


def open_corpora(corpora: Sequence[Corpus]) -> tuple[tuple[Corpus, tuple[Track, ...]], ...]:
    """The tracks of each corpus whose names match its pattern, with their stems as the corpus names them.

    Raises:
        InputError: if a corpus has no such track.
        ConfigError: if a mapping names a stem that none of them has.
    """
    opened: list[tuple[Corpus, tuple[Track, ...]]] = []
    for corpus in corpora:
        names = corpus.mapping if isinstance(corpus.mapping, dict) else None
        file = corpus.mapping if isinstance(corpus.mapping, str) else None
        everything = open_dataset(corpus.path, split=corpus.split, layout=corpus.layout, mapping=file)
        tracks = tuple(track for track in everything if fnmatch.fnmatch(track.name, corpus.pattern))
        if not tracks:
            raise InputError(
                f"{corpus.path}: none of its {len(everything)} tracks matches {corpus.pattern!r}; "
                f"they are named like {everything[0].name!r}"
            )
        opened.append((corpus, rename_stems(tracks, names, origin=corpus.path) if names else tracks))
    return tuple(opened)


def rename_stems(tracks: Sequence[Track], mapping: Mapping[str, str | None], *, origin: str) -> tuple[Track, ...]:
    """The same tracks with other names for some stems; stems of the same name are added, those without are left out.

    A stem that nobody took apart, ``bass+other``, gets a name of its own again: that of its parts if they share one.

    Raises:
        ConfigError: if the mapping names a stem that none of the tracks has, or leaves nothing.
    """
    there = {part for track in tracks for stem in track.stems for part in (stem, *stem.split("+"))}
    if unknown := [stem for stem in mapping if stem not in there]:
        raise ConfigError(
            f"{origin}: the mapping names a stem {unknown[0]!r} that no track has; the stems are: "
            f"{', '.join(sorted(there))}"
        )
    renamed = [_rename(track, mapping) for track in tracks]
    if not any(renamed):
        raise ConfigError(f"{origin}: the mapping leaves no stem of {', '.join(sorted(there))}; give one a name")
    return tuple(track for track in renamed if track is not None)


def _rename(track: Track, mapping: Mapping[str, str | None]) -> Track | None:
    stems: dict[str, tuple[Path, ...]] = {}
    for old, paths in track.stems.items():
        new = mapping[old] if old in mapping else _joined({mapping.get(part, part) for part in old.split("+")})
        if new is not None:
            stems[new] = (*stems.get(new, ()), *paths)
    if not stems:
        return None
    is_all = sum(map(len, stems.values())) == sum(map(len, track.stems.values()))
    return replace(track, stems=StemSet(stems), mixture=track.mixture if is_all else None)


def _joined(names: set[str | None]) -> str | None:
    """One name for what is not taken apart; none if a part of it is to be left out."""
    return None if None in names else "+".join(sorted(name for name in names if name))


@dataclass(frozen=True)
class Active:
    """A segment of a stem, and where in its recording it begins."""

    samples: Float[Tensor, "channel time"]
    start_seconds: float


def find_active(
    reader: ExcerptReader,
    track: Track,
    stem: str,
    generator: np.random.Generator,
    *,
    num_samples: int,
    min_level_db: float,
    tries: int,
) -> Active:
    """A random segment of one stem, the loudest of up to ``tries`` draws if all stay below ``min_level_db``."""
    best: tuple[float, Active] | None = None
    for _ in range(tries):
        start = draw_start(track, generator, duration_seconds=num_samples / reader.sample_rate)
        samples = reader.read(track.stems[stem], start_seconds=start, num_samples=num_samples)
        level = level_db(samples)
        if best is None or level > best[0]:
            best = (level, Active(samples, start))
        if level >= min_level_db:
            break
    if best is None:
        raise ValueError(f"tries must be at least 1, got {tries}")
    return best[1]


def draw_start(track: Track, generator: np.random.Generator, *, duration_seconds: float) -> float:
    """A uniform start from which the segment fits into the track; zero if it does not fit at all."""
    return float(generator.random()) * max(0.0, track.duration_seconds - duration_seconds)


def level_db(samples: Float[Tensor, "channel time"]) -> float:
    """Root mean square in dB relative to full scale, -120 for silence."""
    power = samples.square().mean().clamp_min(1e-12)
    return float(10 * power.log10())

"""Drawing a segment: which recording, and where in it.

Recordings are drawn in proportion to the weight of their corpus and to their length; the start is uniform. Stems are
silent for long stretches of real songs, so a start whose segment stays below a level is drawn again a few times:

    p(track) = weight(corpus) * duration(track) / duration(corpus).
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Frozen
from stemtune.data.datasets import Layout, open_dataset
from stemtune.data.tracks import Track, read_excerpt
from stemtune.errors import InputError

__all__ = ["Corpus", "Pool", "open_corpora", "read_active"]


class Corpus(Frozen):
    """A data set to learn from, and how much of what is heard comes from it."""

    path: str = Field(description="a folder or a CSV, see `stemtune.data.datasets.open_dataset`")
    split: str | None = None
    layout: Layout | None = None
    pattern: str = Field(default="*", description="shell pattern that the names of the tracks must match")
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

    def draw(self, generator: np.random.Generator) -> Track:
        """One track."""
        return self.tracks[int(generator.choice(len(self.tracks), p=self.probabilities))]


def open_corpora(corpora: Sequence[Corpus]) -> tuple[tuple[Corpus, tuple[Track, ...]], ...]:
    """The tracks of each corpus whose names match its pattern.

    Raises:
        InputError: if a corpus has no such track.
    """
    opened: list[tuple[Corpus, tuple[Track, ...]]] = []
    for corpus in corpora:
        everything = open_dataset(corpus.path, split=corpus.split, layout=corpus.layout)
        tracks = tuple(track for track in everything if fnmatch.fnmatch(track.name, corpus.pattern))
        if not tracks:
            raise InputError(
                f"{corpus.path}: none of its {len(everything)} tracks matches {corpus.pattern!r}; "
                f"they are named like {everything[0].name!r}"
            )
        opened.append((corpus, tracks))
    return tuple(opened)


def read_active(
    track: Track,
    stem: str,
    generator: np.random.Generator,
    *,
    num_samples: int,
    sample_rate: int,
    channels: int,
    min_level_db: float,
    tries: int,
) -> Float[Tensor, "channel time"]:
    """A random segment of one stem, the loudest of up to ``tries`` draws if all stay below ``min_level_db``."""
    best: tuple[float, Tensor] | None = None
    for _ in range(tries):
        start = draw_start(track, generator, duration_seconds=num_samples / sample_rate)
        samples = read_excerpt(
            track.stems[stem],
            start_seconds=start,
            num_samples=num_samples,
            sample_rate=sample_rate,
            channels=channels,
        )
        level = level_db(samples)
        if best is None or level > best[0]:
            best = (level, samples)
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

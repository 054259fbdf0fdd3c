"""Mixing: training examples made out of stems, on the fly, without any state.

*Coherent*: all stems of one song at one time, played at one speed. *Incoherent*: every stem from a recording of its
own. An example depends on (seed, step, position) and on nothing else, so training can stop and go on anywhere:

    example(seed, step, position) = augment(draw(generator(seed, step, position))).

References:
    Bugler, Pardo and Seetharaman, 2021 (section 3.3): coherent and incoherent mixing. Uhlich et al., 2017.

Deviations:
    Levels are by default those of the stems times a drawn gain; the paper does not say whether it redraws them.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.data import augment
from stemtune.data.augment import AugmentationConfig
from stemtune.data.segments import Corpus, Pool, draw_start, level_db, open_corpora, read_active
from stemtune.data.tracks import read_excerpt
from stemtune.errors import InputError

__all__ = ["Mixer", "MixingConfig"]


class MixingConfig(Config["Mixer"]):
    """What a model hears while it learns."""

    corpora: tuple[Corpus, ...] = Field(min_length=1)
    stems: tuple[str, ...] = Field(min_length=1)
    sample_rate: int = Field(default=44100, ge=8000)
    channels: int = Field(default=2, ge=1)
    segment_seconds: float = Field(default=6.0, gt=0)
    coherent_probability: float = Field(default=0.5, ge=0, le=1)
    absent_probability: float = Field(
        default=0.0, ge=0, lt=1, description="of a stem being left out of an incoherent mixture"
    )
    min_level_db: float = Field(default=-60.0, description="segments below this are drawn again")
    tries: int = Field(default=4, ge=1)
    levels_db: tuple[float, float] | None = Field(
        default=None,
        description="root mean square (dBFS) to which the segments of incoherent mixtures are brought, uniform; "
        "None leaves them as recorded",
    )
    mono_probability: float = Field(default=0.0, ge=0, le=1, description="of averaging the channels of an example")
    augmentation: AugmentationConfig = Field(default_factory=AugmentationConfig)

    def build(self) -> "Mixer":
        """Open the corpora."""
        return Mixer(self)


class Mixer:
    """Draws examples; see `example`.

    Raises:
        InputError: (constructor) if some stem is in none of the corpora, or no song for coherent mixing exists.
    """

    def __init__(self, config: MixingConfig) -> None:
        self.config = config
        self.num_samples = round(config.segment_seconds * config.sample_rate)
        opened = open_corpora(config.corpora)
        self._pools: dict[str, Pool] = {}
        for stem in config.stems:
            having = [(corpus, [t for t in tracks if stem in t.stems]) for corpus, tracks in opened]
            having = [(corpus, tracks) for corpus, tracks in having if tracks]
            if not having:
                found = sorted({name for _, tracks in opened for track in tracks for name in track.stems})
                raise InputError(f"no corpus has a stem {stem!r}; the stems found are: {', '.join(found)}")
            self._pools[stem] = Pool.of(having)
        songs = [(c, [t for t in tracks if len(set(t.stems) & set(config.stems)) > 1]) for c, tracks in opened]
        songs = [(corpus, tracks) for corpus, tracks in songs if tracks]
        self._songs = Pool.of(songs) if songs else None
        if config.coherent_probability > 0 and self._songs is None:
            raise InputError(
                "coherent mixing needs songs with at least two of the stems, and the corpora have none; "
                "set coherent_probability to 0 or add songs"
            )

    def example(self, *, seed: int, step: int, position: int) -> Float[Tensor, "stem channel time"]:
        """The sources of one example; their sum is its mixture."""
        generator = np.random.default_rng((seed, step, position))
        mono, coherent = generator.random(2) < (self.config.mono_probability, self.config.coherent_probability)
        songs = self._songs if coherent else None
        sources = self._coherent(songs, generator) if songs else self._incoherent(generator)
        return sources.mean(dim=1, keepdim=True).expand_as(sources).contiguous() if mono else sources

    def _coherent(self, songs: Pool, generator: np.random.Generator) -> Float[Tensor, "stem channel time"]:
        config = self.config
        track = songs.draw(generator)
        drawn = [augment.draw(config.augmentation, generator) for _ in config.stems]
        speed = drawn[0].speed
        needed = math.ceil(self.num_samples * speed)
        start = draw_start(track, generator, duration_seconds=needed / config.sample_rate)
        sources: list[Tensor] = []
        for stem, augmentation in zip(config.stems, drawn, strict=True):
            if stem not in track.stems:
                sources.append(torch.zeros(config.channels, self.num_samples))
                continue
            samples = read_excerpt(
                track.stems[stem],
                start_seconds=start,
                num_samples=needed,
                sample_rate=config.sample_rate,
                channels=config.channels,
            )
            together = augment.at_speed(augmentation, speed)
            sources.append(
                augment.apply(together, samples, num_samples=self.num_samples, sample_rate=config.sample_rate)
            )
        return torch.stack(sources)

    def _incoherent(self, generator: np.random.Generator) -> Float[Tensor, "stem channel time"]:
        config = self.config
        absent = generator.random(len(config.stems)) < config.absent_probability
        if absent.all():
            absent[int(generator.integers(len(absent)))] = False
        sources: list[Tensor] = []
        for stem, missing in zip(config.stems, absent, strict=True):
            if missing:
                sources.append(torch.zeros(config.channels, self.num_samples))
                continue
            augmentation = augment.draw(config.augmentation, generator)
            samples = read_active(
                self._pools[stem].draw(generator),
                stem,
                generator,
                num_samples=math.ceil(self.num_samples * augmentation.speed),
                sample_rate=config.sample_rate,
                channels=config.channels,
                min_level_db=config.min_level_db,
                tries=config.tries,
            )
            source = augment.apply(augmentation, samples, num_samples=self.num_samples, sample_rate=config.sample_rate)
            sources.append(self._levelled(source, float(generator.random())))
        return torch.stack(sources)

    def _levelled(self, source: Float[Tensor, "channel time"], drawn: float) -> Float[Tensor, "channel time"]:
        """Bring a source to its drawn level; what is nearly silent stays so."""
        if self.config.levels_db is None or (level := level_db(source)) < self.config.min_level_db:
            return source
        low, high = self.config.levels_db
        return source * 10 ** ((low + (high - low) * drawn - level) / 20)

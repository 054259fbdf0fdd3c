"""A second stream of data in a phase: mined excerpts without a stem, mixed with real ones of that stem.

    after each step, with probability 1/4:  stem i (uniform)  ->  m + s  ->  network  ->  remix loss  ->  its own Adam,

whose rate is a tenth of the main one's at that moment. Whether it happens, and with what, is a function of (seed,
step), so that with the second Adam's state in the checkpoint, stopping and going on changes nothing. It asks nothing of
a separator but its sources.

References: Defossez, Usunier, Bottou and Bach, 2019, section 5.2.
Deviations: one stem for a whole batch; excerpts are drawn in proportion to their length, and are as long as the phase's
segments rather than 5 s. Levels are as recorded, or as the phase's mixing sets those of the stem.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from stemtune.config import Frozen
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.errors import ConfigError, InputError
from stemtune.mining.index import read_index, read_settings
from stemtune.objectives.remix import remix_loss
from stemtune.types import Estimate, Loss

__all__ = ["MinedBatch", "MinedExcerpts", "RemixStep", "Remixing", "split_by_prefix", "with_prefix"]

_PREFIX = "remix."
_STREAM = 0x5EED  # keeps these draws apart from those of the examples


class Remixing(Frozen):
    """What is mixed, and how strongly it pulls; the numbers are the paper's."""

    index: str = Field(description="the folder of a mined index")
    probability: float = Field(default=0.25, gt=0, le=1, description="of such a step after each step")
    others_weight: float = Field(default=1e-6, ge=0)
    rate_factor: float = Field(default=0.1, gt=0, description="of the learning rate")
    batch_size: int | None = Field(default=None, ge=1, description="None for that of the phase")
    stems: tuple[str, ...] | None = Field(default=None, description="None for all that have excerpts")


@dataclass(frozen=True)
class MinedBatch:
    """Real sources of one stem, and excerpts without it."""

    stem: int
    source: Float[Tensor, "batch channel time"]
    excerpt: Float[Tensor, "batch channel time"]


class MinedExcerpts:
    """Draws batches from a mined index and from the phase's corpora.

    Args:
        config: of the remixing.
        data: of the phase.
        batch_size: of the phase.
        decoded: as for `Mixer`.

    Raises:
        InputError: if there is no index, or none of its excerpts is of use.
        ConfigError: if segments are longer than the excerpts, or a stem is not one of the phase's.
    """

    def __init__(self, config: Remixing, data: MixingConfig, *, batch_size: int, decoded: Path | None = None) -> None:
        folder = Path(config.index)
        settings = read_settings(folder)
        if data.segment_seconds > settings.min_seconds:
            raise ConfigError(
                f"segments of {data.segment_seconds:g} s do not fit into mined excerpts of {settings.min_seconds:g} s; "
                "use shorter segments, or mine with a larger --min-seconds"
            )
        names: Sequence[str] = data.stem_names
        if unknown := [stem for stem in config.stems or () if stem not in names]:
            raise ConfigError(f"remixing wants the stem {unknown[0]!r}; the phase's stems are {', '.join(names)}")
        wanted = config.stems or tuple(stem for stem in names if stem in settings.thresholds)
        self._config, self._data = config, data
        self._batch_size = config.batch_size or batch_size
        self._places: dict[str, list[tuple[Path, float, float]]] = {stem: [] for stem in wanted}
        for song in read_index(folder):
            for excerpt in song.excerpts:
                if excerpt.stem in self._places:
                    path = Path(settings.library) / song.path
                    self._places[excerpt.stem].append((path, excerpt.start_seconds, excerpt.end_seconds))
        self.stems = tuple(stem for stem in wanted if self._places[stem])
        if not self.stems:
            raise InputError(f"{folder}: has no excerpt without {' or '.join(wanted) or 'any of the stems'}")
        self._index = {stem: names.index(stem) for stem in self.stems}
        self._chances: dict[str, NDArray[np.float64]] = {
            stem: np.cumsum([end - start for _, start, end in self._places[stem]]) for stem in self.stems
        }
        self._reader = ExcerptReader(sample_rate=data.sample_rate, channels=data.channels, decoded=decoded)
        alone = {"coherent_probability": 0.0, "absent_probability": 0.0}
        self._mixers = {stem: Mixer(data.override({**alone, "stems": [stem]}), decoded=decoded) for stem in self.stems}

    def happens(self, *, seed: int, step: int) -> bool:
        """Whether a remixed step follows this step."""
        return bool(np.random.default_rng((seed, step, _STREAM)).random() < self._config.probability)

    def batch(self, *, seed: int, step: int) -> MinedBatch:
        """What it is made of."""
        generator = np.random.default_rng((seed, step, _STREAM, 1))
        stem = self.stems[int(generator.random() * len(self.stems))]
        sources, excerpts = list[Tensor](), list[Tensor]()
        for position in range(self._batch_size):
            sources.append(self._mixers[stem].example(seed=seed ^ _STREAM, step=step, position=position)[0])
            excerpts.append(self._excerpt(stem, generator))
        return MinedBatch(self._index[stem], torch.stack(sources), torch.stack(excerpts))

    def _excerpt(self, stem: str, generator: np.random.Generator) -> Float[Tensor, "channel time"]:
        lengths = self._chances[stem]
        place = int(np.searchsorted(lengths, float(generator.random() * lengths[-1]), side="right"))
        path, start, end = self._places[stem][place]
        room = end - start - self._data.segment_seconds
        start += float(generator.random()) * max(0.0, room)
        return self._reader.read((path,), start_seconds=start, num_samples=self._data.num_samples)


class RemixStep:
    """The step that sometimes follows another; part of `PhaseRun`.

    Args:
        config: of the remixing.
        excerpts: what it hears.
        parameters: what it moves.
        betas: of its Adam.
        seed: of the phase.
    """

    def __init__(
        self,
        config: Remixing,
        excerpts: MinedExcerpts,
        parameters: Sequence[nn.Parameter],
        *,
        betas: tuple[float, float],
        seed: int,
    ) -> None:
        self._config, self._excerpts, self._seed = config, excerpts, seed
        self._parameters = parameters
        self.optimiser = torch.optim.Adam(parameters, lr=1.0, betas=betas)

    def __call__(
        self,
        *,
        step: int,
        rate: float,
        forward: Callable[[Tensor], Estimate],
        backward: Callable[[Tensor], None],
        device: torch.device,
    ) -> Mapping[str, float]:
        """Perhaps take the step; returns the parts of its loss, for the log."""
        if not self._excerpts.happens(seed=self._seed, step=step):
            return {}
        batch = self._excerpts.batch(seed=self._seed, step=step)
        source, excerpt = batch.source.to(device), batch.excerpt.to(device)
        self.optimiser.zero_grad()
        loss: Loss = remix_loss(
            estimate=forward(excerpt + source),
            source=source,
            excerpt=excerpt,
            stem=batch.stem,
            others_weight=self._config.others_weight,
        )
        backward(loss.total)
        if all(bool(torch.isfinite(p.grad).all()) for p in self._parameters if p.grad is not None):
            for group in self.optimiser.param_groups:
                group["lr"] = rate * self._config.rate_factor
            self.optimiser.step()
        return loss.parts


def with_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The second Adam's state as it lies in a checkpoint, beside the first one's."""
    return {_PREFIX + name: value for name, value in tensors.items()}


def split_by_prefix(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The first and the second Adam's state in a checkpoint."""
    first = {name: value for name, value in tensors.items() if not name.startswith(_PREFIX)}
    second = {name.removeprefix(_PREFIX): value for name, value in tensors.items() if name.startswith(_PREFIX)}
    return first, second

"""The study's examination: a thousand excerpts of the test set, drawn once and for all, scored by ``si_sdr``.

    score(stem) = mean over excerpts in which the stem sounds of si_sdr(estimate, reference).

All models of a task hear the same excerpts, so that they can be compared excerpt by excerpt. A stem that is silent for
the whole of an excerpt has no score there.

References:
    Bugler, Pardo and Seetharaman, section 3.2: 1000 samples of the test set.

Deviations:
    None known.
"""

import math
from collections.abc import Iterator
from typing import cast

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.data.mixing import Mixer, MixingConfig
from stemtune.errors import InputError
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.models import Separator
from stemtune.nn.precision import autocast
from stemtune.recipes.reproduce.study import Scores
from stemtune.separation.network import device_of

__all__ = ["ExcerptExamination", "ExcerptExaminationConfig", "require_stems"]


class ExcerptExaminationConfig(Config["ExcerptExamination"]):
    """Which excerpts, and how many."""

    data: MixingConfig
    num_excerpts: int = Field(default=1000, ge=1)
    num_glance_excerpts: int = Field(default=100, ge=1)
    seed: int = 20201
    batch_size: int = Field(default=8, ge=1)
    precision: str = "float32"

    def build(self) -> "ExcerptExamination":
        """Open the test set."""
        return ExcerptExamination(self)


class ExcerptExamination:
    """See the module's description; recordings that are all shorter than an excerpt are refused (`data.stock`)."""

    def __init__(self, config: ExcerptExaminationConfig) -> None:
        self._config = config
        self._mixer: Mixer = config.data.build()

    def __call__(self, separator: Separator) -> Scores:
        """All excerpts."""
        values = cast("list[list[float]]", self._score(separator, self._config.num_excerpts).tolist())
        rows = [tuple(None if math.isnan(value) else value for value in row) for row in values]
        return Scores(columns=self._config.data.stem_names, rows=tuple((f"{n:04d}", row) for n, row in enumerate(rows)))

    def glance(self, separator: Separator) -> float:
        """The mean over the first excerpts."""
        return float(self._score(separator, min(self._config.num_glance_excerpts, self._config.num_excerpts)).nanmean())

    def _score(self, separator: Separator, count: int) -> Float[Tensor, "excerpt stem"]:
        stems = self._config.data.stem_names
        require_stems(separator, stems)
        order = [separator.stems.index(stem) for stem in stems]
        scores: list[Tensor] = []
        for sources in self._batches(count):
            estimate = self._separate(separator, sources.sum(dim=1))[:, order]
            flat = "batch stem channel time -> (batch stem) channel time"
            values = si_sdr(estimate=rearrange(estimate, flat), reference=rearrange(sources, flat))
            scores.append(values.view(sources.shape[:2]))
        return torch.cat(scores)

    def _separate(self, separator: Separator, mixture: Tensor) -> Tensor:
        device = device_of(separator)
        with torch.inference_mode(), autocast(device.type, self._config.precision):
            return separator.separate(mixture.to(device)).float().cpu()

    def _batches(self, count: int) -> Iterator[Float[Tensor, "batch stem channel time"]]:
        for first in range(0, count, self._config.batch_size):
            positions = range(first, min(first + self._config.batch_size, count))
            yield torch.stack([self._mixer.example(seed=self._config.seed, step=0, position=n) for n in positions])


def require_stems(separator: Separator, stems: tuple[str, ...]) -> None:
    """Refuse a test set with stems that the model has no mask for.

    Raises:
        InputError: naming them.
    """
    if missing := [stem for stem in stems if stem not in separator.stems]:
        raise InputError(
            f"the test set has {len(stems)} stems ({', '.join(stems)}), and the model has no mask for "
            f"{', '.join(missing)}; it separates {', '.join(separator.stems)}: fine-tune it with a fresh mask head for "
            "those stems, or leave them out"
        )

"""Tiny separators whose answers are known."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stemtune.models.base import Separator, SeparatorConfig
from stemtune.types import Estimate


class ToyConfig(SeparatorConfig):
    kind: str = "toy"
    stems: tuple[str, ...] = ("low", "high")
    sample_rate: int = 44100
    channels: int = 2
    chunk_samples: int = 4000
    what: str = "filter"

    def build(self) -> "Toy":
        return Toy(self)


class Toy(Separator):
    """what = "filter": low- and high-pass, by a linear filter; "copy": every stem is the mixture; "nan": nothing is."""

    config_type: ClassVar[type[SeparatorConfig]] = ToyConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources"})

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self._config = config
        self.heard: list[tuple[int, ...]] = []
        self.register_buffer("kernel", torch.hann_window(65, periodic=False))
        self.eval()

    @property
    def config(self) -> ToyConfig:
        return self._config

    @property
    def chunk_samples(self) -> int:
        return self._config.chunk_samples

    @property
    def context_samples(self) -> int:
        return 32

    def forward(self, mixture: Tensor) -> Estimate:
        self.heard.append(tuple(mixture.shape))
        if self._config.what == "copy":
            return Estimate(torch.stack([mixture] * len(self.stems), dim=1))
        if self._config.what == "nan":
            return Estimate(torch.stack([mixture * float("nan")] * len(self.stems), dim=1))
        batch, channels, time = mixture.shape
        kernel = (self.kernel / self.kernel.sum()).reshape(1, 1, -1)
        low = functional.conv1d(mixture.reshape(batch * channels, 1, time), kernel, padding=32)
        low = low.reshape(batch, channels, time)
        # Not quite complementary, so that mixture consistency has something to do.
        return Estimate(torch.stack((low, 0.9 * (mixture - low)), dim=1))


def toy(**changes: object) -> Toy:
    return ToyConfig.model_validate(changes).build()


@pytest.fixture(name="toy")
def toy_fixture():
    return toy


def noise(num_channels: int, num_samples: int, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.2 * torch.randn(num_channels, num_samples, generator=generator)


@pytest.fixture(name="noise")
def noise_fixture():
    return noise

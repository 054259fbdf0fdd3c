"""Separation by clustering: what belongs together sounds together, whatever it is called.

A network that was trained by deep clustering alone, and whose masks say nothing, separates all the same: the embeddings
of a track's bins fall into as many clusters as there are sources, and each cluster is a binary mask.

    centres = k-means(v_n drawn in proportion to |x_n|),    M_k[n] = 1 if k is the centre nearest to v_n, else 0.

The centres are found once for a whole track, so that a cluster is the same source from beginning to end; with them the
network is a separator like any other (`ClusteredSeparator`), which goes through the same chunks and cross-fades. Which
cluster is which instrument nobody says: score them in the best order (`evaluation.metrics.order`).

References:
    Hershey, Chen, Le Roux and Watanabe, "Deep clustering", 2016 (section 2.2: clusters of a whole file).

Deviations:
    Bins are drawn by their magnitude instead of being taken above a level.
"""

from collections.abc import Iterator
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import UsageError
from stemtune.models.base import Separator, SeparatorConfig
from stemtune.models.chimeranet import ChimeraNet
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from stemtune.signal.k_means import k_means, nearest
from stemtune.signal.resample import resample
from stemtune.types import Estimate

__all__ = ["ClusteredSeparator", "find_centres", "separate_by_clustering"]

_POINTS_PER_CHUNK = 20_000
_MOST_POINTS = 200_000


class ClusteredSeparator(Separator):
    """A separator whose masks are the clusters around given centres of another one's embedding.

    Args:
        network: whose embedding is clustered; its mask head is not used.
        centres: one for each stem.
    """

    config_type: ClassVar[type[SeparatorConfig]] = SeparatorConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "masks", "embedding"})

    def __init__(self, network: ChimeraNet, centres: Float[Tensor, "stem dimension"]) -> None:
        super().__init__()
        self.network = network
        self.centres: Tensor
        self.register_buffer("centres", centres)
        stems = tuple(f"cluster-{number + 1}" for number in range(centres.shape[0]))
        self._config = network.config.override({"stems": stems})

    @property
    def config(self) -> SeparatorConfig:
        """The network's, with the clusters as stems."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """The network's."""
        return self.network.chunk_samples

    @property
    def context_samples(self) -> int:
        """The network's."""
        return self.network.context_samples

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """Separate; see `Separator.forward`."""
        embedding = _embedding(self.network, mixture)
        cluster = nearest(embedding, self.centres)
        masks = rearrange(
            torch.nn.functional.one_hot(cluster, self.centres.shape[0]).to(embedding.dtype),
            "batch channel frequency frame stem -> batch stem channel frequency frame",
        )
        spectrograms = masks * self.network.spectrogram(mixture).unsqueeze(1)
        sources = self.network.synthesise(spectrograms, num_samples=mixture.shape[-1])
        return Estimate(sources=sources, masks=masks, embedding=embedding)


def separate_by_clustering(
    network: ChimeraNet,
    waveform: Float[Tensor, "channel time"],
    *,
    sample_rate: int,
    num_stems: int,
    seed: int = 0,
    options: SeparationOptions | None = None,
) -> Float[Tensor, "stem channel time"]:
    """Separate a whole track into ``num_stems`` nameless stems.

    Args:
        network: in evaluation mode.
        waveform: of the track, at ``sample_rate``.
        sample_rate: in Hz.
        num_stems: how many sources there are.
        seed: of k-means and of the bins that it sees.
        options: of the separation itself.

    Raises:
        UsageError: for fewer than two stems.
    """
    mono = waveform.mean(dim=0, keepdim=True)
    if sample_rate != network.sample_rate:
        mono = resample(mono, source_rate=sample_rate, target_rate=network.sample_rate)
    centres = find_centres(network, mono, num_stems=num_stems, seed=seed)
    clustered = ClusteredSeparator(network, centres).eval()
    return separate_waveform(clustered, waveform, sample_rate=sample_rate, options=options or SeparationOptions())


@torch.no_grad()
def find_centres(
    network: ChimeraNet, mono: Float[Tensor, "1 time"], *, num_stems: int, seed: int = 0
) -> Float[Tensor, "stem dimension"]:
    """The centres of a whole track's embeddings, which is at the network's rate; zeros for silence.

    Raises:
        UsageError: for fewer than two stems.
    """
    if num_stems < 2:
        raise UsageError(f"clustering needs at least two stems, got {num_stems}")
    generator = torch.Generator().manual_seed(seed)
    points = [_loud_points(network, chunk, generator) for chunk in _chunks(mono, network.chunk_samples)]
    every = torch.cat(points) if points else torch.zeros(0, network.config.embedding_size)
    if not every.shape[0]:
        return torch.zeros(num_stems, network.config.embedding_size)
    if every.shape[0] > _MOST_POINTS:
        every = every[torch.randperm(every.shape[0], generator=generator)[:_MOST_POINTS]]
    return k_means(every, num_centres=num_stems, generator=generator)


def _chunks(mono: Tensor, chunk_samples: int) -> Iterator[Tensor]:
    starts = range(0, mono.shape[-1], chunk_samples)
    chunks = (mono[:, start : start + chunk_samples] for start in starts)
    return (chunk for chunk in chunks if chunk.abs().amax() > 0)


def _loud_points(network: ChimeraNet, chunk: Tensor, generator: torch.Generator) -> Float[Tensor, "point dimension"]:
    """Embeddings of some bins of a chunk, drawn in proportion to their magnitude."""
    weight = network.spectrogram(chunk).abs().flatten()
    count = min(_POINTS_PER_CHUNK, int((weight > 0).sum()))
    drawn = torch.multinomial(weight.double(), count, replacement=True, generator=generator)
    return _embedding(network, chunk.unsqueeze(0)).flatten(0, 3)[drawn]


def _embedding(network: ChimeraNet, mixture: Tensor) -> Tensor:
    embedding = network(mixture).embedding
    if embedding is None:
        raise ValueError(f"{type(network).__name__} offers no embedding")
    return embedding

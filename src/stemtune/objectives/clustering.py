"""Objectives on embeddings: bins of one source shall point in one direction, and bins of two sources in two.

With a row ``v_n`` of V for each time-frequency bin, the one-hot row ``y_n`` of Y that says which source is loudest in
it, and weights ``w_n`` proportional to the mixture's magnitude, deep clustering compares how alike each two bins are:

    L = sum_nm w_n w_m (<v_n, v_m> - <y_n, y_m>)^2 / (sum_n w_n)^2
      = (|V'WV|^2 - 2 |V'WY|^2 + |Y'WY|^2) / (sum_n w_n)^2.

The second line needs no matrix of bins by bins, and is what is computed (`deep_clustering`); the first is its readable
twin (`naive_deep_clustering`). Neither asks which source is which or how many there are: a source that an example lacks
is a column of zeros, which adds nothing. Where all is silent all weights are zero, and so is the loss.

`whitened_k_means` compares the planes that V and Y span, whatever the axes in them:

    L = D + N - 2 tr((V'WV + I)^-1 V'WY (Y'WY + I)^-1 Y'WV).

References:
    Hershey, Chen, Le Roux and Watanabe, "Deep clustering", 2016. Wang, Le Roux and Hershey, "Alternative objective
    functions for deep clustering", 2018 (Eq. 6 and 7). Bugler, Pardo and Seetharaman (Eq. 1). nussl 1.1.9,
    ``ml/train/loss.py`` (equal: ``tests/parity``).

Deviations:
    Eq. 1 of Bugler et al. does not divide by the weights, without which its value is of the order 1e10 and their
    factor of .01 says nothing; nussl divides, and so do we.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from stemtune.config import Config
from stemtune.objectives.base import Objective
from stemtune.signal.scaled_stft import scaled_stft, sqrt_hann
from stemtune.types import Batch, Estimate, Loss

__all__ = [
    "Clustering",
    "ClusteringConfig",
    "deep_clustering",
    "loudest_source",
    "magnitude_weights",
    "naive_deep_clustering",
    "whitened_k_means",
]

_SMALLEST_LENGTH = 1e-12
_BLOCK_VALUES = 1 << 17  # half a megabyte
_SMALLEST_WEIGHT = 1e-8  # squared, as nussl has it


class ClusteringConfig(Config[Objective]):
    """Deep clustering on the model's own transform, or its whitened variant."""

    kind: Literal["clustering"] = "clustering"
    n_fft: int = Field(default=512, ge=16)
    hop_length: int = Field(default=128, ge=4)
    whitened: bool = Field(default=False, description="compare planes instead of directions (whitened k-means)")
    normalise: bool = Field(
        default=True, description="bring embeddings to length one; may be off for networks that answer so"
    )

    def build(self) -> "Clustering":
        """The objective."""
        return Clustering(self)


class Clustering:
    """See the module's equations."""

    needs = frozenset({"embedding"})

    def __init__(self, config: ClusteringConfig) -> None:
        self._config = config
        self._window = sqrt_hann(config.n_fft)
        self._distance: Callable[..., Tensor] = whitened_k_means if config.whitened else deep_clustering
        self._name = "whitened_k_means" if config.whitened else "deep_clustering"

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """The loss of one batch; examples without a sound add zero (deep clustering) or a constant."""
        if estimate.embedding is None:
            raise ValueError("Clustering needs Estimate.embedding")
        embedding = rearrange(
            estimate.embedding.float(), "batch channel bin frame dimension -> batch (channel frame bin) dimension"
        )
        if self._config.normalise:
            embedding = functional.normalize(embedding, dim=-1, eps=_SMALLEST_LENGTH)
        sources = self._magnitudes(batch.sources)
        assignment = rearrange(
            loudest_source(sources), "batch stem channel bin frame -> batch (channel frame bin) stem"
        )
        weight = rearrange(
            magnitude_weights(self._magnitudes(batch.mixture)), "batch channel bin frame -> batch (channel frame bin)"
        )
        total = self._distance(embedding=embedding, assignment=assignment, weight=weight).mean()
        return Loss(total=total, parts={self._name: total.item()})

    def _magnitudes(self, waveform: Float[Tensor, "*axes time"]) -> Float[Tensor, "*axes frequency frame"]:
        window = self._window.to(waveform.device)
        return scaled_stft(waveform.float(), hop_length=self._config.hop_length, window=window).abs()


def loudest_source(
    magnitudes: Float[Tensor, "batch stem channel frequency frame"],
) -> Float[Tensor, "batch stem channel frequency frame"]:
    """One for the loudest source of each bin and zero for the others; all zero where two or more are equally loud."""
    is_loudest = (magnitudes == magnitudes.amax(dim=1, keepdim=True)).to(magnitudes.dtype)
    return is_loudest * (is_loudest.sum(dim=1, keepdim=True) == 1)


def magnitude_weights(
    magnitude: Float[Tensor, "batch channel frequency frame"],
) -> Float[Tensor, "batch channel frequency frame"]:
    """The mixture's magnitude divided by its mean over all bins; zero where nothing sounds."""
    total = magnitude.sum(dim=(1, 2, 3), keepdim=True)
    return magnitude * (magnitude[0, 0].numel() / (total + 1e-6))


def deep_clustering(
    *,
    embedding: Float[Tensor, "batch point axis"],
    assignment: Float[Tensor, "batch point stem"],
    weight: Float[Tensor, "batch point"],
) -> Float[Tensor, "batch"]:
    """The module's second line, for each example.

    Args:
        embedding: rows of length one.
        assignment: rows with a single one, or without any.
        weight: of the points, not negative.
    """
    return cast("Tensor", _LowRank.apply(embedding, assignment, weight))


class _LowRank(torch.autograd.Function):
    """`deep_clustering` and its gradient, dL/dV = 4 W (V V'WV - Y Y'WV) / (sum w)^2, in blocks that caches hold."""

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, assignment: Tensor, weight: Tensor) -> Tensor:
        batch, _, num_axes = embedding.shape
        own = embedding.new_zeros(batch, num_axes, num_axes)
        across = embedding.new_zeros(batch, num_axes, assignment.shape[-1])
        for block in _blocks(embedding):
            values = embedding[:, block]
            weighted = (values * weight[:, block].unsqueeze(-1)).mT
            own.baddbmm_(weighted, values)
            across.baddbmm_(weighted, assignment[:, block])
        truth = (assignment * weight.unsqueeze(-1)).sum(dim=1).square().sum(dim=1)  # Y'WY is diagonal
        scale = weight.sum(dim=1).square() + _SMALLEST_WEIGHT
        ctx.save_for_backward(embedding, assignment, weight, own, across, scale)
        return (own.square().sum(dim=(1, 2)) - 2 * across.square().sum(dim=(1, 2)) + truth) / scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = cast("Tensor", grad_outputs[0])
        embedding, assignment, weight, own, across, scale = cast("tuple[Tensor, ...]", ctx.saved_tensors)
        factor = (4 * gradient / scale).view(-1, 1, 1)
        answer = torch.empty_like(embedding)
        for block in _blocks(embedding):
            pull = torch.bmm(embedding[:, block], own).baddbmm_(assignment[:, block], across.mT, alpha=-1)
            torch.mul(pull, weight[:, block].unsqueeze(-1) * factor, out=answer[:, block])
        return answer, None, None


def _blocks(embedding: Tensor) -> Iterator[slice]:
    """Points that caches hold, of all examples together; all points at once where memory is fast."""
    batch, num_points, num_axes = embedding.shape
    step = max(1, _BLOCK_VALUES // (batch * num_axes)) if embedding.device.type == "cpu" else num_points
    return (slice(first, first + step) for first in range(0, num_points, step))


def naive_deep_clustering(
    *,
    embedding: Float[Tensor, "batch point axis"],
    assignment: Float[Tensor, "batch point stem"],
    weight: Float[Tensor, "batch point"],
) -> Float[Tensor, "batch"]:
    """The module's first line as it stands, in memory of the order of points squared."""
    alike = embedding @ embedding.mT
    same = assignment @ assignment.mT
    pair_weight = weight.unsqueeze(2) * weight.unsqueeze(1)
    return (pair_weight * (alike - same).square()).sum(dim=(1, 2)) / (pair_weight.sum(dim=(1, 2)) + _SMALLEST_WEIGHT)


def whitened_k_means(
    *,
    embedding: Float[Tensor, "batch point axis"],
    assignment: Float[Tensor, "batch point stem"],
    weight: Float[Tensor, "batch point"],
) -> Float[Tensor, "batch"]:
    """The module's third equation, for each example; arguments as for `deep_clustering`."""
    root = weight.sqrt().unsqueeze(-1)
    v, y = embedding * root, assignment * root
    num_axes, num_stems = v.shape[-1], y.shape[-1]
    spread = v.mT @ v + torch.eye(num_axes, dtype=v.dtype, device=v.device)
    across = v.mT @ y
    per_stem = (assignment * weight.unsqueeze(-1)).sum(dim=1) + 1  # Y'WY + I is diagonal
    shared = cast("Tensor", torch.linalg.solve(spread, across)) * across / per_stem.unsqueeze(1)
    return num_axes + num_stems - 2 * shared.sum(dim=(1, 2))

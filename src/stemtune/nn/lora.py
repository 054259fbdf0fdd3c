"""Low-rank adapters: a large weight moves only along a few directions, which are all that has to be learnt and kept.

The weight is laid out as a matrix; it stays as it is, and a product of two thin matrices is added to it:

    W' = W + B A,        B: rows x rank (zeros at first),  A: rank x columns (random),  rank << min(rows, columns).

The layer need not know: whoever reads its weight gets ``W'``, so linear layers, LSTMs, convolutions of any kind and
our own layers are all adapted alike, in training, separation and streaming. `merge` makes ordinary weights of it again.

References:
    Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, "LoRA: low-rank adaptation of large language models", 2022
    (section 4.1).

Deviations:
    No factor ``alpha / rank`` before the product: the learning rate does its work. Weights of more than two axes are
    laid out as the matrix whose shorter side is longest, which for a convolution is outputs by inputs and kernel.
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

__all__ = ["LowRank", "attach", "factors_of", "is_factor", "matrix_shape", "merge"]

_MARK = "parametrizations."
_PLAIN, _LEFT, _RIGHT = ".original", ".0.left", ".0.right"


class LowRank(nn.Module):
    """What is added to a weight of some shape.

    Args:
        shape: of the weight.
        rank: of what is added.
        generator: of the random directions.
    """

    def __init__(self, shape: Sequence[int], *, rank: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        rows, columns = matrix_shape(shape)
        bound = columns**-0.5
        right = torch.rand(rank, columns, generator=generator) * 2 * bound - bound
        self.left = nn.Parameter(torch.zeros(rows, rank))
        self.right = nn.Parameter(right)

    def forward(self, weight: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """The adapted weight, in full precision even under autocast."""
        with torch.autocast(weight.device.type, enabled=False):
            return weight + (self.left @ self.right).view(weight.shape)


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of the matrix as which a weight is laid out, without moving any of its numbers."""
    cuts = [(math.prod(shape[:cut]), math.prod(shape[cut:])) for cut in range(1, len(shape))]
    return max(cuts, key=min, default=(1, math.prod(shape)))


def attach(network: nn.Module, names: Sequence[str], *, rank: int, generator: torch.Generator | None = None) -> None:
    """Adapt some weights of a network in place; until something is learnt, it answers as before.

    Args:
        network: whose weights are meant.
        names: of its parameters, such as ``blocks.0.convolve.weight``.
        rank: of every adapter.
        generator: of the random directions.

    Raises:
        ValueError: for a weight that has no more rows or columns than the rank.
    """
    for name in names:
        owner, _, own_name = name.rpartition(".")
        module = network.get_submodule(owner)
        weight: Tensor = getattr(module, own_name)
        if min(matrix_shape(weight.shape)) <= rank:
            raise ValueError(f"{name} of shape {tuple(weight.shape)} has no more than {rank} rows or columns")
        adapter = LowRank(weight.shape, rank=rank, generator=generator).to(weight.device, weight.dtype)
        parametrize.register_parametrization(module, own_name, adapter)


def is_factor(name: str) -> bool:
    """Whether a parameter of an adapted network is part of an adapter."""
    return name.endswith((_LEFT, _RIGHT))


def merge(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An adapted network's state as an ordinary one's: weights and adapters added up, under the weights' names."""
    merged: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if _MARK not in name:
            merged[name] = tensor
        elif name.endswith(_PLAIN):
            stem = name.removesuffix(_PLAIN)
            product = state[stem + _LEFT] @ state[stem + _RIGHT]
            merged[stem.replace(_MARK, "")] = tensor + product.view(tensor.shape)
    return merged


def factors_of(
    difference: Float[Tensor, "*axes"], *, rank: int, tolerance: float
) -> tuple[Float[Tensor, "row rank"], Float[Tensor, "rank column"]] | None:
    """The thin matrices whose product a difference of weights is; None if it has a higher rank.

    Args:
        difference: of the adapted weight and the one before.
        rank: at most.
        tolerance: of any entry, absolute: what rounding may have added.
    """
    rows, columns = matrix_shape(difference.shape)
    if rank >= min(rows, columns):
        return None
    matrix = difference.reshape(rows, columns).double()
    vectors, values, covectors = cast("tuple[Tensor, ...]", torch.linalg.svd(matrix, full_matrices=False))
    left, right = (vectors[:, :rank] * values[:rank]).float(), covectors[:rank].float()
    is_exact = bool(((left @ right).view(difference.shape) - difference).abs().max() <= tolerance)
    return (left.contiguous(), right.contiguous()) if is_exact else None

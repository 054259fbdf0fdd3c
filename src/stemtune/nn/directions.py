"""Directions in a space of embeddings, one for each time-frequency bin, in few passes over memory.

    v = s / |s|,   s = tanh(x) or sigmoid(x);     dL/dx = s'(x) (g - v <v, g>) / |s|   for the gradient g = dL/dv.

Ten seconds have 321,507 bins, each with 20 numbers, and a processor spends more time on carrying them to and fro than
on the recurrent layers before them if every operation is a pass of its own. Here a block that caches hold goes through
all operations at once, forward and back, and only ``v`` and ``|s|`` are kept.

Directions of sigmoids all begin within a few degrees of each other, those of hyperbolic tangents anywhere: a network
learns to tell sources apart several times sooner with the latter (`docs/bugler2020.md`).

References:
    Hershey, Chen, Le Roux and Watanabe, "Deep clustering", 2016: tanh. nussl 1.1.9, ``Embedding`` with the activations
    ``sigmoid`` (or ``tanh``) and ``unit_norm``: the same functions, as six passes.

Deviations:
    None known: equal to rounding.
"""

from collections.abc import Iterator
from typing import Any, Literal, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["Bounded", "unit_directions"]

Bounded = Literal["sigmoid", "tanh"]

_SMALLEST_LENGTH = 1e-12
_BLOCK_VALUES = 1 << 17  # half a megabyte


def unit_directions(
    logits: Float[Tensor, "batch frame feature"], *, num_axes: int, activation: Bounded
) -> Float[Tensor, "batch frame frequency axis"]:
    """The activation of groups of ``num_axes`` neighbouring features, each group brought to length one.

    Returns:
        in float32, or in float64 for logits in float64.
    """
    return cast("Tensor", _UnitDirections.apply(logits, num_axes, activation))


class _UnitDirections(torch.autograd.Function):
    """See the module's equations."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, num_axes: int, activation: Bounded) -> Tensor:
        rows = rearrange(
            logits, "batch frame (frequency dimension) -> (batch frame) frequency dimension", dimension=num_axes
        )
        dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
        directions = torch.empty(rows.shape, dtype=dtype, device=logits.device)
        lengths = torch.empty((*rows.shape[:2], 1), dtype=dtype, device=logits.device)
        for block in _blocks(rows):
            values, length = directions[block], lengths[block]
            values.copy_(rows[block])
            values = values.sigmoid_() if activation == "sigmoid" else values.tanh_()
            torch.linalg.vector_norm(values, dim=-1, keepdim=True, out=length)
            values.div_(length.clamp_(min=_SMALLEST_LENGTH))
        ctx.save_for_backward(directions, lengths)
        ctx.logits_dtype, ctx.activation = logits.dtype, activation
        return directions.view(*logits.shape[:2], *rows.shape[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = cast("Tensor", grad_outputs[0])
        directions, lengths = cast("tuple[Tensor, Tensor]", ctx.saved_tensors)
        gradients = gradient.reshape(directions.shape)
        answer = torch.empty(directions.shape, dtype=ctx.logits_dtype, device=directions.device)
        for block in _blocks(directions):
            values, length, pull = directions[block], lengths[block], gradients[block]
            along = (values * pull).sum(dim=-1, keepdim=True)
            activated = values * length
            high = activated if ctx.activation == "sigmoid" else 1.0  # s' is s - s^2, or 1 - s^2
            slope = activated.square().neg_().add_(high).div_(length)
            answer[block] = torch.addcmul(pull, values, along, value=-1).mul_(slope)
        return answer.view(*gradient.shape[:2], -1), None, None


def _blocks(rows: Tensor) -> Iterator[slice]:
    """Rows that caches hold, or all at once where memory is fast."""
    step = max(1, _BLOCK_VALUES // rows[0].numel()) if rows.device.type == "cpu" else rows.shape[0]
    return (slice(first, first + step) for first in range(0, rows.shape[0], step))

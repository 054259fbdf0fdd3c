"""Directions in a space of embeddings, one for each time-frequency bin, in few passes over memory.

    v = s / |s|,    s = sigmoid(x);      dL/dx = s (1 - s) (g - v <v, g>) / |s|    for the gradient g = dL/dv.

Ten seconds have 321,507 bins, each with 20 numbers, and a processor spends more time on carrying them to and fro than
on the recurrent layers before them if every operation is a pass of its own. Here a block that caches hold goes through
all operations at once, forward and back, and only ``v`` and ``|s|`` are kept.

References:
    nussl 1.1.9, ``Embedding`` with the activations ``sigmoid`` and ``unit_norm``: the same function, as six passes.

Deviations:
    None known: equal to rounding.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["unit_sigmoid"]

_SMALLEST_LENGTH = 1e-12
_BLOCK_VALUES = 1 << 17  # half a megabyte


def unit_sigmoid(
    logits: Float[Tensor, "batch frame feature"], *, num_axes: int
) -> Float[Tensor, "batch frame frequency axis"]:
    """The sigmoid of groups of ``num_axes`` neighbouring features, each group brought to length one.

    Returns:
        in float32, or in float64 for logits in float64.
    """
    return cast("Tensor", _UnitSigmoid.apply(logits, num_axes))


class _UnitSigmoid(torch.autograd.Function):
    """See the module's equations."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, num_axes: int) -> Tensor:
        rows = rearrange(
            logits, "batch frame (frequency dimension) -> (batch frame) frequency dimension", dimension=num_axes
        )
        dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
        directions = torch.empty(rows.shape, dtype=dtype, device=logits.device)
        lengths = torch.empty((*rows.shape[:2], 1), dtype=dtype, device=logits.device)
        for block in _blocks(rows):
            values, length = directions[block], lengths[block]
            values.copy_(rows[block]).sigmoid_()
            torch.linalg.vector_norm(values, dim=-1, keepdim=True, out=length)
            values.div_(length.clamp_(min=_SMALLEST_LENGTH))
        ctx.save_for_backward(directions, lengths)
        ctx.logits_dtype = logits.dtype
        return directions.view(*logits.shape[:2], *rows.shape[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = cast("Tensor", grad_outputs[0])
        directions, lengths = cast("tuple[Tensor, Tensor]", ctx.saved_tensors)
        gradients = gradient.reshape(directions.shape)
        answer = torch.empty(directions.shape, dtype=ctx.logits_dtype, device=directions.device)
        for block in _blocks(directions):
            values, length, pull = directions[block], lengths[block], gradients[block]
            along = (values * pull).sum(dim=-1, keepdim=True)
            sigmoid = values * length
            slope = torch.addcmul(sigmoid, sigmoid, sigmoid, value=-1).div_(length)
            answer[block] = torch.addcmul(pull, values, along, value=-1).mul_(slope)
        return answer.view(*gradient.shape[:2], -1), None


def _blocks(rows: Tensor) -> Iterator[slice]:
    """Rows that caches hold, or all at once where memory is fast."""
    step = max(1, _BLOCK_VALUES // rows[0].numel()) if rows.device.type == "cpu" else rows.shape[0]
    return (slice(first, first + step) for first in range(0, rows.shape[0], step))

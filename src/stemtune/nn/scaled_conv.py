"""Convolutions over time as sums of matrix products, with a learning rate for each layer built into their scale.

With frames as rows, and ``stride`` samples folded into each frame, every convolution of a waveform U-Net, strided,
transposed or pointwise, is one expression, in which rows outside of ``x`` count as zero:

    y[t] = b + g sum_k x[t + s_k] W_k.

It reads each row where it lies: nothing is unfolded, concatenated or copied, and a whole batch is one tall matrix.

The constant ``g`` is for Adam, whose steps are as large for a first layer's large weights as for a last layer's small
ones. With a reference scale ``a``, weights of standard deviation ``d`` are stored as ``W = w / g`` with
``g = sqrt(d / a)``: the layer's output is what it was, and small weights learn more slowly.

References: Defossez et al., "Demucs: deep extractor for music sources with extra unlabeled data remixed", 2019,
section 3 ("Weights rescaling"); Karras et al., "Progressive growing of GANs", 2018.
Deviations: ``d`` is that of the distribution which the weights are drawn from, not that of the sample, so that ``g``
follows from the shape and need not be saved.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Rescaling", "ScaledConv", "shifted_products"]

Rescaling = Literal["equalised", "initial", "none"]
"""``equalised``: as above; ``initial``: weights and biases start smaller by ``g`` and the output is what it then is."""


class ScaledConv(nn.Module):
    """The weights ``W_k``, the bias and the constant ``g`` of one convolution.

    Args:
        num_taps: how many products.
        in_features: of each product.
        out_features: of the sum.
        fan_in: how many inputs torch's own layer of this kind counts for its initialisation.
        bias_repeats: how often each bias holds, side by side (a transposed convolution has one for all its samples).
        rescaling: what to do about the scale.
        reference: the scale ``a``.
    """

    def __init__(
        self,
        num_taps: int,
        in_features: int,
        out_features: int,
        *,
        fan_in: int,
        bias_repeats: int = 1,
        rescaling: Rescaling = "none",
        reference: float = 0.1,
    ) -> None:
        super().__init__()
        bound = fan_in**-0.5  # torch's default: uniform within this
        scale = math.sqrt(bound / math.sqrt(3) / reference) if rescaling != "none" else 1.0
        self.weight = nn.Parameter(torch.empty(num_taps, in_features, out_features).uniform_(-bound, bound) / scale)
        self.bias = nn.Parameter(torch.empty(out_features // bias_repeats).uniform_(-bound, bound))
        if rescaling == "initial":
            self.bias.data /= scale
        self.gain = scale if rescaling == "equalised" else 1.0
        self._repeats = bias_repeats

    def forward(self, *terms: tuple[Float[Tensor, "_row in_feature"], int]) -> Float[Tensor, "_row out_feature"]:
        """The sum of products; the k-th term is an input and its shift ``s_k``."""
        bias = self.bias.repeat(self._repeats) if self._repeats > 1 else self.bias
        return shifted_products(terms, weight=self.weight, bias=bias, gain=self.gain)


def shifted_products(
    terms: Sequence[tuple[Tensor, int]],
    *,
    weight: Float[Tensor, "tap in_feature out_feature"],
    bias: Tensor,
    gain: float,
) -> Float[Tensor, "_row out_feature"]:
    """``y[t] = bias + gain * sum over k of x_k[t + s_k] weight[k]``, with zeros outside; under autocast in its type.

    There are as many rows as the first term's input has.
    """
    inputs: list[Tensor] = []
    for x, _ in terms:
        if not any(x is other for other in inputs):
            inputs.append(x)
    places = [next(i for i, other in enumerate(inputs) if other is x) for x, _ in terms]
    shifts = [shift for _, shift in terms]
    device = inputs[0].device.type
    if torch.is_autocast_enabled(device):
        low = torch.get_autocast_dtype(device)
        inputs, weight, bias = [x.to(low) for x in inputs], weight.to(low), bias.to(low)
    with torch.autocast(device, enabled=False):
        return cast("Tensor", _ShiftedProducts.apply(places, shifts, gain, bias, weight, *inputs))


class _ShiftedProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, places: list[int], shifts: list[int], gain: float, bias: Tensor, weight: Tensor, *inputs: Tensor
    ) -> Tensor:
        """Each term accumulates into the same memory."""
        ctx.places, ctx.shifts, ctx.gain = places, shifts, gain
        ctx.save_for_backward(weight, *inputs)
        num_rows = inputs[0].shape[0]
        if shifts[0] == 0:  # which sets the bias while it multiplies
            y = torch.addmm(bias, inputs[places[0]], weight[0], alpha=gain)
            done = 1
        else:
            y, done = bias.expand(num_rows, -1).contiguous(), 0
        for place, shift, tap in list(zip(places, shifts, weight, strict=True))[done:]:
            here, there = _overlap(num_rows, inputs[place].shape[0], shift)
            y[here].addmm_(inputs[place][there], tap, alpha=gain)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The same products, transposed."""
        weight, *inputs = cast("tuple[Tensor, ...]", ctx.saved_tensors)
        gradient = gradients[0].contiguous()
        at_inputs: list[Tensor | None] = [None] * len(inputs)
        at_weight = torch.empty_like(weight)
        needed: Sequence[bool] = ctx.needs_input_grad[5:]
        terms = zip(cast("list[int]", ctx.places), cast("list[int]", ctx.shifts), strict=True)
        for number, (place, shift) in enumerate(terms):
            here, there = _overlap(gradient.shape[0], inputs[place].shape[0], shift)
            torch.mm(inputs[place][there].t(), gradient[here], out=at_weight[number])
            if not needed[place]:
                continue
            found = at_inputs[place]
            if found is None:
                found = at_inputs[place] = torch.zeros_like(inputs[place])
            found[there].addmm_(gradient[here], weight[number].t(), alpha=ctx.gain)
        if ctx.gain != 1:
            at_weight *= ctx.gain
        return None, None, None, gradient.sum(dim=0), at_weight, *at_inputs


def _overlap(num_rows: int, num_inputs: int, shift: int) -> tuple[slice, slice]:
    """Which rows ``t`` have an input ``t + shift``, and which these are."""
    first = max(0, -shift)
    last = max(first, min(num_rows, num_inputs - shift))
    return slice(first, last), slice(first + shift, last + shift)

"""A linear layer between two normalisations, which at inference is one affine map.

Spectrograms differ by orders of magnitude between frequencies, so Open-Unmix shifts and scales every frequency
before its first linear layer and after its last one, and normalises over the batch right behind the layer:

    y = a * BatchNorm(W ((x + m) * s)) + b,

where ``m, s`` belong to the input's frequencies and ``a, b`` to the output's, shared by all channels. In evaluation
mode the batch norm's statistics are constants, so all of it folds into one weight and one bias: four passes over
large spectrograms fewer.

References: Stöter et al., "Open-Unmix - A Reference Implementation for Music Source Separation", 2019.
Deviations: the folding, equal up to rounding. None else known.
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FoldedLinear", "NormalisedLinear"]


class NormalisedLinear(nn.Module):
    """A bias-free linear layer and its batch norm, with optional affine maps per frequency on either side.

    Args:
        in_features: of the layer; channel-major if ``input_bins`` is given.
        out_features: of the layer; channel-major if ``output_bins`` is given.
        input_bins: how many frequencies the input has, each with its learnt ``input_mean`` (added, so it holds the
            mean's negative) and ``input_scale`` (the deviation's inverse); None for no such map.
        output_bins: how many frequencies the output has, each with its ``output_scale`` and ``output_mean``.
    """

    def __init__(
        self, in_features: int, out_features: int, *, input_bins: int | None = None, output_bins: int | None = None
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.norm = nn.BatchNorm1d(out_features)
        self.input_mean = None if input_bins is None else nn.Parameter(torch.zeros(input_bins))
        self.input_scale = None if input_bins is None else nn.Parameter(torch.ones(input_bins))
        self.output_scale = None if output_bins is None else nn.Parameter(torch.ones(output_bins))
        self.output_mean = None if output_bins is None else nn.Parameter(torch.ones(output_bins))

    def forward(self, x: Float[Tensor, "batch frame in_feature"]) -> Float[Tensor, "batch frame out_feature"]:
        """Map features; over all frames of all examples alike."""
        if not self.norm.training:
            return self.folded()(x)
        if self.input_mean is not None and self.input_scale is not None:
            x = (x + _tile(self.input_mean, x.shape[-1])) * _tile(self.input_scale, x.shape[-1])
        y = self.norm(self.linear(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        if self.output_mean is not None and self.output_scale is not None:
            y = y * _tile(self.output_scale, y.shape[-1]) + _tile(self.output_mean, y.shape[-1])
        return y

    def folded(self) -> "FoldedLinear":
        """The one affine map that this layer is in evaluation mode; fold once to apply it to many blocks."""
        variance, mean = cast("Tensor", self.norm.running_var), cast("Tensor", self.norm.running_mean)
        weight = self.linear.weight
        gain = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        bias = self.norm.bias - mean * gain
        if self.input_mean is not None and self.input_scale is not None:
            weight = weight * _tile(self.input_scale, weight.shape[1])
            bias = bias + gain * (weight * _tile(self.input_mean, weight.shape[1])).sum(dim=-1)
        if self.output_mean is not None and self.output_scale is not None:
            scale = _tile(self.output_scale, weight.shape[0])
            gain, bias = gain * scale, bias * scale + _tile(self.output_mean, weight.shape[0])
        weight = weight * gain.unsqueeze(-1)
        if torch.is_autocast_enabled(weight.device.type):
            precision = torch.get_autocast_dtype(weight.device.type)
            weight, bias = weight.to(precision), bias.to(precision)
        return FoldedLinear(weight, bias)


@dataclass(frozen=True)
class FoldedLinear:
    """An affine map in the precision that autocast asked for when it was folded."""

    weight: Float[Tensor, "out_feature in_feature"]
    bias: Float[Tensor, "out_feature"]

    def __call__(self, x: Float[Tensor, "*axes in_feature"]) -> Float[Tensor, "*axes out_feature"]:
        """Map features."""
        return functional.linear(x, self.weight, self.bias)


def _tile(per_bin: Tensor, num_features: int) -> Tensor:
    """Values per frequency repeated for every channel."""
    return per_bin.repeat(num_features // per_bin.shape[0])

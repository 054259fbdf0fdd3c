"""Band-wise linear maps: a spectrum is cut into bands of growing width, and each band has weights of its own.

    split:  y[k] = W[k] x[first(k) : first(k) + width(k)] + b[k]      frequency bins -> one vector per band
    join:   x[first(k) : first(k) + width(k)] = W[k] y[k] + b[k]      one vector per band -> frequency bins

References:
    Luo and Yu, "Music source separation with band-split RNN", 2023 (sections II-B and II-D): the split and the join.

Deviations:
    No normalisation inside the split, and one linear layer instead of a perceptron in the join: both are for speed
    on a CPU.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BandJoin", "BandMixing", "BandSplit", "band_widths"]


def band_widths(plan: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Widths in bins of all bands, lowest first, from ``(how many, how wide)`` pairs."""
    return tuple(width for count, width in plan for _ in range(count))


class BandSplit(nn.Module):
    """From frequency bins to one vector of ``channels`` values per band."""

    def __init__(self, *, features: int, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.maps = nn.ModuleList(nn.Linear(features * width, channels) for width in widths)

    def forward(self, x: Float[Tensor, "batch feature frequency frame"]) -> Float[Tensor, "batch channel band frame"]:
        """Map each band's bins; the bins must number exactly the sum of the widths."""
        bands = torch.split(x.permute(0, 3, 2, 1), list(self.widths), dim=2)
        mapped = [linear(band.flatten(2)) for linear, band in zip(self.maps, bands, strict=True)]
        return torch.stack(mapped, dim=1).permute(0, 3, 1, 2)


class BandJoin(nn.Module):
    """From one vector per band back to frequency bins, with ``features`` values for each."""

    def __init__(self, *, channels: int, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.features = features
        self.maps = nn.ModuleList(nn.Linear(channels, features * width) for width in widths)

    def forward(self, x: Float[Tensor, "batch channel band frame"]) -> Float[Tensor, "batch frame feature frequency"]:
        """Map each band's vector to its bins; the rows of a band's matrix are ``(bin feature)``."""
        bands = torch.unbind(x.permute(0, 2, 3, 1), dim=1)
        mapped: list[Tensor] = []
        for linear, band in zip(self.maps, bands, strict=True):
            weight, bias = cast("Tensor", linear.weight), cast("Tensor", linear.bias)
            bins = functional.linear(band, self._by_feature(weight), self._by_feature(bias))
            mapped.append(bins.reshape(*bins.shape[:2], self.features, -1))
        return torch.cat(mapped, dim=-1)

    def _by_feature(self, rows: Float[Tensor, "row *columns"]) -> Float[Tensor, "row *columns"]:
        """``(bin feature)`` as ``(feature bin)``, so that bins lie side by side in what is computed."""
        return rows.reshape(-1, self.features, *rows.shape[1:]).transpose(0, 1).reshape(rows.shape)


class BandMixing(nn.Module):
    """Every band learns from every other: a full matrix over bands, shared within each group of channels.

    Starts as zero, so that a residual block around it starts as the identity.
    """

    def __init__(self, *, bands: int, channels: int, groups: int) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"channels ({channels}) must be a multiple of groups ({groups})")
        self.weight = nn.Parameter(torch.zeros(groups, bands, bands))

    def forward(self, x: Float[Tensor, "batch channel band frame"]) -> Float[Tensor, "batch channel band frame"]:
        """Mix along the band axis."""
        groups = self.weight.shape[0]
        batch, channels, bands, frames = x.shape
        grouped = x.reshape(batch, groups, channels // groups, bands, frames)
        weight = self.weight.to(x.dtype)[None, :, None]
        return torch.matmul(weight, grouped).flatten(1, 2)

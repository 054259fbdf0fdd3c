"""Levels: decibels, peaks, and integers that sum exactly.

    level_db = 20 log10(amplitude),        0 dB = full scale.

Stems that sum to their mixture stop doing so when each is rounded to integers by itself. `quantise_jointly` rounds the
mixture, rounds the stems, and gives what is left over, a unit or two, to the loudest stem at that sample.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["decibels", "full_scale", "peak", "quantise", "quantise_jointly"]

_INT32 = torch.iinfo(torch.int32)


def decibels(amplitude: float) -> float:
    """The level of an amplitude relative to full scale; minus infinity for zero."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def peak(waveform: Float[Tensor, "*axes time"]) -> float:
    """The largest absolute value; 0 for nothing."""
    return float(waveform.abs().amax()) if waveform.numel() else 0.0


def full_scale(bits: int) -> int:
    """What amplitude 1 becomes in signed integers of ``bits`` bits; the largest positive integer is one less."""
    return 1 << (bits - 1)


def quantise(waveform: Float[Tensor, "*axes time"], *, bits: int) -> Int[Tensor, "*axes time"]:
    """Round to the nearest integer; what exceeds full scale is not clipped (int32 leaves room)."""
    # float64, because float32 cannot hold the product with 2**23 and its fraction.
    scaled = (waveform.double() * full_scale(bits)).round()
    return scaled.clamp(_INT32.min, _INT32.max).to(torch.int32)


def quantise_jointly(
    stems: Float[Tensor, "stem *axes"], mixture: Float[Tensor, "*axes"], *, bits: int
) -> Int[Tensor, "stem *axes"]:
    """Integer stems whose sum is the rounded mixture, exactly, at every sample.

    Args:
        stems: whose sum is the mixture, up to rounding.
        mixture: what they sum to.
        bits: of the integers; values beyond full scale are not clipped.
    """
    integers = quantise(stems, bits=bits).long()
    residual = quantise(mixture, bits=bits) - integers.sum(dim=0)
    loudest = stems.abs().argmax(dim=0, keepdim=True)
    exact = integers.scatter_add(0, loudest, residual.unsqueeze(0))
    return exact.clamp(_INT32.min, _INT32.max).to(torch.int32)

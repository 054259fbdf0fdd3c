"""Levels: decibels, peaks, and integers that sum exactly.

    level_db = 20 log10(amplitude),        0 dB = full scale.

Stems that sum to their mixture stop doing so when each is rounded to integers by itself. `quantise_jointly` rounds the
mixture, rounds the stems, and gives what is left over, a unit or two, to the loudest stem at that sample.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["all_finite", "decibels", "full_scale", "peak", "quantise", "quantise_jointly"]


def all_finite(waveform: Float[Tensor, "*axes"]) -> bool:
    """Whether every sample is a number; a sum is one only if all of its terms are, and is quick."""
    return math.isfinite(waveform.sum().item()) or bool(torch.isfinite(waveform).all())


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
    """Round to the nearest integer of at most 24 bits; up to 8 times full scale is not clipped (int32 leaves room).

    Multiplying by a power of two is exact, and so is rounding, also in float32.
    """
    limit = 8 * full_scale(bits)
    return (waveform * full_scale(bits)).round_().clamp_(-limit, limit).to(torch.int32)


def quantise_jointly(
    stems: Float[Tensor, "stem *axes"], mixture: Float[Tensor, "*axes"], *, bits: int
) -> Int[Tensor, "stem *axes"]:
    """Integer stems whose sum is the rounded mixture, exactly, at every sample.

    Args:
        stems: whose sum is the mixture, up to rounding.
        mixture: what they sum to.
        bits: of the integers, at most 24; up to 8 times full scale is not clipped.
    """
    integers = quantise(stems, bits=bits)
    residual = quantise(mixture, bits=bits) - integers.sum(dim=0, dtype=torch.int32)
    loudest = stems.abs().max(dim=0, keepdim=True).indices  # seven times as fast as argmax
    return integers.scatter_add_(0, loudest, residual.unsqueeze(0))

"""Ratios of one channel at a time, averaged over the channels of each stem.

    score = mean over channels c of ratio(e_c, s_c),

each channel over the whole track, in double precision, without its mean if so wished. A channel whose reference is
silent has no score and is left out; a stem that is silent in all channels scores NaN.

Channels are looked at block by block, as often as a ratio asks for a sum, so that of a track on the disk no more than
a block is ever in memory.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from stemtune.evaluation.metrics.inputs import checked_pair, checked_rate

__all__ = ["ChannelPair", "mean_over_channels"]

_BLOCK_SAMPLES = 1 << 20


@dataclass(frozen=True)
class ChannelPair:
    """One channel of an estimate e and of its reference s.

    Attributes:
        estimate: as it came.
        reference: as it came.
        estimate_mean: what is to be taken off.
        reference_mean: likewise.
    """

    estimate: Float[Tensor, "time"]
    reference: Float[Tensor, "time"]
    estimate_mean: Float64[Tensor, ""]
    reference_mean: Float64[Tensor, ""]

    def product(self) -> Float64[Tensor, ""]:
        """The inner product <e, s>."""
        return _total(torch.dot(e, s) for e, s in self._blocks())

    def energy(self, *, estimate: Tensor | float = 0.0, reference: Tensor | float = 0.0) -> Float64[Tensor, ""]:
        """Of the sum of both, each times its factor."""
        sums = (estimate * e + reference * s for e, s in self._blocks())
        return _total(torch.dot(block, block) for block in sums)

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        pairs = zip(_blocks(self.estimate), _blocks(self.reference), strict=True)
        return ((e - self.estimate_mean, s - self.reference_mean) for e, s in pairs)


def mean_over_channels(
    ratio: Callable[[ChannelPair], Tensor],
    *,
    estimate: object,
    reference: object,
    sample_rate: int | None,
    zero_mean: bool,
    silent_estimate: float | None = None,
) -> Float64[Tensor, "stem"]:
    """Score every stem.

    Args:
        ratio: in dB, of an estimate's channel and a reference's.
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: checked, if given, and not needed.
        zero_mean: remove each channel's mean over time first.
        silent_estimate: what a silent estimate of a channel that sounds scores; by ``ratio`` if None.

    Raises:
        InputError: if the shapes differ, or the rate is not positive.
    """
    if sample_rate is not None:
        checked_rate(sample_rate)
    estimates, references = checked_pair(estimate=estimate, reference=reference)
    scores: list[float] = []
    for stem_estimate, stem_reference in zip(estimates, references, strict=True):
        values: list[float] = []
        for e, s in zip(stem_estimate, stem_reference, strict=True):
            if _is_silent(s, zero_mean=zero_mean):
                continue
            if silent_estimate is not None and _is_silent(e, zero_mean=zero_mean):
                values.append(silent_estimate)
            else:
                means = (_mean(channel) if zero_mean else _total(()) for channel in (e, s))
                values.append(float(ratio(ChannelPair(e, s, *means))))
        scores.append(sum(values) / len(values) if values else math.nan)
    return torch.tensor(scores, dtype=torch.float64)


def _is_silent(channel: Tensor, *, zero_mean: bool) -> bool:
    """Whether nothing is left of a channel; compared exactly, since a rounded mean would leave a residue."""
    if channel.numel() == 0:
        return True
    first = channel[0]
    return (zero_mean or bool(first == 0)) and all(bool((block == first).all()) for block in _pieces(channel))


def _mean(channel: Tensor) -> Tensor:
    return _total(block.sum() for block in _blocks(channel)) / channel.numel()


def _total(values: Iterator[Tensor] | tuple[()]) -> Tensor:
    return sum(values, start=torch.zeros((), dtype=torch.float64))


def _blocks(channel: Tensor) -> Iterator[Tensor]:
    """In double precision, one after the other."""
    return (block.detach().to("cpu", torch.float64) for block in _pieces(channel))


def _pieces(channel: Tensor) -> Iterator[Tensor]:
    return (channel[start : start + _BLOCK_SAMPLES] for start in range(0, channel.numel(), _BLOCK_SAMPLES))

"""Ratios of one channel at a time, averaged over the channels of each stem.

    score = mean over channels c of ratio(e_c, s_c),

each channel over the whole track, in double precision, without its mean if so wished. A channel whose reference is
silent has no score and is left out; a stem that is silent in all channels scores NaN.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

from stemtune.evaluation.metrics.inputs import checked_pair, checked_rate

__all__ = ["is_silent", "mean_over_channels"]


def mean_over_channels(
    ratio: Callable[[Tensor, Tensor], Tensor],
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
    for stem_estimate, stem_reference in zip(estimates.cpu(), references.cpu(), strict=True):
        values: list[float] = []
        for e, s in zip(stem_estimate.double(), stem_reference.double(), strict=True):
            if is_silent(s, zero_mean=zero_mean):
                continue
            if silent_estimate is not None and is_silent(e, zero_mean=zero_mean):
                values.append(silent_estimate)
            elif zero_mean:
                values.append(float(ratio(e - e.mean(), s - s.mean())))
            else:
                values.append(float(ratio(e, s)))
        scores.append(sum(values) / len(values) if values else math.nan)
    return torch.tensor(scores, dtype=torch.float64)


def is_silent(channel: Float64[Tensor, "time"], *, zero_mean: bool) -> bool:
    """Whether nothing is left of a channel; compared exactly, since a rounded mean would leave a residue."""
    if channel.numel() == 0:
        return True
    lowest, highest = torch.aminmax(channel)
    return bool(lowest == highest) and (zero_mean or bool(lowest == 0))

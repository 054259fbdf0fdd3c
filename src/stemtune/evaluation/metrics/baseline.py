"""Scores beside those of doing nothing: the mixture as the estimate of every stem.

    improvement = metric(estimate, reference) - metric(mixture, reference)

A separator's score says little without it: a stem that is loud in the mixture scores high untouched. Improvements are
written with the suffix ``_i`` (``si_sdr_i``).

Conventions:
    In dB, of whatever the metric gives: numbers of each stem, or of each stem and frame.

Edge cases:
    NaN where either score is NaN; also where both are infinite and of the same sign, such as for a stem that is alone
    in the mixture and perfectly estimated.

References:
    Bugler et al. and nussl's ``BSSEvalScale`` (SI-SDRi, SD-SDRi, SNRi).

Deviations:
    None known.
"""

from collections.abc import Callable

from jaxtyping import Float, Float64
from torch import Tensor

from stemtune.errors import InputError

__all__ = ["improvement", "mixture_baseline"]


def mixture_baseline(
    metric: Callable[..., Tensor],
    *,
    mixture: Float[Tensor, "channel time"],
    reference: Float[Tensor, "stem channel time"],
    sample_rate: int | None = None,
) -> Float64[Tensor, "stem *frame"]:
    """What the unprocessed mixture scores as the estimate of every stem: the least that a separator must beat.

    Args:
        metric: any of this package that returns a tensor.
        mixture: what is heard.
        reference: the truth.
        sample_rate: in Hz; needed if the metric needs it.

    Raises:
        InputError: if the mixture has other channels or another length than the stems.
    """
    if tuple(mixture.shape) != tuple(reference.shape[1:]):
        raise InputError(
            f"a mixture of shape {tuple(mixture.shape)} is not that of stems of shape {tuple(reference.shape)}; both "
            "must have the same channels and samples"
        )
    return metric(estimate=mixture.unsqueeze(0).expand_as(reference), reference=reference, sample_rate=sample_rate)


def improvement(
    metric: Callable[..., Tensor],
    *,
    estimate: Float[Tensor, "stem channel time"],
    mixture: Float[Tensor, "channel time"],
    reference: Float[Tensor, "stem channel time"],
    sample_rate: int | None = None,
) -> Float64[Tensor, "stem *frame"]:
    """By how many dB an estimate beats the mixture.

    Args:
        metric: any of this package that returns a tensor.
        estimate: what a separator answered.
        mixture: what it was given.
        reference: the truth.
        sample_rate: in Hz; needed if the metric needs it.

    Raises:
        InputError: if shapes differ.
    """
    score = metric(estimate=estimate, reference=reference, sample_rate=sample_rate)
    return score - mixture_baseline(metric, mixture=mixture, reference=reference, sample_rate=sample_rate)

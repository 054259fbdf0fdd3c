"""Features of long frames, repeated so that every short frame has those of its time.

A listener says something once a second or so, a separator works in frames of some hundredths of a second. Frame ``t``
of the separator gets

    index(t) = floor( (offset + t hop) / long_hop ),   no more than the last.

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, section 3.2:
    features are repeated over their 0.96 s.

Deviations:
    The paper repeats each feature a whole number of times; here none drifts from its time.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["frame_index", "repeat_frames"]

_ROUNDING = 1e-6  # of a long frame: what single precision may lack to the next one


def frame_index(
    num_frames: int,
    *,
    hop_seconds: float,
    long_hop_seconds: float,
    num_long_frames: int,
    offset_seconds: Float[Tensor, "*axes"],
) -> Int[Tensor, "*axes frame"]:
    """Which long frame each short one lies in.

    Args:
        num_frames: of the short ones.
        hop_seconds: from one short frame to the next.
        long_hop_seconds: from one long frame to the next.
        num_long_frames: how many there are; what lies behind them belongs to the last.
        offset_seconds: how long the first long frame lasted already when the first short one begins.
    """
    seconds = torch.arange(num_frames, dtype=torch.float64, device=offset_seconds.device) * hop_seconds
    places = (offset_seconds.double().unsqueeze(-1) + seconds) / long_hop_seconds
    return (places + _ROUNDING).floor().long().clamp(0, num_long_frames - 1)


def repeat_frames(
    features: Float[Tensor, "*axes feature frame"], index: Int[Tensor, "*axes _frame"]
) -> Float[Tensor, "*axes feature _frame"]:
    """The features at the places that `frame_index` gave."""
    return features.gather(-1, index.unsqueeze(-2).expand(*features.shape[:-1], index.shape[-1]))

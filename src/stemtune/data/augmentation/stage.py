"""The stage: where between the loudspeakers a stereo stem sounds.

With m = (l + r) / 2 and s = w (l - r) / 2 for a width w, and an angle a for a balance of constant power,

    l' = sqrt(2) cos(a) (m + s),   r' = sqrt(2) sin(a) (m - s),   and perhaps exchanged.
"""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["place"]


def place(
    samples: Float[Tensor, "channel time"], *, width: float, pan: float, swap: bool
) -> Float[Tensor, "channel time"]:
    """Width, balance and exchange of a stereo signal.

    Args:
        samples: two channels.
        width: factor of the side signal; 0 is mono.
        pan: -1 is left, 1 is right; 0 leaves the balance as it is.
        swap: whether to exchange left and right, at last.
    """
    if width == 1.0 and not pan:
        return samples.flip(0) if swap else samples
    left, right = samples
    if width != 1.0:
        mid, side = (left + right) / 2, (left - right) / 2 * width
        left, right = mid + side, mid - side
    if pan:
        angle = torch.tensor((pan + 1) * torch.pi / 4)
        left, right = left * angle.cos() * 2**0.5, right * angle.sin() * 2**0.5
    return torch.stack((right, left) if swap else (left, right))

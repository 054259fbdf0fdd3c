"""AutoClip: gradients are clipped to a percentile of all norms seen so far.

    clip(k) = percentile_p(norm(1), ..., norm(k))

References:
    Seetharaman, Wichern, Pardo and Le Roux, "AutoClip: adaptive gradient clipping for source separation networks",
    2020 (algorithm 1, p = 10).

Deviations:
    Norms that are not finite are not remembered, and their step is not taken.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

__all__ = ["AutoClip"]


class AutoClip:
    """Remembers gradient norms; `history` is all of its state."""

    def __init__(self, percentile: float, history: Sequence[float] = ()) -> None:
        if not 0 <= percentile <= 100:
            raise ValueError(f"percentile must be between 0 and 100, got {percentile}")
        self.percentile = percentile
        self.history: list[float] = list(history)

    def __call__(self, parameters: Sequence[nn.Parameter]) -> float:
        """Clip the gradients of ``parameters`` in place; returns their norm before clipping (perhaps not finite)."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if math.isfinite(norm):
            self.history.append(norm)
            limit = float(np.percentile(self.history, self.percentile))
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, torch.tensor(norm))
        return norm

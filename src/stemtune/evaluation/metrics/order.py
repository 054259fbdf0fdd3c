"""Estimates without names, put into the order in which they score best.

    order = the permutation p with the greatest  sum over stems of si_sdr(estimate[p(stem)], reference[stem]).

For clusters, which nobody named. Scores after it are an upper bound of what naming them could give.
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import InputError
from stemtune.evaluation.metrics.si_sdr import si_sdr

__all__ = ["in_best_order"]

_LOWEST_DB = -60.0  # what a silent estimate counts, which would otherwise make all orders alike


def in_best_order(
    *, estimate: Float[Tensor, "stem channel time"], reference: Float[Tensor, "stem channel time"]
) -> Float[Tensor, "stem channel time"]:
    """The estimates, reordered; stems whose reference is silent take what is left.

    Raises:
        InputError: if the shapes differ.
    """
    if estimate.shape != reference.shape:
        raise InputError(
            f"estimates {tuple(estimate.shape)} cannot be ordered like references {tuple(reference.shape)}; both must "
            "be as many stems, of the same channels and samples"
        )
    stems = range(estimate.shape[0])
    scores = torch.stack([si_sdr(estimate=estimate, reference=reference[[stem] * len(stems)]) for stem in stems])
    scores = scores.nan_to_num(nan=0.0, neginf=_LOWEST_DB).clamp_min(_LOWEST_DB)
    best = max(itertools.permutations(stems), key=lambda order: float(scores[list(stems), list(order)].sum()))
    return estimate[list(best)]

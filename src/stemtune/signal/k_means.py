"""k-means: points to the nearest of k centres, centres to the mean of their points.

    minimise  sum_n  min_k |p_n - c_k|^2

Several beginnings are tried at once (the leading axis of everything below), each from centres that were drawn far
apart, and the best end is taken.

References:
    Lloyd, "Least squares quantization in PCM", 1982. Arthur and Vassilvitskii, "k-means++: the advantages of careful
    seeding", 2007.

Deviations:
    None known.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["k_means", "nearest"]


def k_means(
    points: Float[Tensor, "point dimension"],
    *,
    num_centres: int,
    generator: torch.Generator,
    beginnings: int = 4,
    iterations: int = 50,
) -> Float[Tensor, "centre dimension"]:
    """The best centres found; if there are fewer distinct points, some centres coincide.

    Args:
        points: at least one.
        num_centres: how many clusters.
        generator: draws the beginnings.
        beginnings: how many are tried.
        iterations: at most, of each.
    """
    centres = _draw_far_apart(points, num_centres, beginnings, generator)
    for _ in range(iterations):
        member = torch.nn.functional.one_hot(nearest(points, centres), num_centres).to(points.dtype)
        counts = member.sum(dim=1).unsqueeze(-1)
        means = member.mT @ points / counts.clamp_min(1)
        moved = torch.where(counts > 0, means, centres)  # a centre without points stays
        if torch.equal(moved, centres):
            break
        centres = moved
    cost = _squared_distances(points, centres).amin(dim=-1).sum(dim=-1)
    return centres[int(cost.argmin())]


def nearest(
    points: Float[Tensor, "*axes dimension"], centres: Float[Tensor, "*more centre dimension"]
) -> Int[Tensor, "*result"]:
    """The number of the centre that is nearest to each point, for each set of centres."""
    return _squared_distances(points, centres).argmin(dim=-1)


def _squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Up to a term that all centres share."""
    return centres.square().sum(dim=-1).unsqueeze(-2) - 2 * points @ centres.mT


def _draw_far_apart(points: Tensor, num_centres: int, beginnings: int, generator: torch.Generator) -> Tensor:
    """k-means++: each next centre is a point drawn in proportion to its squared distance from the nearest centre."""
    first = torch.randint(points.shape[0], (beginnings, 1), generator=generator)
    centres = points[first]
    for _ in range(num_centres - 1):
        distances = (points.unsqueeze(0).unsqueeze(2) - centres.unsqueeze(1)).square().sum(dim=-1).amin(dim=-1)
        chance = distances + torch.finfo(points.dtype).tiny  # uniform where all points are centres already
        centres = torch.cat((centres, points[torch.multinomial(chance, 1, generator=generator)]), dim=1)
    return centres

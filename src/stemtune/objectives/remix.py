"""What can be learnt from a song of which one only knows that stem ``i`` is silent in it.

Such an excerpt ``m`` plus a real stem ``s`` is a mixture whose stem ``i`` is known, and of whose others the sum is:

    L = |estimate_i - s|_1 + lambda |sum over j != i of estimate_j - m|_1.

The excerpt is only probably without stem ``i``, and its own stems are not known one by one, so the second term is a
reminder (lambda = 1e-6), not a teacher.

References: Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data
remixed", 2019, Eq. 3.
Deviations: both norms are means over samples, as everywhere in the authors' later code.
"""

from jaxtyping import Float
from torch import Tensor

from stemtune.types import Estimate, Loss

__all__ = ["remix_loss"]


def remix_loss(
    *,
    estimate: Estimate,
    source: Float[Tensor, "batch channel time"],
    excerpt: Float[Tensor, "batch channel time"],
    stem: int,
    others_weight: float = 1e-6,
) -> Loss:
    """The loss of one batch of ``excerpt + source``.

    Args:
        estimate: of that mixture.
        source: the real stem.
        excerpt: the rest, in which that stem is silent.
        stem: its place along the stem axis.
        others_weight: lambda.
    """
    own = estimate.sources[:, stem]
    known = (own - source).abs().mean()
    others = (estimate.sources.sum(dim=1) - own - excerpt).abs().mean()
    return Loss(
        total=known + others_weight * others,
        parts={"remix_known": known.item(), "remix_others": others.item()},
    )

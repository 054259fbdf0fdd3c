"""What teaches a detector of silent stems: cross-entropy on "is this stem at most -13 dB of the mixture here?".

    L = mean over audible windows of sum over stems of BCE(sigmoid(logit_i), [V_i <= threshold])

The threshold is far from silence, so that there are more positive examples; truly silent windows get the higher scores.

References: Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data
remixed", 2019, sections 4.1 and 5.2.
Deviations: windows in which the mixture itself is silent do not count; the paper does not say what it does there. Stems
that a song's labels do not know (``known``) do not count either.
"""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

__all__ = ["silence_loss"]


def silence_loss(
    *,
    logits: Float[Tensor, "batch stem output"],
    volumes_db: Float[Tensor, "batch stem output"],
    audible: Bool[Tensor, "batch output"],
    known: Bool[Tensor, "batch stem"],
    threshold_db: float = -13.0,
) -> Float[Tensor, ""]:
    """The loss of one batch; 0 if nothing in it counts.

    Args:
        logits: of silence.
        volumes_db: true relative volumes.
        audible: where the mixture is.
        known: which stems the labels of each example tell of.
        threshold_db: at most this is silent.
    """
    silent = (volumes_db <= threshold_db).to(logits.dtype)
    errors = functional.binary_cross_entropy_with_logits(logits, silent, reduction="none")
    counted = errors * known.unsqueeze(-1)
    weight = audible.to(logits.dtype)
    return (counted.sum(dim=1) * weight).sum() / weight.sum().clamp_min(1.0)

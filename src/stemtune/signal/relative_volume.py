"""How loud a stem is within its mixture, window by window.

    V_i[k] = 10 log10( |s_i|^2 / |s|^2 )     over the window centred on sample k * hop, cut at the ends,

so a stem of V = -20 dB has a hundredth of the mixture's energy. Where the mixture itself is silent, V says nothing;
such windows are marked.

References: Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data
remixed", 2019, section 4.1.
Deviations: the paper prints "silent" as ``V >= threshold``, which is its opposite; silent is ``V <= threshold`` here.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["RelativeVolumes", "relative_volumes"]

_FLOOR_DB = -120.0


@dataclass(frozen=True)
class RelativeVolumes:
    """What `relative_volumes` finds.

    Attributes:
        volumes_db: V, at least -120 dB.
        audible: whether the mixture's level in the window is above the limit.
    """

    volumes_db: Float[Tensor, "stem output"]
    audible: Bool[Tensor, "output"]


def relative_volumes(
    sources: Float[Tensor, "stem time"], *, hop_samples: int, window_samples: int, audible_db: float = -60.0
) -> RelativeVolumes:
    """Of each stem in the sum of all, one value for each hop that has begun.

    Args:
        sources: of one channel.
        hop_samples: between windows.
        window_samples: of a window; an even number of hops.
        audible_db: mixtures below this level (dBFS) are silent.

    Raises:
        ValueError: if the window is not an even number of hops.
    """
    half, rest = divmod(window_samples, 2 * hop_samples)
    if rest or not half:
        raise ValueError(f"the window ({window_samples}) must be an even number of hops ({hop_samples})")
    num_outputs = -(-sources.shape[1] // hop_samples)
    stems = _window_energies(sources, hop_samples, half, num_outputs)
    mixture = _window_energies(sources.sum(dim=0, keepdim=True), hop_samples, half, num_outputs)
    floor = 10 ** (_FLOOR_DB / 10)
    ratio = (stems / mixture.clamp_min(1e-30)).clamp_min(floor)
    lengths = _window_energies(torch.ones(1, sources.shape[1]), hop_samples, half, num_outputs)
    audible = (mixture / lengths)[0] > 10 ** (audible_db / 10)
    return RelativeVolumes((10 * ratio.log10()).float(), audible)


def _window_energies(x: Tensor, hop: int, half: int, num_outputs: int) -> Tensor:
    """Sums of squares over ``2 half`` hops around the multiples of the hop."""
    padded = torch.nn.functional.pad(x.double().square(), (half * hop, (num_outputs + half) * hop - x.shape[1]))
    blocks = padded.view(x.shape[0], -1, hop).sum(dim=-1)
    return blocks.unfold(1, 2 * half, 1)[:, :num_outputs].sum(dim=-1)

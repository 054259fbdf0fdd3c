"""VGGish's public weights, as torchvggish distributes them.

    features.{0, 3, 6, 8, 11, 13}  ->  convolutions.{0 ... 5},      embeddings.{0, 2, 4}  ->  layers.{0, 1, 2}

The rotation to principal axes is a file of its own; without it that step is left out.

References: torchvggish 0.2 (``vggish-10086976.pth``, ``vggish_pca_params-970ea276.pth``).
Deviations: none known; ``tests/parity`` compares the outputs.
"""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.models.vggish import VGGish, VGGishConfig

__all__ = ["from_torchvggish"]

_CONVOLUTIONS, _LAYERS = (0, 3, 6, 8, 11, 13), (0, 2, 4)
_AXES, _CENTRE = "pca_eigen_vectors", "pca_means"


def from_torchvggish(
    state: Mapping[str, Tensor],
    pca: Mapping[str, Tensor] | None = None,
    *,
    quantise: Literal["none", "bytes", "steps"] | None = None,
) -> VGGish:
    """Our listener with those weights, in evaluation mode.

    Args:
        state: the state dictionary of the network.
        pca: ``pca_eigen_vectors`` and ``pca_means``; None leaves whitening and quantisation out.
        quantise: None for bytes where there is ``pca``, as published, and for none elsewhere.

    Raises:
        WeightsError: if a tensor is missing or has another shape.
    """
    names = {f"features.{theirs}": f"convolutions.{ours}" for ours, theirs in enumerate(_CONVOLUTIONS)}
    names |= {f"embeddings.{theirs}": f"layers.{ours}" for ours, theirs in enumerate(_LAYERS)}
    for theirs in names:
        for leaf in ("weight", "bias"):
            if f"{theirs}.{leaf}" not in state:
                raise WeightsError(f"the checkpoint has no tensor '{theirs}.{leaf}'; is it really VGGish?")
    first, second, third, fourth, fifth, sixth = (state[f"features.{n}.weight"].shape[0] for n in _CONVOLUTIONS)
    config = VGGishConfig(
        channels=(first, second, third, fourth, fifth, sixth),
        hidden_size=state["embeddings.0.weight"].shape[0],
        features=state["embeddings.4.weight"].shape[0],
        whiten=pca is not None,
        quantise=quantise or ("none" if pca is None else "bytes"),
    )
    network = config.build()
    tensors = {
        f"{ours}.{leaf}": state[f"{theirs}.{leaf}"] for theirs, ours in names.items() for leaf in ("weight", "bias")
    }
    tensors["axes"], tensors["centre"] = (network.axes, network.centre) if pca is None else _principal(pca, config)
    for name, tensor in network.state_dict().items():
        if tensors[name].shape != tensor.shape:
            raise WeightsError(f"{name}: shape {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}")
    network.load_state_dict(tensors)
    return network.eval()


def _principal(pca: Mapping[str, Tensor], config: VGGishConfig) -> tuple[Tensor, Tensor]:
    size = config.features
    if missing := [name for name in (_AXES, _CENTRE) if name not in pca]:
        raise WeightsError(f"the file of principal axes has no {missing[0]!r}")
    axes, centre = pca[_AXES].float(), pca[_CENTRE].float().flatten()
    if axes.shape != (size, size) or centre.shape != (size,):
        raise WeightsError(
            f"the principal axes are {tuple(axes.shape)} and their centre {tuple(centre.shape)}; the network has "
            f"{size} features, so ({size}, {size}) and ({size},) were expected"
        )
    return axes, centre

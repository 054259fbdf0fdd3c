"""Chimera checkpoints of nussl: what ``SeparationModel.save`` writes for ``build_recurrent_chimera``.

    layers.normalization -> layers.recurrent_stack -> {layers.embedding, layers.mask}  =  `ChimeraNet`.

Sizes are read from the tensors; activations and dropout from the configuration that nussl keeps beside them, if it is
there. The stems have no names in such a file: nussl sorts sources by name, so give them in that order. A checkpoint
also carries records of its training data and transforms as objects of nussl; `INERT_OBJECTS` names those that are
read as empty shells and dropped, nothing of theirs being executed.

References: nussl 1.1.9, ``ml/networks/builders.py``, ``ml/networks/separation_model.py``, ``ml/networks/modules``.
Deviations: none known; ``tests/parity`` compares the outputs.
"""

import json
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from stemtune.errors import ConfigError, WeightsError
from stemtune.models.chimeranet import ChimeraNet, ChimeraNetConfig

__all__ = ["INERT_OBJECTS", "from_nussl_chimera"]

_BEGINNINGS = {
    "norm.": "layers.normalization.batch_norm.",
    "recurrent.": "layers.recurrent_stack.rnn.",
    "embedding_head.": "layers.embedding.linear.",
    "mask_head.": "layers.mask.linear.",
}
_TRANSFORMS = (
    "Cache",
    "Compose",
    "GetAudio",
    "GetExcerpt",
    "IndexSources",
    "LabelsToOneHot",
    "MagnitudeSpectrumApproximation",
    "MagnitudeWeights",
    "PhaseSensitiveSpectrumApproximation",
    "SumSources",
    "ToSeparationModel",
)


class _Inert:
    """Stands for an object of nussl that a checkpoint mentions; keeps nothing of it and does nothing."""

    def __new__(cls, *arguments: object) -> "_Inert":
        del arguments
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        del state


INERT_OBJECTS: tuple[tuple[type, str], ...] = (
    (_Inert, "nussl.core.audio_signal.STFTParams"),
    *((_Inert, f"nussl.datasets.transforms.{name}") for name in _TRANSFORMS),
)


def from_nussl_chimera(
    state_dict: Mapping[str, Tensor],
    *,
    stems: Sequence[str] = (),
    config: str = "",
    sample_rate: int = 16000,
    hop_length: int | None = None,
) -> ChimeraNet:
    """Our model with the weights of nussl's chimera network, in evaluation mode.

    Args:
        state_dict: of the whole model.
        stems: the names of the masks, in nussl's order; ``stem-1``, ``stem-2``, ... if there are none.
        config: the JSON text that nussl keeps beside the weights; without it activations are those of nussl's recipe.
        sample_rate: in Hz, which the weights do not tell.
        hop_length: in samples; None for a quarter of the window.

    Raises:
        WeightsError: if a tensor is missing or misshapen, or the network is of a kind that `ChimeraNet` is not.
    """
    num_bins = _shape(state_dict, "layers.recurrent_stack.rnn.weight_ih_l0", num_axes=2)[1]
    hidden_size = _shape(state_dict, "layers.recurrent_stack.rnn.weight_hh_l0", num_axes=2)[1]
    if _shape(state_dict, "layers.recurrent_stack.rnn.weight_hh_l0", num_axes=2)[0] != 4 * hidden_size:
        raise WeightsError("the recurrent layers of this checkpoint are no LSTMs (four gates); ChimeraNet needs those")
    outputs = {head: _shape(state_dict, f"layers.{head}.linear.bias", num_axes=1)[0] for head in ("embedding", "mask")}
    if any(size % num_bins for size in outputs.values()):
        raise WeightsError(
            f"the heads of this checkpoint ({outputs['embedding']} and {outputs['mask']} outputs) are not multiples of "
            f"its {num_bins} frequencies; expected one audio channel"
        )
    num_stems = outputs["mask"] // num_bins
    if stems and len(stems) != num_stems:
        raise WeightsError(
            f"the checkpoint has {num_stems} masks, but {len(stems)} stems are named: {', '.join(stems)}"
        )
    settings = {
        "stems": tuple(stems) or tuple(f"stem-{number + 1}" for number in range(num_stems)),
        "sample_rate": sample_rate,
        "n_fft": 2 * (num_bins - 1),
        "hop_length": hop_length or max((num_bins - 1) // 2, 1),
        "hidden_size": hidden_size,
        "num_layers": _num_layers(state_dict),
        "bidirectional": "layers.recurrent_stack.rnn.weight_ih_l0_reverse" in state_dict,
        "embedding_size": outputs["embedding"] // num_bins,
        **_stated_settings(config),
    }
    try:
        ours = ChimeraNetConfig().override(settings)
    except ConfigError as error:
        raise WeightsError(f"the shapes in this checkpoint make no network: {error}") from None
    with torch.random.fork_rng(devices=[]):  # the random weights are replaced at once
        separator = ours.build().eval()
    for name, value in separator.state_dict().items():
        begin = next(begin for begin in _BEGINNINGS if name.startswith(begin))
        theirs = _BEGINNINGS[begin] + name.removeprefix(begin)
        if name.endswith("num_batches_tracked") and theirs not in state_dict:
            continue
        shape = _shape(state_dict, theirs, num_axes=value.ndim)
        if shape != tuple(value.shape):
            raise WeightsError(f"tensor {theirs!r} must have the shape {tuple(value.shape)}, but has {shape}")
        value.copy_(state_dict[theirs])
    return separator


def _shape(state_dict: Mapping[str, Tensor], name: str, *, num_axes: int) -> tuple[int, ...]:
    if name not in state_dict:
        raise WeightsError(f"the checkpoint has no tensor {name!r}; is it really nussl's recurrent chimera?")
    shape = tuple(state_dict[name].shape)
    if len(shape) != num_axes:
        raise WeightsError(f"tensor {name!r} must have {num_axes} axes, but its shape is {shape}")
    return shape


def _num_layers(state_dict: Mapping[str, Tensor]) -> int:
    count = 0
    while f"layers.recurrent_stack.rnn.weight_ih_l{count}" in state_dict:
        count += 1
    return count


def _stated_settings(config: str) -> dict[str, object]:
    """Activations and dropout, as nussl's configuration states them."""
    try:
        modules = _mapping(_mapping(json.loads(config or "{}")).get("modules"))
    except ValueError as error:
        raise WeightsError(f"the configuration in this checkpoint is not JSON ({error})") from None
    settings: dict[str, object] = {}
    arguments = {name: _mapping(_mapping(module).get("args")) for name, module in modules.items()}
    if "embedding" in arguments:
        activation = _activation(arguments["embedding"], known=("sigmoid", "tanh"), head="embedding")
        settings["embedding_activation"] = activation or "none"
        settings["unit_norm"] = "unit_norm" in _names(arguments["embedding"])
    if "mask" in arguments:
        activation = _activation(arguments["mask"], known=("sigmoid", "softmax"), head="mask")
        if activation is None or "unit_norm" in _names(arguments["mask"]):
            raise WeightsError(
                f"the mask head has the activation {_names(arguments['mask'])}; expected sigmoid or softmax"
            )
        settings["mask_activation"] = activation
    dropout = arguments.get("recurrent_stack", {}).get("dropout")
    if isinstance(dropout, int | float):
        settings["dropout_probability"] = float(dropout)
    normalisation = _mapping(modules.get("normalization")).get("class", "BatchNorm")
    if normalisation != "BatchNorm":
        raise WeightsError(f"the checkpoint normalises by {normalisation}; ChimeraNet has nussl's BatchNorm only")
    return settings


def _activation(arguments: Mapping[str, object], *, known: tuple[str, ...], head: str) -> str | None:
    names = [name for name in _names(arguments) if name != "unit_norm"]
    if len(names) > 1 or (names and names[0] not in known):
        raise WeightsError(f"the {head} head has the activation {names}; expected one of {', '.join(known)}")
    return names[0] if names else None


def _names(arguments: Mapping[str, object]) -> tuple[str, ...]:
    value = arguments.get("activation", ())
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in cast("Sequence[object]", value)) if isinstance(value, list | tuple) else ()


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}

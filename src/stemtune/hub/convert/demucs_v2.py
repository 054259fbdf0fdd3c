"""Demucs checkpoints: the state dictionary of ``demucs.model.Demucs``, releases 1 to 3, time-domain models.

    encoder.i.{0, 2}, lstm.{lstm, linear}, decoder.i.{0, 2}  =  `Demucs` with added skips.

Kernels become matrices, ``stride`` samples to a row. The tensors tell every size but the stride (4), and not whether
the network worked at twice the rate, which it does by default.

References: demucs 2.0.3, ``model.py``.
Deviations: normalisation, which the release does outside of the network, is inside; ``tests/parity`` compares.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from einops import rearrange
from torch import Tensor

from stemtune.errors import ConfigError, WeightsError
from stemtune.models.demucs import Demucs, demucs_v2
from stemtune.nn.scaled_conv import ScaledConv

__all__ = ["from_demucs_v2"]

_STEMS = ("drums", "bass", "other", "vocals")


def from_demucs_v2(
    state_dict: Mapping[str, Tensor],
    *,
    resample: bool = True,
    stems: Sequence[str] | None = None,
    sample_rate: int = 44100,
    normalise: bool = True,
) -> Demucs:
    """Our model with the weights of Demucs 1 or 2, in evaluation mode.

    Args:
        state_dict: of the whole model.
        resample: whether the network works at twice the rate (the default of release 2; release 1 did not).
        stems: in the order of the outputs; None for that of the release.
        sample_rate: in Hz.
        normalise: whether mixtures are normalised first, as the release's programs do around the network.

    Raises:
        WeightsError: if a tensor is missing, superfluous or misshapen, or the number of stems does not fit.
    """
    names = tuple(stems or _STEMS)
    left = {name.removeprefix("module."): tensor.float() for name, tensor in state_dict.items()}
    changes: dict[str, object] = _sizes(left, num_stems=len(names))
    changes |= {"stems": names, "sample_rate": sample_rate, "normalise": normalise, "resample": resample}
    try:
        config = demucs_v2().override(changes)
    except ConfigError as error:
        raise WeightsError(f"the shapes in this checkpoint make no network: {error}") from None
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # the random weights are replaced at once
        model = Demucs(config).eval()
        for i, layer in enumerate(model.encoder):
            _read(left, f"encoder.{i}.0", cast("ScaledConv", layer.down), stride=config.stride)
            _read(left, f"encoder.{i}.2", cast("ScaledConv", layer.mix))
        for i, layer in enumerate(model.decoder):
            _read(left, f"decoder.{i}.0", cast("ScaledConv", layer.mix))
            _read(left, f"decoder.{i}.2", cast("ScaledConv", layer.up), stride=config.stride, transposed=True)
        if model.bottom is not None:
            for name, parameter in model.bottom.lstm.weights.named_parameters():
                _copy(left, f"lstm.lstm.{name}", parameter)
            _read(left, "lstm.linear", model.bottom.squeeze)
    if left:
        raise WeightsError(f"tensors that Demucs does not have: {', '.join(sorted(left)[:3])}; is it really Demucs?")
    return model


def _sizes(state: Mapping[str, Tensor], *, num_stems: int) -> dict[str, object]:
    """The settings of `DemucsConfig` that the shapes tell."""
    first, last = _shape(state, "encoder.0.0.weight"), 0
    while f"encoder.{last + 1}.0.weight" in state:
        last += 1
    if num_stems * first[1] != (found := _shape(state, f"decoder.{last}.2.weight")[1]):
        raise WeightsError(
            f"the checkpoint makes {found} waveforms; expected {first[1]} channels of {num_stems} stems: name the stems"
        )
    layers = sum(name.startswith("lstm.lstm.weight_hh_l") and not name.endswith("_reverse") for name in state)
    gated = _shape(state, "encoder.0.2.weight")[0] == 2 * first[0]
    return {
        "channels": first[1],
        "width": first[0],
        "depth": last + 1,
        "growth": _shape(state, "encoder.1.0.weight")[0] / first[0] if last else 2.0,
        "kernel_size": first[2],
        "context_frames": _shape(state, "decoder.0.0.weight")[2],
        "glu": gated,
        "lstm_layers": layers,
    }


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, int, int]:
    if name not in state:
        raise WeightsError(f"the checkpoint has no tensor {name!r}; is it really Demucs 1 or 2?")
    shape = tuple(state[name].shape)
    if len(shape) != 3:
        raise WeightsError(f"tensor {name!r} must have 3 axes, but its shape is {shape}")
    return shape


def _read(left: dict[str, Tensor], name: str, into: ScaledConv, *, stride: int = 1, transposed: bool = False) -> None:
    """A kernel and its bias, which leave ``left``."""
    weight = left.get(f"{name}.weight")
    if weight is None:
        raise WeightsError(f"the checkpoint has no tensor {name + '.weight'!r}; is it really Demucs 1 or 2?")
    weight = weight.unsqueeze(-1) if weight.ndim == 2 else weight
    taps = into.weight.shape[0]
    pattern = (
        "inputs outputs (tap offset) -> tap inputs (offset outputs)"
        if transposed
        else "outputs inputs (tap offset) -> tap (offset inputs) outputs"
    )
    if weight.ndim != 3 or weight.shape[-1] != taps * stride:
        raise WeightsError(f"tensor {name + '.weight'!r} has the shape {tuple(weight.shape)}, which does not fit")
    left[f"{name}.weight"] = rearrange(weight, pattern, tap=taps)
    _copy(left, f"{name}.weight", into.weight)
    _copy(left, f"{name}.bias", into.bias)


def _copy(left: dict[str, Tensor], name: str, into: Tensor) -> None:
    if name not in left:
        raise WeightsError(f"the checkpoint has no tensor {name!r}; is it really Demucs 1 or 2?")
    value = left.pop(name)
    if value.shape != into.shape:
        raise WeightsError(f"tensor {name!r} must have {tuple(into.shape)} values, but has {tuple(value.shape)}")
    into.copy_(value)

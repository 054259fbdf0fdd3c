"""Networks of the Open-Unmix family by other names.

Foreign checkpoints differ from ours in names only, so that a converter is a table per stem,

    how our names of tensors begin -> how theirs begin,

and everything else is read from the shapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stemtune.errors import ConfigError, WeightsError
from stemtune.models.xumx import XUMX, XUMXConfig

__all__ = ["StemTensors", "xumx_from_tensors"]

_COUNTER = "num_batches_tracked"  # inference does not need it, and old checkpoints lack it


@dataclass(frozen=True)
class StemTensors:
    """One stem's tensors in a foreign checkpoint.

    Attributes:
        state: the checkpoint.
        beginnings: how our names begin -> how theirs begin instead.
    """

    state: Mapping[str, Tensor]
    beginnings: Mapping[str, str]

    def their_name(self, ours: str) -> str:
        """What the checkpoint calls a tensor of `XUMX`'s stem network."""
        begin = next(begin for begin in self.beginnings if ours.startswith(begin))
        return self.beginnings[begin] + ours.removeprefix(begin)

    def has(self, ours: str) -> bool:
        """Whether the checkpoint holds it."""
        return self.their_name(ours) in self.state

    def shape(self, ours: str, *, num_axes: int) -> tuple[int, ...]:
        """Its shape.

        Raises:
            WeightsError: if it is missing or has another number of axes.
        """
        theirs = self.their_name(ours)
        if theirs not in self.state:
            raise WeightsError(f"the checkpoint has no tensor {theirs!r}; is it really of this architecture?")
        shape = tuple(self.state[theirs].shape)
        if len(shape) != num_axes:
            raise WeightsError(f"tensor {theirs!r} must have {num_axes} axes, but its shape is {shape}")
        return shape

    def read(self, ours: str, into: Tensor) -> None:
        """Copy it.

        Raises:
            WeightsError: if it is missing or has another shape.
        """
        if ours.endswith(_COUNTER) and not self.has(ours):
            return
        shape = self.shape(ours, num_axes=into.ndim)
        if shape != tuple(into.shape):
            theirs = self.their_name(ours)
            raise WeightsError(f"tensor {theirs!r} must have the shape {tuple(into.shape)}, but has {shape}")
        into.copy_(self.state[self.their_name(ours)])


def xumx_from_tensors(
    stems: Mapping[str, StemTensors], *, bridged: bool, sample_rate: int, hop_length: int | None
) -> XUMX:
    """A network in evaluation mode with all stems' tensors.

    Args:
        stems: each stem's tensors, in order.
        bridged: whether the stems hear each other.
        sample_rate: in Hz.
        hop_length: in samples; None for a quarter of the window.

    Raises:
        WeightsError: if a tensor is missing or misshapen, or the stems' networks differ in size.
    """
    sizes = {stem: _infer_sizes(tensors, hop_length) for stem, tensors in stems.items()}
    first, *others = sizes
    for other in others:
        if sizes[other] != sizes[first]:
            raise WeightsError(f"stems {first!r} and {other!r} have networks of different sizes; expected one size")
    try:
        config = XUMXConfig().override(
            {**sizes[first], "stems": tuple(stems), "bridged": bridged, "sample_rate": sample_rate}
        )
    except ConfigError as error:
        raise WeightsError(f"the shapes in this checkpoint make no network: {error}") from None
    with torch.random.fork_rng(devices=[]):  # the random weights are replaced at once
        separator = config.build().eval()
    for network, tensors in zip(separator.networks, stems.values(), strict=True):
        for name, value in network.state_dict().items():
            tensors.read(name, value)
    return separator


def _infer_sizes(tensors: StemTensors, hop_length: int | None) -> dict[str, int | bool]:
    """The settings of `XUMXConfig` that a stem's shapes tell."""
    hidden_size, num_inputs = tensors.shape("encoder.linear.weight", num_axes=2)
    num_outputs, _ = tensors.shape("expand.linear.weight", num_axes=2)
    (num_bins,) = tensors.shape("encoder.input_mean", num_axes=1)
    (num_output_bins,) = tensors.shape("expand.output_mean", num_axes=1)
    channels = num_inputs // max(num_bins, 1)
    if not channels or num_inputs != channels * num_bins or num_outputs != channels * num_output_bins:
        raise WeightsError(
            f"tensor {tensors.their_name('encoder.linear.weight')!r} ({num_inputs} inputs, {num_bins} frequencies) and "
            f"tensor {tensors.their_name('expand.linear.weight')!r} ({num_outputs} outputs, {num_output_bins}) "
            "must agree in the number of channels"
        )
    num_layers = 0
    while tensors.has(f"recurrent.weight_ih_l{num_layers}"):
        num_layers += 1
    n_fft = 2 * (num_output_bins - 1)
    return {
        "channels": channels,
        "n_fft": n_fft,
        "hop_length": hop_length or max(n_fft // 4, 1),
        "num_bins": num_bins,
        "hidden_size": hidden_size,
        "num_layers": max(num_layers, 1),
        "bidirectional": tensors.has("recurrent.weight_ih_l0_reverse"),
    }

"""X-UMX checkpoints: one state dictionary, as ``asteroid.models.XUMX`` saves it (Sony's PyTorch release).

    layer_enc.<stem> -> bridge -> layer_lstm.<stem> -> bridge -> layer_dec.<stem>  =  `XUMX`.

The analysis window, which asteroid keeps among its parameters, is ignored. A training checkpoint, whose names begin
with ``model.``, is read as well.

References: asteroid 0.6.0, ``models/x_umx.py``.
Deviations: none known; ``tests/parity`` compares the outputs.
"""

from collections.abc import Mapping

from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub.convert.tensors import StemTensors, xumx_from_tensors
from stemtune.models.xumx import XUMX

__all__ = ["from_asteroid_xumx"]

_PREFIXES = ("", "model.", "module.")
_FIRST, _FIRST_END = "layer_enc.", ".enc.0.weight"


def from_asteroid_xumx(
    state_dict: Mapping[str, Tensor], *, sample_rate: int = 44100, hop_length: int | None = None
) -> XUMX:
    """Our model with the weights of asteroid's X-UMX, in evaluation mode.

    Args:
        state_dict: of the whole model; the stems keep the order that they have in it.
        sample_rate: in Hz, which the checkpoint does not tell.
        hop_length: in samples; None for a quarter of the window.

    Raises:
        WeightsError: if a tensor is missing or misshapen, or the stems' networks differ in size.
    """
    for prefix in _PREFIXES:
        begin = prefix + _FIRST
        firsts = [name for name in state_dict if name.startswith(begin) and name.endswith(_FIRST_END)]
        if firsts:
            stems = [name.removeprefix(begin).removesuffix(_FIRST_END) for name in firsts]
            return xumx_from_tensors(
                {stem: StemTensors(state_dict, _beginnings(prefix, stem)) for stem in stems},
                bridged=True,
                sample_rate=sample_rate,
                hop_length=hop_length,
            )
    raise WeightsError(f"the checkpoint has no tensor '{_FIRST}<stem>{_FIRST_END}'; is it really asteroid's X-UMX?")


def _beginnings(prefix: str, stem: str) -> dict[str, str]:
    """How names of one stem's tensors begin, ours and theirs."""
    return {
        "encoder.linear.": f"{prefix}layer_enc.{stem}.enc.0.",
        "encoder.norm.": f"{prefix}layer_enc.{stem}.enc.1.",
        "recurrent.": f"{prefix}layer_lstm.{stem}.",
        "squeeze.linear.": f"{prefix}layer_dec.{stem}.dec.0.",
        "squeeze.norm.": f"{prefix}layer_dec.{stem}.dec.1.",
        "expand.linear.": f"{prefix}layer_dec.{stem}.dec.3.",
        "expand.norm.": f"{prefix}layer_dec.{stem}.dec.4.",
        "encoder.input_mean": f"{prefix}mean_scale.input_mean_{stem}",
        "encoder.input_scale": f"{prefix}mean_scale.input_scale_{stem}",
        "expand.output_mean": f"{prefix}mean_scale.output_mean_{stem}",
        "expand.output_scale": f"{prefix}mean_scale.output_scale_{stem}",
    }

"""Open-Unmix checkpoints: one state dictionary per target, as ``openunmix.model.OpenUnmix`` 1.x saves it.

    fc1, bn1, tanh -> lstm -> fc2, bn2, relu -> fc3, bn3, scale, relu  =  `XUMX` without bridges.

umxhq, umxl (twice as wide), umx and umxse differ in sizes only, all of which the tensors tell but one: the hop, a
quarter of the window unless it is given (umxse: half).

References: openunmix 1.3.0, ``model.py``.
Deviations: none known; ``tests/parity`` compares the outputs.
"""

from collections.abc import Mapping

from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub.convert.tensors import StemTensors, xumx_from_tensors
from stemtune.models.xumx import XUMX

__all__ = ["from_open_unmix"]

_BEGINNINGS = {
    "encoder.linear.": "fc1.",
    "encoder.norm.": "bn1.",
    "recurrent.": "lstm.",
    "squeeze.linear.": "fc2.",
    "squeeze.norm.": "bn2.",
    "expand.linear.": "fc3.",
    "expand.norm.": "bn3.",
    "encoder.input_": "input_",
    "expand.output_": "output_",
}


def from_open_unmix(
    targets: Mapping[str, Mapping[str, Tensor]], *, sample_rate: int | None = None, hop_length: int | None = None
) -> XUMX:
    """Our model with the weights of Open-Unmix, in evaluation mode.

    Args:
        targets: the state dictionary of each target, in the order that the stems shall have.
        sample_rate: in Hz; None for what the checkpoint states, or else 44.1 kHz.
        hop_length: in samples; None for a quarter of the window.

    Raises:
        WeightsError: if a tensor is missing or misshapen, or the targets' networks differ in size.
    """
    if not targets:
        raise WeightsError("an Open-Unmix model needs at least one target, such as 'vocals'; there are none")
    return xumx_from_tensors(
        {target: StemTensors(state, _BEGINNINGS) for target, state in targets.items()},
        bridged=False,
        sample_rate=sample_rate or _stated_sample_rate(next(iter(targets.values()))),
        hop_length=hop_length,
    )


def _stated_sample_rate(state: Mapping[str, Tensor]) -> int:
    """What a separator's buffer says, if the checkpoint has one."""
    stated = state.get("sample_rate")
    return round(float(stated)) if stated is not None and stated.numel() == 1 and float(stated) >= 1 else 44100

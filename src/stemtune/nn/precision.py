"""The precision of a network's arithmetic: bfloat16 where the machine computes with it, else float32.

A processor without instructions for bfloat16 converts every number back and forth: on one that has AVX2 only, a
training step of Demucs took 8.2 s instead of 1.0 s, and PyTorch's LSTMs raised an error. So bfloat16 is a wish. Where
it would be slower it is not granted, the log says so once, and the result is the more exact one.
"""

import logging
from functools import cache
from typing import Literal

import torch

__all__ = ["autocast", "computes_bfloat16", "granted_precision"]

_X86_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


@cache
def computes_bfloat16(device_type: str = "cpu") -> bool:
    """Whether this machine's devices of a type have instructions for bfloat16.

    Args:
        device_type: "cpu", "cuda", or another of PyTorch's, which is believed to have them.
    """
    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type != "cpu":
        return True
    found = torch.cpu.get_capabilities()
    if found.get("architecture") in {"x86_64", "AMD64"}:
        return any(found.get(name) for name in _X86_INSTRUCTIONS)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # pyright: ignore[reportPrivateUsage]


def granted_precision(device_type: str, precision: str) -> Literal["float32", "bfloat16"]:
    """What `autocast` computes in: "float32" or "bfloat16".

    Args:
        device_type: of the network's device.
        precision: that is wished.
    """
    return "bfloat16" if precision == "bfloat16" and computes_bfloat16(device_type) else "float32"


def autocast(device_type: str, precision: str) -> torch.autocast:
    """A context in which networks compute in bfloat16, if that is wished and the machine has it; else in float32.

    Args:
        device_type: of the network's device.
        precision: "float32" or "bfloat16".
    """
    granted = granted_precision(device_type, precision)
    if granted != precision:
        _say_once(device_type)
    return torch.autocast(device_type, torch.bfloat16, enabled=granted == "bfloat16")


@cache
def _say_once(device_type: str) -> None:
    logging.getLogger(__name__).warning(
        "bfloat16 is slower than float32 on this machine (%s has no instructions for it); computing in float32",
        device_type,
    )

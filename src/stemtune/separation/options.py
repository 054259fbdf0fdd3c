"""How to separate: everything that a user may choose, declared once.

Chunks of ``segment_seconds`` that overlap by the fraction ``overlap`` pass through the network in batches; from one
chunk to the next it is

    hop = segment_seconds (1 - overlap).
"""

from typing import Literal

import torch
from pydantic import Field

from stemtune.config import Frozen
from stemtune.errors import UsageError

__all__ = ["SeparationOptions", "choose_device"]


class SeparationOptions(Frozen):
    """How to separate; every value has a default, and unknown names are refused."""

    overlap: float = Field(default=0.25, ge=0, lt=0.95, description="fraction that neighbouring chunks share")
    segment_seconds: float | None = Field(
        default=None, gt=0, description="length of a chunk; None: what suits the model best"
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="chunks per pass through the network; None: what suits the device"
    )
    shifts: int = Field(
        default=0, ge=0, description="average this many separations whose chunks begin at different times"
    )
    mixture_consistency: bool = Field(default=True, description="whether the stems are made to sum to the mixture")
    precision: Literal["float32", "bfloat16"] = Field(default="float32", description="of the network's arithmetic")
    threads: int | None = Field(default=None, ge=1, description="batches computed at once; None: one for each core")
    device: Literal["cpu", "cuda", "mps", "auto"] = Field(
        default="auto", description="where a model that is loaded by name computes; 'auto': a GPU if there is one"
    )


def choose_device(device: str) -> torch.device:
    """The device that is meant; for "auto" a GPU if there is one.

    Raises:
        UsageError: if this machine, or this build of PyTorch, does not have it.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available.get(device, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise UsageError(f"device {device!r} is not available here; choose one of auto, {there}")
    return torch.device(device)

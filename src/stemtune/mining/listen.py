"""From a sound file to a detector's curves, in constant memory.

    decode -> mono -> 16 kHz -> scattering -> detector in slices with context -> one probability per stem each 64 ms.

A slice's context, two seconds on each side, is what the detector hears and what is not kept of its answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stemtune.data.audio import open_audio
from stemtune.errors import InputError
from stemtune.models.silence_detector import DETECTOR_RATE, FRAMES_PER_OUTPUT, OUTPUT_HOP_SAMPLES, SilenceDetector
from stemtune.nn.precision import autocast
from stemtune.signal.relative_volume import relative_volumes
from stemtune.signal.resample import resample_blocks
from stemtune.signal.scattering import scatter_blocks

__all__ = ["OUTPUT_SECONDS", "Curves", "curves_of_blocks", "curves_of_file", "mono_blocks", "probabilities"]

OUTPUT_SECONDS = OUTPUT_HOP_SAMPLES / DETECTOR_RATE

_READ_SAMPLES = 1 << 17
_SLICE_OUTPUTS, _CONTEXT_OUTPUTS = 320, 32
_AUDIBLE_DB = -60.0


@dataclass(frozen=True)
class Curves:
    """What a detector says of a song, each 64 ms.

    Attributes:
        probabilities: that a stem is silent.
        audible: whether the mixture is.
    """

    probabilities: Float[np.ndarray, "stem output"]
    audible: Bool[np.ndarray, "output"]


def curves_of_file(path: Path, network: SilenceDetector, *, precision: str = "float32") -> Curves:
    """Listen to a whole file.

    Raises:
        InputError: if it cannot be read.
    """
    return curves_of_blocks(mono_blocks(path), network, precision=precision)


def mono_blocks(path: Path) -> Iterator[Float[Tensor, "_time"]]:
    """A file's channels averaged, at the detector's rate.

    Raises:
        InputError: if it cannot be read.
    """
    with open_audio(path) as reader:
        rate = reader.info.sample_rate
        mixed = (block.mean(dim=0, keepdim=True) for block in reader.blocks(_READ_SAMPLES))
        for block in resample_blocks(mixed, source_rate=rate, target_rate=DETECTOR_RATE):
            yield block[0]


def curves_of_blocks(
    blocks: Iterable[Float[Tensor, "_time"]], network: SilenceDetector, *, precision: str = "float32"
) -> Curves:
    """Listen to a mono stream at the detector's rate.

    Raises:
        InputError: if there are no samples.
    """
    energies = _Energies()

    def heard() -> Iterator[Tensor]:
        for block in blocks:
            energies.add(block)
            yield block

    parts = list(probabilities(scatter_blocks(heard()), network, precision=precision))
    if not parts:
        raise InputError("contains no samples, where at least one was expected")
    found = torch.cat(parts, dim=-1).numpy()
    return Curves(found, energies.audible(found.shape[1]).numpy())


def probabilities(
    frames: Iterable[Float[Tensor, "order frequency _frame"]], network: SilenceDetector, *, precision: str = "float32"
) -> Iterator[Float[Tensor, "stem _output"]]:
    """Of silence, slice by slice; every slice is heard with its context."""
    hop = FRAMES_PER_OUTPUT
    needed = (_SLICE_OUTPUTS + 2 * _CONTEXT_OUTPUTS) * hop
    waiting: Tensor | None = None
    before = 0  # outputs of context that the waiting frames begin with
    for block in frames:
        waiting = block if waiting is None else torch.cat([waiting, block], dim=-1)
        while waiting.shape[-1] > needed:
            answer = _answer(network, waiting[..., :needed], precision)
            last = needed // hop - _CONTEXT_OUTPUTS
            yield answer[:, before:last]
            waiting, before = waiting[..., (last - _CONTEXT_OUTPUTS) * hop :], _CONTEXT_OUTPUTS
    if waiting is not None:
        yield _answer(network, waiting, precision)[:, before:]


def _answer(network: SilenceDetector, frames: Tensor, precision: str) -> Tensor:
    with torch.inference_mode(), autocast("cpu", precision):
        return torch.sigmoid(network(frames.unsqueeze(0))[0])


class _Energies:
    """Which windows of a stream are audible, from energies per hop."""

    def __init__(self) -> None:
        self._rest = torch.zeros(0)
        self._levels: list[Tensor] = []

    def add(self, block: Tensor) -> None:
        samples = torch.cat([self._rest, block])
        whole = samples.shape[0] // OUTPUT_HOP_SAMPLES * OUTPUT_HOP_SAMPLES
        self._levels.append(samples[:whole].view(-1, OUTPUT_HOP_SAMPLES).square().mean(dim=1))
        self._rest = samples[whole:]

    def audible(self, num_outputs: int) -> Tensor:
        """The same windows as `relative_volumes`' to the precision of a hop: the root of the mean stands for it."""
        if self._rest.numel():
            self._levels.append(self._rest.square().mean().view(1))
        steps = torch.cat(self._levels).sqrt().unsqueeze(0)
        steps = torch.nn.functional.pad(steps, (0, max(0, num_outputs - steps.shape[1])))
        return relative_volumes(steps, hop_samples=1, window_samples=10, audible_db=_AUDIBLE_DB).audible[:num_outputs]

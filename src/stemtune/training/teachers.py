"""Teachers: saved models that say what they make of the true stems while another model learns.

features = encode(waveform),  frozen: in evaluation mode, without a gradient, never saved with the pupil.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stemtune.errors import ConfigError
from stemtune.hub import load
from stemtune.models.vqvae import VQVAE
from stemtune.objectives.base import Teacher

__all__ = ["find_teacher"]


class _StemEncoder:
    """The latents of a stem's own auto-encoder, before quantisation."""

    def __init__(self, codec: VQVAE) -> None:
        self._codec = codec

    def __call__(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        with torch.no_grad():
            return self._codec.encode(waveform).latents.float()


def find_teacher(name: str, *, device: torch.device, sample_rate: int) -> Teacher:
    """A teacher by the name or the folder of its model.

    Raises:
        ConfigError: if the model cannot teach, or hears at another rate.
    """
    model: nn.Module = load(name).to(device)
    if not isinstance(model, VQVAE):
        raise ConfigError(f"{name}: a {type(model).__name__} has no latents of single stems; expected a VQVAE")
    if model.sample_rate != sample_rate:
        raise ConfigError(f"{name}: the teacher hears at {model.sample_rate} Hz, the pupil at {sample_rate} Hz")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return _StemEncoder(model.eval())

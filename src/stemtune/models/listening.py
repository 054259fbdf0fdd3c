"""What a listener makes of the mixture, beside what the separator makes of it.

Before its decoder a separator may append the features of a frozen listener, which hears the same mixture at a rate of
its own and says something once a second or so; each frame gets those of its time (`signal.repetition`):

    decoder input[t] = [latent[t], listener(mixture)[index(t)]].

The listener's weights are part of the separator's state, and are saved with it, but they are no parameters: nothing can
move them. A fresh separator has a fresh listener, which is of no use: `transfer.initialise` puts a trained one there.

References:
    Hung and Lerch, "Feature-informed latent space regularization for music source separation", 2022, section 3.3.1
    ("Concat").

Deviations:
    None known.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stemtune.models.base import Listener, ListenerConfig
from stemtune.signal.repetition import frame_index, repeat_frames
from stemtune.signal.resample import resample

__all__ = ["MixtureFeatures"]


class MixtureFeatures(nn.Module):
    """A frozen listener that answers on the separator's frames.

    Args:
        config: of the listener.
        sample_rate: of the separator, in Hz.
        hop_seconds: from one of its frames to the next.
    """

    def __init__(self, config: ListenerConfig, *, sample_rate: int, hop_seconds: float) -> None:
        super().__init__()
        self.listener: Listener = config.build()
        self._sample_rate, self._hop_seconds = sample_rate, hop_seconds
        for module in self.listener.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach())
        self.train(False)

    @property
    def width(self) -> int:
        """Features in a frame."""
        return self.listener.width

    def train(self, mode: bool = True) -> "MixtureFeatures":
        """Stay as in evaluation, whatever the separator does."""
        del mode
        return super().train(False)

    def forward(
        self, mixture: Float[Tensor, "batch channel time"], *, num_frames: int
    ) -> Float[Tensor, "batch feature frame"]:
        """Features of each of the separator's frames, in the mixture's precision."""
        with torch.no_grad(), torch.autocast(mixture.device.type, enabled=False):
            mono = mixture.mean(dim=1, keepdim=True)
            if self._sample_rate != self.listener.sample_rate:
                there = resample(
                    mono.detach().float().cpu(), source_rate=self._sample_rate, target_rate=self.listener.sample_rate
                )
                mono = there.to(mixture)
            features = self.listener(mono).to(mixture.dtype)
            index = frame_index(
                num_frames,
                hop_seconds=self._hop_seconds,
                long_hop_seconds=self.listener.hop_samples / self.listener.sample_rate,
                num_long_frames=features.shape[-1],
                offset_seconds=torch.zeros(features.shape[0], device=features.device),
            )
            return repeat_frames(features, index)

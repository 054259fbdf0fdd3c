"""VGGish, a listener: what a second of sound is about, in 128 numbers.

A log-mel spectrogram is cut into patches of 0.96 s, and an image network that was trained to say what sounds it hears
describes each of them:

    feature[p] = quantise(W (relu-network(log-mel[96 p : 96 p + 96]) - mean)).

The last step (a rotation to principal axes, scaled to unit variance, and eight bits) belongs to the published features
and can be left out. A listener is frozen where a separator learns from it; sizes are settings, so that a small one of
our own has the same front end.

References:
    Hershey et al., "CNN architectures for large-scale audio classification", 2017. Hung and Lerch, 2022 (section 3.2).

Deviations:
    Waveforms shorter than one patch are prolonged by silence to one patch, so that there is always a feature.
"""

from typing import ClassVar, Literal

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from stemtune.models.base import Listener, ListenerConfig
from stemtune.signal.mel import LogMel, log_mel

__all__ = ["VGGish", "VGGishConfig"]

_PATCH_FRAMES, _BANDS = 96, 64
_LIMIT = 2.0  # of whitened features, before they are quantised


class VGGishConfig(ListenerConfig):
    """Hyper-parameters of `VGGish`; the defaults are the published network's."""

    kind: Literal["vggish"] = "vggish"
    channels: tuple[int, int, int, int, int, int] = Field(
        default=(64, 128, 256, 256, 512, 512), description="of the six convolutions"
    )
    hidden_size: int = Field(default=4096, ge=1)
    features: int = Field(default=128, ge=1)
    whiten: bool = Field(default=False, description="principal axes of unit variance")
    quantise: Literal["none", "bytes", "steps"] = Field(
        default="none",
        description="bytes: 0 ... 255 as published; steps: the same values as numbers around zero, whose cosines are "
        "not all near one",
    )

    def build(self) -> "VGGish":
        """A freshly initialised network."""
        return VGGish(self)


class VGGish(Listener):
    """See the module's description."""

    config_type: ClassVar[type[ListenerConfig]] = VGGishConfig
    axes: Tensor
    centre: Tensor

    def __init__(self, config: VGGishConfig) -> None:
        super().__init__()
        self._config = config
        self._front_end = LogMel(num_bands=_BANDS)
        one, two, three, four, five, six = config.channels
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in ((1, one), (one, two), (two, three), (three, four), (four, five), (five, six))
        )
        flat = six * (_PATCH_FRAMES // 16) * (_BANDS // 16)
        self.layers = nn.ModuleList(
            nn.Linear(before, after)
            for before, after in (
                (flat, config.hidden_size),
                (config.hidden_size, config.hidden_size),
                (config.hidden_size, config.features),
            )
        )
        self.register_buffer("axes", torch.eye(config.features))
        self.register_buffer("centre", torch.zeros(config.features))

    @property
    def config(self) -> VGGishConfig:
        """See `Listener`."""
        return self._config

    @property
    def sample_rate(self) -> int:
        """See `Listener`."""
        return self._front_end.sample_rate

    @property
    def hop_samples(self) -> int:
        """See `Listener`."""
        return _PATCH_FRAMES * self._front_end.hop_length

    @property
    def width(self) -> int:
        """See `Listener`."""
        return self._config.features

    def forward(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        """See `Listener`: one frame per 0.96 s."""
        patches = self.patches(waveform)
        described = self.describe(rearrange(patches, "batch patch frame band -> (batch patch) 1 frame band"))
        features = rearrange(described, "(batch patch) feature -> batch feature patch", batch=waveform.shape[0])
        return self.postprocess(features)

    def patches(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch patch frame band"]:
        """Log-mel patches of the mean over the channels; an unfinished last one is dropped."""
        mono = waveform.mean(dim=1)
        needed = self._front_end.window_samples + (_PATCH_FRAMES - 1) * self._front_end.hop_length
        mono = functional.pad(mono, (0, max(0, needed - mono.shape[-1])))
        # Where bands are quiet, single precision costs more than the front end's other tolerances.
        spectrogram = log_mel(mono.double(), self._front_end).to(torch.promote_types(waveform.dtype, torch.float32))
        count = spectrogram.shape[-1] // _PATCH_FRAMES
        return rearrange(
            spectrogram[..., : count * _PATCH_FRAMES],
            "batch band (patch frame) -> batch patch frame band",
            patch=count,
        )

    def describe(self, patches: Float[Tensor, "item 1 frame band"]) -> Float[Tensor, "item feature"]:
        """The network alone."""
        maps = patches
        for number, convolution in enumerate(self.convolutions):
            maps = functional.relu(convolution(maps))
            if number in {0, 1, 3, 5}:
                maps = functional.max_pool2d(maps, 2)
        features = rearrange(maps, "item channel frame band -> item (frame band channel)")
        for layer in self.layers:
            features = functional.relu(layer(features))
        return features

    def postprocess(self, features: Float[Tensor, "batch feature frame"]) -> Float[Tensor, "batch feature frame"]:
        """Whitening and quantisation, as far as they are asked for."""
        if self._config.whiten:
            features = torch.einsum("af,bfn->ban", self.axes, features - self.centre[:, None])
        if self._config.quantise == "none":
            return features
        scale = 255 / (2 * _LIMIT)
        steps = ((features.clamp(-_LIMIT, _LIMIT) + _LIMIT) * scale).round()
        return steps if self._config.quantise == "bytes" else steps / scale - _LIMIT

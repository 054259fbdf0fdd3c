"""ChimeraNet: one recurrent body, two heads; one tells sounds apart, the other tells which is which.

From the mixture's log-magnitudes a stack of BLSTMs computes a state for every frame, from which two linear layers
answer for each time-frequency bin, one with a direction ``v`` and one with a mask for each stem:

    h = BLSTM(norm(10 log10 |X|^2)),    v = unit(sigmoid(W_v h)),    M = sigmoid(W_m h),    S = M o X.

Bins of one source shall point in one direction, whatever the sources are and however many (`objectives.clustering`),
so the body and the embedding head can be learnt from any music with known sources, and then go to new stems.

References:
    Luo, Chen, Hershey, Le Roux and Mesgarani, "Deep clustering and conventional networks for music separation:
    stronger together", 2017. Bugler, Pardo and Seetharaman, "A study of transfer learning in music source
    separation" (section 3.2: sizes). nussl 1.1.9: equal with the same weights (``tests/parity``).

Deviations:
    Activations and dropout, which the paper does not state, are those of nussl's recipe for chimera networks. Sources
    keep the order of ``stems``, which nussl sorts by name. One channel: stereo is separated channel by channel. None
    else known.
"""

from typing import ClassVar, Literal, cast

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from stemtune.models.base import Separator, SeparatorConfig, StemParameters
from stemtune.nn.directions import unit_directions
from stemtune.nn.recurrent import recurrent_stack
from stemtune.signal.scaled_stft import scaled_istft, scaled_stft, sqrt_hann
from stemtune.types import Estimate, LatentGrid

__all__ = ["ChimeraNet", "ChimeraNetConfig"]

_SMALLEST_POWER = 1e-8  # -80 dB relative to an amplitude of one
_WIDEST_LOW_PRECISION = 256  # from here on oneDNN's backward pass in bfloat16 takes twice as long as in float32


class ChimeraNetConfig(SeparatorConfig):
    """The paper's sizes: 16 kHz mono, 26.7 million parameters for two stems."""

    kind: Literal["chimeranet"] = "chimeranet"  # pyright: ignore[reportIncompatibleVariableOverride]
    stems: tuple[str, ...] = Field(default=("accompaniment", "vocals"), min_length=1)
    sample_rate: int = Field(default=16000, gt=0)
    channels: int = Field(default=1, ge=1, le=1)
    n_fft: int = Field(default=512, gt=1, description="analysis window, in samples")
    hop_length: int = Field(default=128, gt=0)
    hidden_size: int = Field(default=500, gt=0, description="of each direction of each layer")
    num_layers: int = Field(default=4, gt=0)
    bidirectional: bool = Field(default=True)
    dropout_probability: float = Field(default=0.3, ge=0, lt=1, description="between recurrent layers")
    embedding_size: int = Field(default=20, gt=0, description="axes of the space in which bins are told apart")
    embedding_activation: Literal["sigmoid", "tanh", "none"] = Field(default="sigmoid")
    unit_norm: bool = Field(default=True, description="whether embeddings are directions, of length one")
    mask_activation: Literal["sigmoid", "softmax"] = Field(
        default="sigmoid", description="each mask for itself, or masks that sum to one"
    )
    chunk_seconds: float = Field(default=10.0, gt=0, description="inference slice")

    @model_validator(mode="after")
    def _sizes_fit(self) -> "ChimeraNetConfig":
        if self.n_fft % 2 or self.n_fft % self.hop_length or self.hop_length > self.n_fft // 2:
            raise ValueError(
                f"n_fft must be even and a multiple, at least twice, of hop_length, not {self.n_fft} and "
                f"{self.hop_length}"
            )
        if len(set(self.stems)) < len(self.stems):
            raise ValueError(f"stems must have distinct names, not {', '.join(self.stems)}")
        return self

    def build(self) -> "ChimeraNet":
        """A network with fresh weights."""
        return ChimeraNet(self)


class ChimeraNet(Separator):
    """See the module's description; the parameters begin with norm, recurrent, embedding_head and mask_head."""

    config_type: ClassVar[type[SeparatorConfig]] = ChimeraNetConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "masks", "magnitudes", "embedding", "latents"})

    def __init__(self, config: ChimeraNetConfig) -> None:
        super().__init__()
        self._config = config
        bins = config.n_fft // 2 + 1
        width = config.hidden_size * (2 if config.bidirectional else 1)
        self.norm = nn.BatchNorm1d(1)
        self.recurrent = recurrent_stack(
            bins,
            config.hidden_size,
            config.num_layers,
            bidirectional=config.bidirectional,
            dropout_probability=config.dropout_probability,
        )
        self.embedding_head = _head(width, bins * config.embedding_size)
        self.mask_head = _head(width, bins * len(config.stems))
        self.window: Tensor
        self.register_buffer("window", sqrt_hann(config.n_fft), persistent=False)

    @property
    def config(self) -> ChimeraNetConfig:
        """The configuration that this network was built from."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """Ten seconds by default, what the paper trains on."""
        return max(round(self.config.chunk_seconds * self.sample_rate), self.config.n_fft)

    @property
    def context_samples(self) -> int:
        """One second, after which the recurrent layers have mostly forgotten where the chunk began."""
        return max(self.sample_rate, self.config.n_fft)

    @property
    def latent_grid(self) -> LatentGrid:
        """One latent for all stems in each frame of the spectrogram."""
        width = self.config.hidden_size * (2 if self.config.bidirectional else 1)
        return LatentGrid(width, self.config.hop_length / self.sample_rate, num_latents=1)

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """See `Separator`: rows of the mask head, ``(frequency stem)``."""
        return (StemParameters("mask_head.*", axis=0),)

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """See `Separator`: the mask head."""
        return ("mask_head.*",)

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """Separate mixtures of any length; see `Separator.forward`.

        Returns:
            sources, masks, magnitudes, the embedding ``batch channel frequency frame embedding``, and the body's state
            as the latent that all stems share, ``batch 1 feature frame``.
        """
        spectrogram, state = self._hear(mixture)
        embedding, logits = self._heads(state)
        with torch.autocast(mixture.device.type, enabled=False):
            masks = self._masks(logits)
            return Estimate(
                sources=self._masked(spectrogram, masks, num_samples=mixture.shape[-1]),
                masks=masks,
                magnitudes=masks * spectrogram.abs().unsqueeze(1),
                embedding=self._embedding(embedding),
                latents=rearrange(state.to(self.window.dtype), "batch frame feature -> batch 1 feature frame"),
            )

    def separate(self, mixture: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch stem channel time"]:
        """The sources alone, without the embedding head, which is the larger part of the work."""
        spectrogram, state = self._hear(mixture)
        logits = self.mask_head(state)
        with torch.autocast(mixture.device.type, enabled=False):
            return self._masked(spectrogram, self._masks(logits), num_samples=mixture.shape[-1])

    def _hear(
        self, mixture: Float[Tensor, "batch channel time"]
    ) -> tuple[Complex[Tensor, "batch channel frequency frame"], Float[Tensor, "batch frame feature"]]:
        """The mixture's spectrogram, and the body's state for every frame of it."""
        with torch.autocast(mixture.device.type, enabled=False):
            spectrogram = self.spectrogram(mixture.to(self.window.dtype))
            features = self._features(spectrogram)
        return spectrogram, self._recur(features)

    def spectrogram(self, waveform: Float[Tensor, "*axes time"]) -> Complex[Tensor, "*axes frequency frame"]:
        """The transform that the network hears and masks."""
        return scaled_stft(waveform, hop_length=self.config.hop_length, window=self.window)

    def synthesise(
        self, spectrogram: Complex[Tensor, "*axes frequency frame"], *, num_samples: int
    ) -> Float[Tensor, "*axes time"]:
        """The inverse of `spectrogram`."""
        hop_length = self.config.hop_length
        return scaled_istft(spectrogram, hop_length=hop_length, window=self.window, num_samples=num_samples)

    def _features(self, spectrogram: Tensor) -> Float[Tensor, "batch frame frequency"]:
        """Levels in dB, normalised by one mean and one variance of all bins."""
        power = torch.view_as_real(spectrogram).square().sum(dim=-1)
        levels_db = 10 * power.clamp_min(_SMALLEST_POWER).log10()
        flat = rearrange(levels_db, "batch 1 frequency frame -> batch 1 (frame frequency)")
        return self.norm(flat).view(flat.shape[0], -1, power.shape[-2])

    def _recur(self, features: Float[Tensor, "batch frame frequency"]) -> Float[Tensor, "batch frame feature"]:
        """The BLSTM; on processors wide ones learn in float32 even under autocast, see `_WIDEST_LOW_PRECISION`."""
        device = features.device.type
        learns = torch.is_grad_enabled() and self.recurrent.weight_hh_l0.requires_grad
        is_slow = learns and device == "cpu" and self.config.hidden_size > _WIDEST_LOW_PRECISION
        with torch.autocast(device, enabled=torch.is_autocast_enabled(device) and not is_slow):
            return self.recurrent(features)[0]

    def _heads(self, state: Float[Tensor, "batch frame feature"]) -> tuple[Tensor, Tensor]:
        """Both heads in one product, unless only one of them learns."""
        embedding, mask = self.embedding_head, self.mask_head
        if embedding.weight.requires_grad != mask.weight.requires_grad:
            return embedding(state), mask(state)
        weight = torch.cat((embedding.weight, mask.weight))
        both = functional.linear(state, weight, torch.cat((embedding.bias, mask.bias)))
        first, second = cast("list[Tensor]", torch.split(both, [embedding.out_features, mask.out_features], dim=-1))
        return first, second

    def _embedding(
        self, outputs: Float[Tensor, "batch frame feature"]
    ) -> Float[Tensor, "batch channel frequency frame embedding"]:
        activation, unit_norm, size = (
            self.config.embedding_activation,
            self.config.unit_norm,
            self.config.embedding_size,
        )
        if activation != "none" and unit_norm:
            embedding = unit_directions(outputs, num_axes=size, activation=activation)
        else:
            outputs = outputs.to(self.window.dtype)
            if activation != "none":
                outputs = outputs.sigmoid() if activation == "sigmoid" else outputs.tanh()
            embedding = rearrange(outputs, "batch frame (bin dimension) -> batch frame bin dimension", dimension=size)
            embedding = functional.normalize(embedding, dim=-1) if unit_norm else embedding
        return rearrange(embedding, "batch frame bin dimension -> batch 1 bin frame dimension")

    def _masks(
        self, logits: Float[Tensor, "batch frame feature"]
    ) -> Float[Tensor, "batch stem channel frequency frame"]:
        logits = logits.to(self.window.dtype)
        logits = rearrange(logits, "batch frame (frequency stem) -> batch stem 1 frequency frame", stem=len(self.stems))
        return logits.softmax(dim=1) if self.config.mask_activation == "softmax" else logits.sigmoid()

    def _masked(
        self,
        spectrogram: Complex[Tensor, "batch channel frequency frame"],
        masks: Float[Tensor, "batch stem channel frequency frame"],
        *,
        num_samples: int,
    ) -> Float[Tensor, "batch stem channel time"]:
        return self.synthesise(masks * spectrogram.unsqueeze(1), num_samples=num_samples)


def _head(in_features: int, out_features: int) -> nn.Linear:
    """A linear layer that starts as nussl's heads do."""
    head = nn.Linear(in_features, out_features)
    nn.init.xavier_normal_(head.weight)
    nn.init.zeros_(head.bias)
    return head

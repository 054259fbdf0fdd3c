"""X-UMX: one recurrent network per stem, all of which hear each other across two bridges; and Open-Unmix.

From the mixture's magnitudes ``|X|`` (cropped to the audible band), each stem ``i`` computes a mask:

    e_i = tanh(Linear(|X|)),   r_i = BLSTM(mean_j e_j),   M_i = relu(MLP(mean_j [e_j, r_j])),   Y_i = M_i X.

The two means are the bridges; without them (``bridged=False``: ``r_i = BLSTM(e_i)``, ``MLP([e_i, r_i])``) this is
Open-Unmix, one independent network per stem. With a ``listener`` each MLP also hears what that makes of the mixture
(Concat, `models.listening`). Multichannel Wiener filtering may refine the ``Y_i``.

References: Sawata et al., "All for One and One for All: Improving Music Separation by Bridging Networks", ICASSP
2021, fig. 2; Stöter et al., "Open-Unmix - A Reference Implementation for Music Source Separation", JOSS 2019;
Hung and Lerch, 2022, section 3.3.1 (Concat).
Equal to asteroid 0.6.0 and openunmix 1.3.0 with the same weights (``tests/parity``).
Deviations: the analysis window is no parameter. A one-channel model takes one-channel mixtures, where the references
average the magnitudes of two. Latents are the paper's "after the BLSTM": both ``e_i`` and ``r_i``. Inputs
shorter than half a window are padded with zeros. None else known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator
from torch import Tensor, nn

from stemtune.models.base import ListenerConfig, Separator, SeparatorConfig, StemParameters
from stemtune.models.listeners import parse_optional_listener_config
from stemtune.models.listening import MixtureFeatures
from stemtune.nn.normalisation import NormalisedLinear
from stemtune.nn.parallel import map_on_cores
from stemtune.signal.block_stft import BlockSTFT
from stemtune.signal.masking import wiener_em
from stemtune.types import Estimate, LatentGrid

__all__ = ["XUMX", "XUMXConfig"]

_BLOCK_FRAMES = 96  # at the default sizes, what one core works on stays within its caches


class XUMXConfig(SeparatorConfig):
    """The references' sizes: 44.1 kHz stereo, four stems, 35.6 million parameters."""

    kind: Literal["xumx"] = "xumx"  # pyright: ignore[reportIncompatibleVariableOverride]
    stems: tuple[str, ...] = Field(default=("bass", "drums", "vocals", "other"), min_length=1)
    sample_rate: int = Field(default=44100, gt=0)
    channels: int = Field(default=2, gt=0)
    n_fft: int = Field(default=4096, gt=1, description="analysis window, in samples")
    hop_length: int = Field(default=1024, gt=0)
    num_bins: int = Field(
        default=1487, gt=0, description="lowest frequencies that the network hears (16 kHz); it masks all"
    )
    hidden_size: int = Field(default=512, gt=1, description="width of every layer between the spectrograms")
    num_layers: int = Field(default=3, gt=0, description="recurrent layers per stem")
    bidirectional: bool = Field(
        default=True, description="whether the recurrent layers hear the future, at half the width"
    )
    dropout_probability: float = Field(default=0.4, ge=0, lt=1, description="between recurrent layers")
    bridged: bool = Field(default=True, description="X-UMX; False for Open-Unmix's independent networks")
    wiener_iterations: int = Field(default=0, ge=0, description="0 keeps the mixture's phase")
    wiener_window_frames: int | None = Field(
        default=300, gt=0, description="frames that share covariances; null for all"
    )
    listener: Annotated[SerializeAsAny[ListenerConfig] | None, BeforeValidator(parse_optional_listener_config)] = Field(
        default=None, description="whose features of the mixture are appended before the decoder, at any time"
    )
    chunk_seconds: float = Field(default=10.0, gt=0, description="inference slice")

    @model_validator(mode="after")
    def _sizes_fit(self) -> "XUMXConfig":
        if self.num_bins > self.n_fft // 2 + 1:
            raise ValueError(f"num_bins must be at most n_fft // 2 + 1 = {self.n_fft // 2 + 1}, not {self.num_bins}")
        if self.n_fft % 2:
            raise ValueError(f"n_fft must be even, not {self.n_fft}")
        if self.hop_length > self.n_fft // 2:
            raise ValueError(f"hop_length must be at most n_fft // 2 = {self.n_fft // 2}, not {self.hop_length}")
        if self.bidirectional and self.hidden_size % 2:
            raise ValueError(f"hidden_size must be even for two directions, not {self.hidden_size}")
        if len(set(self.stems)) < len(self.stems):
            raise ValueError(f"stems must have distinct names, not {', '.join(self.stems)}")
        return self

    @property
    def own_listener(self) -> ListenerConfig | None:
        """See `SeparatorConfig`."""
        return self.listener

    @property
    def latent_width(self) -> int:
        """Of what a stem's decoder hears, but for a listener's features."""
        return 2 * self.hidden_size

    def build(self) -> "XUMX":
        """A network with fresh weights, PyTorch's default initialisation."""
        return XUMX(self)


class XUMX(Separator):
    """CrossNet-Open-Unmix, and Open-Unmix as its un-bridged case."""

    config_type: ClassVar[type[SeparatorConfig]] = XUMXConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "masks", "magnitudes", "latents"})

    def __init__(self, config: XUMXConfig) -> None:
        super().__init__()
        self._config = config
        hop_seconds = config.hop_length / config.sample_rate
        self.networks = nn.ModuleList(_StemNetwork(config) for _ in config.stems)
        self.ear = (
            MixtureFeatures(config.listener, sample_rate=config.sample_rate, hop_seconds=hop_seconds)
            if config.listener
            else None
        )
        for network in self.networks if self.ear else ():  # last, so that all else is drawn as without a listener
            cast("_StemNetwork", network).hear(self.latent_grid.width - config.latent_width)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
        self.window: Tensor

    @property
    def config(self) -> XUMXConfig:
        """The configuration that this network was built from."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """Ten seconds by default: long enough for the recurrent layers to settle."""
        return max(round(self.config.chunk_seconds * self.sample_rate), self.config.n_fft)

    @property
    def context_samples(self) -> int:
        """One second, after which the recurrent layers have mostly forgotten where the chunk began."""
        return max(self.sample_rate, self.config.n_fft)

    @property
    def latent_grid(self) -> LatentGrid:
        """One latent for each stem and frame of the spectrogram; a listener's features, the same for all, come last."""
        width = self.config.latent_width + (self.ear.width if self.ear else 0)
        return LatentGrid(width, self.config.hop_length / self.sample_rate, len(self.stems))

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """See `Separator`: a network for each stem."""
        return (StemParameters("networks.{stem}.*"),)

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """See `Separator`: the decoders behind the second bridge."""
        return ("networks.*.squeeze.*", "networks.*.expand.*")

    @torch.no_grad()
    def take_statistics(self, mean: Float[Tensor, " frequency"], deviation: Float[Tensor, " frequency"]) -> None:
        """Begin with an input of mean zero and deviation one: of magnitudes of mono mixtures, all frequencies."""
        bins = self.config.num_bins
        for network in self.networks:
            encoder = cast("_StemNetwork", network).encoder
            if encoder.input_mean is not None and encoder.input_scale is not None:
                encoder.input_mean.copy_(-mean[:bins])
                encoder.input_scale.copy_(1 / deviation[:bins])

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """Separate mixtures of any length; see `Separator.forward`.

        Returns:
            sources, masks, magnitudes, and latents ``[e_i, r_i]`` of ``2 * hidden_size`` features, followed by the
            listener's if there is one.
        """
        mixture = mixture.to(self.window.dtype)
        transform = BlockSTFT(self.window, self.config.hop_length, mixture.shape[-1])
        heard = self.ear(mixture, num_frames=transform.num_frames).transpose(1, 2) if self.ear else None
        padded = transform.pad(mixture)
        if self.training or torch.is_grad_enabled() or mixture.device.type != "cpu":
            return self._estimate_whole(padded, transform, heard)
        return self._estimate_in_blocks(padded, transform, heard)

    def _estimate_whole(self, padded: Tensor, transform: BlockSTFT, features_heard: Tensor | None) -> Estimate:
        """All frames at once, as in the equations; for training, and for devices with fast memory."""
        stems = [cast("_StemNetwork", network).layers(folded=False) for network in self.networks]
        spectrogram = transform.analyse(padded, first_frame=0, last_frame=transform.num_frames)
        magnitude = spectrogram.abs()
        features = rearrange(
            magnitude[..., : self.config.num_bins], "batch channel frame bin -> batch frame (channel bin)"
        )

        encoded = torch.stack([stem.encode(features) for stem in stems], dim=1)
        recurred = [stem.recur(heard) for stem, heard in zip(stems, self._bridge(encoded), strict=True)]
        parts = [encoded, torch.stack(recurred, dim=1)]
        if features_heard is not None:
            parts.append(features_heard.unsqueeze(1).expand(-1, len(stems), -1, -1).to(encoded.dtype))
        latents = torch.cat(parts, dim=-1)
        decoded = [stem.decode(latent) for stem, latent in zip(stems, self._bridge(latents), strict=True)]

        masks = rearrange(
            torch.stack(decoded, dim=1).to(magnitude.dtype),
            "batch stem frame (channel bin) -> batch stem channel frame bin",
            channel=self.channels,
        )
        refined = _refine(masks * spectrogram.unsqueeze(1), spectrogram, self.config)
        rows = transform.synthesise(refined, first_frame=0, envelope=transform.envelope())
        return Estimate(
            sources=transform.crop(rows),
            masks=masks.transpose(-1, -2),
            magnitudes=(masks * magnitude.unsqueeze(1)).transpose(-1, -2),
            latents=latents.transpose(-1, -2),
        )

    def _estimate_in_blocks(self, padded: Tensor, transform: BlockSTFT, features_heard: Tensor | None) -> Estimate:
        """The same for processors: on all cores and, but for the BLSTMs, in blocks of frames that caches hold."""
        config, num_frames = self.config, transform.num_frames
        stems = [cast("_StemNetwork", network).layers(folded=True) for network in self.networks]
        step = (config.wiener_window_frames or num_frames) if config.wiener_iterations else _BLOCK_FRAMES
        blocks = [
            _Block(example, first, min(first + step, num_frames))
            for example in range(padded.shape[0])
            for first in range(0, num_frames, step)
        ]
        sizes = (padded.shape[0], len(stems))
        own_width = config.latent_width
        latents = padded.new_empty(*sizes, num_frames, self.latent_grid.width)
        if features_heard is not None:
            latents[..., own_width:] = features_heard.unsqueeze(1)
        masks = padded.new_empty(*sizes, num_frames, config.channels, config.n_fft // 2 + 1)
        magnitudes = torch.empty_like(masks)
        rows = padded.new_zeros(*sizes, config.channels, transform.num_rows, config.hop_length)
        envelope = transform.envelope()

        def encode(block: _Block) -> None:
            example, first, last = block
            spectrogram = transform.analyse(padded[example], first_frame=first, last_frame=last)
            features = rearrange(spectrogram[..., : config.num_bins].abs(), "channel frame bin -> frame (channel bin)")
            for index, stem in enumerate(stems):
                latents[example, index, first:last, : config.hidden_size] = stem.encode(features)

        def recur(index: int) -> None:
            latents[:, index, :, config.hidden_size : own_width] = stems[index].recur(heard[index])

        def decode(block: _Block) -> list[Tensor]:
            example, first, last = block
            spectrogram = transform.analyse(padded[example], first_frame=first, last_frame=last)
            magnitude = spectrogram.abs()

            def masked(index: int) -> Tensor:
                here = masks[example, index, first:last]
                mask = here.copy_(stems[index].decode(joint[index][example, first:last]).view_as(here)).transpose(0, 1)
                torch.mul(mask, magnitude, out=magnitudes[example, index, first:last].transpose(0, 1))
                return mask * spectrogram

            estimates = (masked(index) for index in range(len(stems)))
            if config.wiener_iterations:
                estimates = _refine(torch.stack(list(estimates)), spectrogram, config).unbind()
            tails: list[Tensor] = []
            for index, estimate in enumerate(estimates):
                reached = transform.synthesise(estimate, first_frame=first, envelope=envelope)
                rows[example, index, :, first:last] = reached[:, : last - first]
                tails.append(reached[:, last - first :].clone())
            return tails

        map_on_cores(encode, blocks)
        heard = self._bridge(latents[..., : config.hidden_size])
        map_on_cores(recur, range(len(stems)))
        joint = self._bridge(latents)
        for (example, _, last), tails in zip(blocks, map_on_cores(decode, blocks), strict=True):
            rows[example, ..., last : last + transform.rows_per_frame - 1, :] += torch.stack(tails)
        return Estimate(
            sources=transform.crop(rows),
            masks=rearrange(masks, "batch stem frame channel bin -> batch stem channel bin frame"),
            magnitudes=rearrange(magnitudes, "batch stem frame channel bin -> batch stem channel bin frame"),
            latents=latents.transpose(-1, -2),
        )

    def _bridge(self, stems: Float[Tensor, "batch stem frame feature"]) -> Sequence[Tensor]:
        """What each stem hears next: the mean of all, or itself."""
        return [stems.mean(dim=1)] * stems.shape[1] if self.config.bridged else stems.unbind(dim=1)


def _refine(estimate: Tensor, mixture: Tensor, config: XUMXConfig) -> Tensor:
    """Wiener filtering, if it is asked for, of spectrograms whose last axes are ``channel frame bin``."""
    if not config.wiener_iterations:
        return estimate
    return wiener_em(
        estimate=estimate.transpose(-1, -2),
        mixture=mixture.transpose(-1, -2),
        iterations=config.wiener_iterations,
        window_frames=config.wiener_window_frames,
    ).transpose(-1, -2)


class _Block(NamedTuple):
    """Frames of one example from ``first`` up to, not including, ``last``."""

    example: int
    first: int
    last: int


class _StemNetwork(nn.Module):
    """What belongs to one stem: an encoder before the first bridge, a BLSTM between, a decoder behind the second."""

    def __init__(self, config: XUMXConfig) -> None:
        super().__init__()
        width, num_output_bins = config.hidden_size, config.n_fft // 2 + 1
        self.encoder = NormalisedLinear(config.channels * config.num_bins, width, input_bins=config.num_bins)
        self.recurrent = nn.LSTM(
            width,
            width // 2 if config.bidirectional else width,
            config.num_layers,
            batch_first=True,
            bidirectional=config.bidirectional,
            dropout=config.dropout_probability if config.num_layers > 1 else 0.0,
        )
        self.squeeze = NormalisedLinear(2 * width, width)
        self.expand = NormalisedLinear(width, config.channels * num_output_bins, output_bins=num_output_bins)

    def hear(self, num_features: int) -> None:
        """Widen the decoder by a listener's features; what was there stays, weights of the features are drawn."""
        linear = self.squeeze.linear
        more = torch.empty(linear.out_features, num_features)
        nn.init.uniform_(more, -1, 1).div_((linear.in_features + num_features) ** 0.5)
        linear.weight = nn.Parameter(torch.cat([linear.weight.detach(), more], dim=1))
        linear.in_features += num_features

    def layers(self, *, folded: bool) -> "_StemLayers":
        """The layers, in evaluation mode optionally folded once for many blocks."""
        dense = (self.encoder, self.squeeze, self.expand)
        encoder, squeeze, expand = (layer.folded() for layer in dense) if folded else dense
        return _StemLayers(encoder, self.recurrent, squeeze, expand)


@dataclass(frozen=True)
class _StemLayers:
    """What a stem computes."""

    encoder: Callable[[Tensor], Tensor]
    recurrent: nn.LSTM
    squeeze: Callable[[Tensor], Tensor]
    expand: Callable[[Tensor], Tensor]

    def encode(self, features: Float[Tensor, "*axes frame feature"]) -> Float[Tensor, "*axes frame width"]:
        """Features before the first bridge, within [-1, 1]."""
        return torch.tanh(self.encoder(features))

    def recur(self, heard: Float[Tensor, "batch frame width"]) -> Float[Tensor, "batch frame width"]:
        """What the recurrent layers make of what they hear."""
        return self.recurrent(heard)[0]

    def decode(self, latent: Float[Tensor, "*axes frame latent"]) -> Float[Tensor, "*axes frame feature"]:
        """The mask, channel-major."""
        return torch.relu(self.expand(torch.relu(self.squeeze(latent))))

"""Demucs: a waveform U-Net with strided convolutions, gated linear units, and a BLSTM at its bottom.

With ``C_0 = channels``, ``C_1 = width`` and ``C_i = growth C_{i-1}``, the layers ``i = 1 ... depth`` are

    encoder:  e_i = GLU(Conv1(relu(Conv_{K,S}(e_{i-1}))))                              C_{i-1} -> C_i -> 2 C_i -> C_i
    bottom:   d   = relu(Linear(BLSTM(e_depth)))                                       C -> 2 C -> C
    decoder:  d_{i-1} = relu(ConvT_{S,K}(GLU(Conv1([relu(Conv_3(d_i)), e_i]))))        of the preprint (skip="concat")
              d_{i-1} = relu(ConvT_{S,K}(GLU(Conv_3(d_i + e_i))))                      of the release (skip="add")

without padding: what is longer is trimmed at both ends. The last layer has one output per stem and channel and no relu.
The mixture is shifted and scaled by mean and deviation of its mono sum; this is undone at the end.

References: Defossez, Usunier, Bottou and Bach, "Demucs: deep extractor for music sources with extra unlabeled data
remixed", preprint of September 2019, section 3; `demucs_v2` is demucs 2.0.3, to which it is equal with the same
weights (``tests/parity``).
Deviations: the preprint says nothing of padding and normalisation; both are the release's, but statistics are those of
what `forward` is given rather than of a whole track. One bottom serves all stems, so there are no ``latents``. The
bottom's ablation (``lstm_layers=0``) drops its linear layer, too. Inputs are padded with zeros to a length that fits.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from stemtune.models.base import Separator, SeparatorConfig, StemParameters
from stemtune.nn.lstm import BidirectionalLSTM
from stemtune.nn.parallel import map_on_cores
from stemtune.nn.scaled_conv import Rescaling, ScaledConv
from stemtune.signal.sinc import double_rate, halve_rate
from stemtune.types import Estimate, LatentGrid

__all__ = ["Demucs", "DemucsConfig", "demucs_v2"]

_BLOCK_VALUES, _BLOCK_ROWS = 1 << 17, 512  # what a core works on fits its cache, and is worth reading the weights for
_EPSILON = 1e-5


class DemucsConfig(SeparatorConfig):
    """The preprint's sizes: 44.1 kHz stereo, four stems, 152.6 million parameters."""

    kind: Literal["demucs"] = "demucs"  # pyright: ignore[reportIncompatibleVariableOverride]
    stems: tuple[str, ...] = Field(default=("drums", "bass", "other", "vocals"), min_length=1)
    sample_rate: int = Field(default=44100, gt=0)
    channels: int = Field(default=2, gt=0)
    width: int = Field(default=48, gt=0, description="channels behind the first layer")
    depth: int = Field(default=6, gt=0, description="layers of the encoder, and of the decoder")
    growth: float = Field(default=2.0, ge=1, description="of the number of channels from layer to layer")
    kernel_size: int = Field(default=8, gt=0, description="a multiple of the stride")
    stride: int = Field(default=4, gt=1)
    context_frames: int = Field(default=3, gt=0, description="kernel of the decoders' first convolution")
    skip: Literal["concat", "add"] = Field(default="concat", description="how the decoder hears the encoder")
    glu: bool = Field(default=True, description="gated linear units; False for relu")
    lstm_layers: int = Field(default=2, ge=0, description="0 for nothing between encoder and decoder")
    bottom_relu: bool = Field(default=True, description="whether a relu follows the linear layer behind the BLSTM")
    rescaling: Rescaling = Field(default="equalised", description="see `stemtune.nn.scaled_conv`")
    rescaling_reference: float = Field(default=0.1, gt=0)
    normalise: bool = Field(default=True, description="by mean and deviation of the mono mixture")
    resample: bool = Field(default=False, description="work at twice the sample rate")
    chunk_seconds: float = Field(default=10.0, gt=0, description="inference slice")

    @model_validator(mode="after")
    def _sizes_fit(self) -> "DemucsConfig":
        if self.kernel_size % self.stride:
            raise ValueError(f"kernel_size must be a multiple of the stride {self.stride}, not {self.kernel_size}")
        if len(set(self.stems)) < len(self.stems):
            raise ValueError(f"stems must have distinct names, not {', '.join(self.stems)}")
        return self

    @property
    def layer_channels(self) -> tuple[int, ...]:
        """``C_0 ... C_depth``."""
        widths = [self.width]
        for _ in range(1, self.depth):
            widths.append(int(self.growth * widths[-1]))
        return (self.channels, *widths)

    def build(self) -> "Demucs":
        """A network with fresh weights."""
        return Demucs(self)


def demucs_v2(*, width: int = 64, resample: bool = True) -> DemucsConfig:
    """The variant that was released, as demucs 2.0.3 builds it by default."""
    return DemucsConfig(width=width, resample=resample, skip="add", bottom_relu=False, rescaling="initial")


class Demucs(Separator):
    """See the module's description."""

    config_type: ClassVar[type[SeparatorConfig]] = DemucsConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "latents"})

    def __init__(self, config: DemucsConfig) -> None:
        super().__init__()
        self._config = config
        sizes = config.layer_channels
        self.encoder = nn.ModuleList(_Encoder(config, sizes[i], sizes[i + 1]) for i in range(config.depth))
        self.bottom = _Bottom(config, sizes[-1]) if config.lstm_layers else None
        outputs = (len(config.stems) * config.channels, *sizes[1:])
        self.decoder = nn.ModuleList(
            _Decoder(config, sizes[i + 1], outputs[i], is_last=i == 0) for i in reversed(range(config.depth))
        )

    @property
    def config(self) -> DemucsConfig:
        """The configuration that this network was built from."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """Ten seconds by default."""
        return round(self.config.chunk_seconds * self.sample_rate)

    @property
    def context_samples(self) -> int:
        """What the convolutions reach, or one second, after which the BLSTM has mostly forgotten."""
        return max(self.sample_rate, self.valid_length(1))

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """See `Separator`: outputs of the last layer, ``(sample stem channel)``."""
        last = cast("_Decoder", self.decoder[-1]).up
        name = f"decoder.{self.config.depth - 1}.up"
        return (
            StemParameters(f"{name}.weight", axis=2, inner=self.channels, scale=last.gain),
            StemParameters(f"{name}.bias", axis=0, inner=self.channels),
        )

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """See `Separator`: the last layer of the decoder."""
        return (f"decoder.{self.config.depth - 1}.*",)

    def valid_length(self, num_samples: int) -> int:
        """The least input, in samples, whose estimate is at least ``num_samples`` long and leaves no sample over."""
        config = self.config
        length = 2 * num_samples if config.resample else num_samples
        for _ in range(config.depth):
            length = max(1, math.ceil((length - config.kernel_size) / config.stride) + 1) + config.context_frames - 1
        for _ in range(config.depth):
            length = (length - 1) * config.stride + config.kernel_size
        return math.ceil(length / 2) if config.resample else length

    @property
    def latent_grid(self) -> LatentGrid:
        """One latent for all stems where encoder and decoder meet."""
        config = self.config
        rate = config.sample_rate * (2 if config.resample else 1)
        return LatentGrid(config.layer_channels[-1], config.stride**config.depth / rate, num_latents=1)

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """Separate mixtures of any length; see `Separator.forward`.

        Returns:
            sources, and the bottom's output as the latent that all stems share, ``batch 1 feature frame``.
        """
        num_samples = mixture.shape[-1]
        mono = mixture.mean(dim=1, keepdim=True)
        mean = mono.mean(dim=-1, keepdim=True) if self.config.normalise else mono.new_zeros(1)
        deviation = (
            mono.std(dim=-1, keepdim=True, correction=min(1, num_samples - 1))
            if self.config.normalise
            else mono.new_ones(1)
        )
        missing = self.valid_length(num_samples) - num_samples
        x = functional.pad((mixture - mean) / (_EPSILON + deviation), (missing // 2, missing - missing // 2))
        if self.config.resample:
            x = double_rate(x)
        transformed, latents = self._transform(x)
        y = transformed.to(mixture.dtype)
        if self.config.resample:
            y = halve_rate(y)
        first = (y.shape[-1] - num_samples) // 2
        y = y[..., first : first + num_samples] * deviation + mean
        sources = y.reshape(y.shape[0], len(self.stems), self.channels, num_samples)
        return Estimate(
            sources=sources,
            latents=rearrange(latents.to(mixture.dtype), "batch frame feature -> batch 1 feature frame"),
        )

    def _transform(
        self, x: Float[Tensor, "batch channel time"]
    ) -> tuple[Float[Tensor, "batch feature _time"], Float[Tensor, "batch frame latent"]]:
        """The U-Net, on rows: all examples one after the other, each with room for what convolutions append.

        Returns:
            what the last layer and what the bottom say.
        """
        config, batch = self.config, x.shape[0]
        num_rows = config.stride**config.depth * math.ceil(x.shape[-1] / config.stride**config.depth)
        rows = rearrange(functional.pad(x, (0, num_rows - x.shape[-1])), "batch channel time -> (batch time) channel")
        length = x.shape[-1]
        saved: list[tuple[Tensor, int]] = []
        for module in self.encoder:
            rows = rows.reshape(-1, config.stride * rows.shape[1])
            length, num_rows = (length - config.kernel_size) // config.stride + 1, num_rows // config.stride
            rows = self._in_blocks(cast("_Encoder", module), _EncoderInput(rows))
            saved.append((rows, length))
        if self.bottom is not None:
            frames = rows.view(batch, num_rows, -1)[:, :length].transpose(0, 1)
            rows = functional.pad(self.bottom(frames).transpose(0, 1), (0, 0, 0, num_rows - length)).flatten(0, 1)
        latents = rows.view(batch, num_rows, -1)[:, :length]
        for module in self.decoder:
            skipped, skipped_length = saved.pop()
            heard = length - config.context_frames + 1
            trim = (skipped_length - (length if config.skip == "add" else heard)) // 2
            inside = (torch.arange(num_rows, device=x.device) < heard).repeat(batch).unsqueeze(1)
            length, num_rows = (heard - 1) * config.stride + config.kernel_size, num_rows * config.stride
            rows = self._in_blocks(cast("_Decoder", module), _DecoderInput(rows, skipped, trim, inside))
            rows = rows.view(batch * num_rows, -1)
        said = rearrange(rows.view(batch, num_rows, -1)[:, :length], "batch time feature -> batch feature time")
        return said, latents

    def _in_blocks(self, layer: "_Encoder | _Decoder", inputs: "_EncoderInput | _DecoderInput") -> Tensor:
        """A layer on all rows; without gradients, on all cores and in blocks that their caches hold."""
        num_rows = inputs.rows.shape[0]
        step = max(_BLOCK_ROWS, _BLOCK_VALUES // layer.width)
        if torch.is_grad_enabled() or inputs.rows.device.type != "cpu" or num_rows <= step:
            return layer(inputs)
        starts = range(0, num_rows, step)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else inputs.rows.dtype
        result = torch.empty(num_rows, layer.out_features, dtype=dtype)

        def compute(start: int) -> None:
            end = min(start + step, num_rows)
            first = max(0, start - layer.reach_before)
            part = layer(inputs.between(first, min(end + layer.reach_behind, num_rows)))
            result[start:end] = part[start - first : end - first]

        map_on_cores(compute, starts)
        return result


@dataclass(frozen=True)
class _EncoderInput:
    """Frames of ``stride`` samples each."""

    rows: Tensor

    def between(self, first: int, last: int) -> "_EncoderInput":
        return _EncoderInput(self.rows[first:last])


@dataclass(frozen=True)
class _DecoderInput:
    """Rows, what the encoder passes over ``trim`` rows later, and which of the results count."""

    rows: Tensor
    skipped: Tensor
    trim: int
    inside: Tensor

    def between(self, first: int, last: int) -> "_DecoderInput":
        return _DecoderInput(
            self.rows[first:last], self.skipped[first : last + self.trim], self.trim, self.inside[first:last]
        )


class _Encoder(nn.Module):
    def __init__(self, config: DemucsConfig, in_channels: int, out_channels: int) -> None:
        super().__init__()
        taps = config.kernel_size // config.stride
        self.width, self.out_features = 2 * out_channels, out_channels
        self.reach_before, self.reach_behind = 0, taps - 1
        self.down = ScaledConv(
            taps,
            config.stride * in_channels,
            out_channels,
            fan_in=in_channels * config.kernel_size,
            rescaling=config.rescaling,
            reference=config.rescaling_reference,
        )
        self.mix = _gate(config, 1, out_channels, out_channels, fan_in=out_channels)
        self._taps, self._glu = taps, config.glu

    def forward(self, inputs: _EncoderInput) -> Tensor:
        x = torch.relu_(self.down(*((inputs.rows, tap) for tap in range(self._taps))))
        return _activate(self.mix((x, 0)), glu=self._glu)


class _Bottom(nn.Module):
    def __init__(self, config: DemucsConfig, channels: int) -> None:
        super().__init__()
        self.lstm = BidirectionalLSTM(channels, channels, config.lstm_layers)
        rescaling = config.rescaling if config.bottom_relu else "none"  # the release's is a linear layer, not rescaled
        self.squeeze = ScaledConv(
            1, 2 * channels, channels, fan_in=2 * channels, rescaling=rescaling, reference=config.rescaling_reference
        )
        self._relu = config.bottom_relu

    def forward(self, frames: Float[Tensor, "frame batch feature"]) -> Float[Tensor, "frame batch feature"]:
        x = self.lstm(frames)
        y = self.squeeze((x.flatten(0, 1), 0)).unflatten(0, x.shape[:2])
        return torch.relu(y) if self._relu else y


class _Decoder(nn.Module):
    def __init__(self, config: DemucsConfig, in_channels: int, out_channels: int, *, is_last: bool) -> None:
        super().__init__()
        self._config, self._is_last = config, is_last
        self._taps = config.kernel_size // config.stride
        self.width, self.out_features = 2 * in_channels, config.stride * out_channels
        self.reach_before, self.reach_behind = self._taps - 1, config.context_frames - 1
        context, concat = config.context_frames, config.skip == "concat"
        if concat:
            self.hear = ScaledConv(
                context,
                in_channels,
                in_channels,
                fan_in=in_channels * context,
                rescaling=config.rescaling,
                reference=config.rescaling_reference,
            )
            self.mix = _gate(config, 2, in_channels, in_channels, fan_in=2 * in_channels)
        else:
            self.mix = _gate(config, context, in_channels, in_channels, fan_in=in_channels * context)
        self.up = ScaledConv(
            self._taps,
            in_channels,
            config.stride * out_channels,
            fan_in=out_channels * config.kernel_size,
            bias_repeats=config.stride,
            rescaling=config.rescaling,
            reference=config.rescaling_reference,
        )

    def forward(self, inputs: _DecoderInput) -> Tensor:
        rows, skipped, trim, config = inputs.rows, inputs.skipped, inputs.trim, self._config
        if config.skip == "concat":
            x = torch.relu_(self.hear(*((rows, tap) for tap in range(config.context_frames))))
            mixed = self.mix((x, 0), (skipped, trim))
        else:
            there = skipped[trim : trim + rows.shape[0]]
            x = functional.pad(there, (0, 0, 0, rows.shape[0] - there.shape[0])) + rows
            mixed = self.mix(*((x, tap) for tap in range(config.context_frames)))
        y = _activate(mixed, glu=config.glu) * inputs.inside
        y = self.up(*((y, -tap) for tap in range(self._taps)))
        return y if self._is_last else torch.relu_(y)


def _gate(config: DemucsConfig, taps: int, in_channels: int, out_channels: int, *, fan_in: int) -> ScaledConv:
    """A convolution before a gated linear unit, or before the relu in its place."""
    return ScaledConv(
        taps,
        in_channels,
        2 * out_channels if config.glu else out_channels,
        fan_in=fan_in,
        rescaling=config.rescaling,
        reference=config.rescaling_reference,
    )


def _activate(x: Tensor, *, glu: bool) -> Tensor:
    return functional.glu(x, dim=-1) if glu else torch.relu(x)

"""Unmix: an auto-encoder per stem whose code a mixture can be made to hit.

A VQ-VAE (`VQVAE`) learns to write one stem down as a sequence of discrete codes and to play it back. Unmix (`Unmix`)
keeps each stem's codebook and decoder, and puts a new encoder before them that finds the same codes in a mixture:

    stem ~ decode_stem(quantise_stem(encode_stem(stem))),      estimate = decode_stem(quantise_stem(encode_mixture(x))).

Both are separators to everybody else; a VQ-VAE is one of a single stem, which it hears alone.

References:
    Zai El Amri, Tautz, Ritter and Melnik, "Transfer learning with Jukebox for music source separation", 2022
    (sections 3 and 4). Dhariwal et al., "Jukebox", 2020 (appendix B.1): level 0 of the auto-encoder, hop 8.

Deviations:
    Lengths that are no multiple of the hop are padded by reflection, not with zeros. The mask that the option
    ``refine`` derives from the decoded stems is ours: quality is then not limited by what the decoder can say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from stemtune.config import Frozen
from stemtune.models.base import Separator, SeparatorConfig, StemParameters, StemStream
from stemtune.nn.coding import Coder, CodeStream, decode_vectors, encode_waveform
from stemtune.nn.dilated import DilatedDecoder, DilatedEncoder, dilations
from stemtune.nn.vector_quantiser import Quantised, VectorQuantiser, VectorQuantiserConfig
from stemtune.signal.masking import ratio_mask
from stemtune.signal.stft import istft, stft
from stemtune.types import Estimate, LatentGrid

__all__ = ["VQVAE", "CodecConfig", "Encoded", "Unmix", "UnmixConfig", "VQVAEConfig"]


class CodecConfig(Frozen):
    """Sizes of an auto-encoder; the defaults are those of Jukebox's level 0."""

    stages: int = Field(default=3, ge=1, le=8, description="halvings of the rate; the hop is 2 to this power")
    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=8, ge=1, le=9, description="residual blocks of a stage")
    growth: int = Field(default=3, ge=1, le=4, description="of the dilation from block to block")
    quantiser: VectorQuantiserConfig = Field(default_factory=VectorQuantiserConfig)

    @property
    def hop_length(self) -> int:
        """Samples per code."""
        return 2**self.stages

    @property
    def reach_samples(self) -> int:
        """How far to either side a code hears (and, in the decoder, a code is heard)."""
        sums = sum(dilations(blocks=self.blocks, growth=self.growth))
        return sum((sums + 1) * 2**stage for stage in range(1, self.stages + 1)) + 2 * self.hop_length

    def encoder(self) -> DilatedEncoder:
        """A fresh encoder for mono waveforms."""
        return DilatedEncoder(channels=1, features=self.quantiser.features, **self._sizes)

    def decoder(self) -> DilatedDecoder:
        """A fresh decoder."""
        return DilatedDecoder(channels=1, features=self.quantiser.features, **self._sizes)

    @property
    def _sizes(self) -> dict[str, int]:
        return {"width": self.width, "stages": self.stages, "blocks": self.blocks, "growth": self.growth}


@dataclass(frozen=True)
class Encoded:
    """A waveform as an encoder understands it.

    Attributes:
        latents: ``batch feature frame``, before quantisation.
        codes: ``batch frame``.
        num_samples: of the waveform.
    """

    latents: Float[Tensor, "batch feature frame"]
    codes: Int[Tensor, "batch frame"]
    num_samples: int


class VQVAEConfig(SeparatorConfig):
    """Hyper-parameters of `VQVAE`."""

    kind: Literal["vqvae"] = "vqvae"
    stems: tuple[str, ...] = Field(default=("drums",), min_length=1, max_length=1, description="what it listens to")
    sample_rate: int = Field(default=44100, ge=8000, le=192000, description="Hz")
    channels: int = Field(default=1, ge=1, le=1, description="stereo is separated channel by channel")
    codec: CodecConfig = Field(default_factory=CodecConfig)
    chunk_seconds: float = Field(default=12.0, gt=0, description="of inference")

    def build(self) -> "VQVAE":
        """A freshly initialised network."""
        return VQVAE(self)


class VQVAE(Separator):
    """One stem's auto-encoder; in training mode its codebook follows what it hears."""

    config_type: ClassVar[type[SeparatorConfig]] = VQVAEConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "latents", "codes", "commitment"})

    def __init__(self, config: VQVAEConfig) -> None:
        super().__init__()
        self._config = config
        self.encoder = config.codec.encoder()
        self.quantiser = config.codec.quantiser.build()
        self.decoder = config.codec.decoder()

    @property
    def config(self) -> VQVAEConfig:
        """See `Separator`."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """See `Separator`."""
        return round(self._config.chunk_seconds * self._config.sample_rate)

    @property
    def context_samples(self) -> int:
        """See `Separator`: an encoder's reach and a decoder's."""
        return 2 * self._config.codec.reach_samples

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """See `Separator`: all of it."""
        return (StemParameters("*", axis=None),)

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """See `Separator`: the decoder."""
        return ("decoder.*",)

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """See `Separator`; the mixture is the stem itself."""
        latents = encode_waveform(self.encoder, mixture, reach_samples=self._config.codec.reach_samples)
        quantised = self.quantiser(latents)
        reach = self._config.codec.reach_samples
        waveform = decode_vectors(self.decoder, quantised.vectors, reach_samples=reach, num_samples=mixture.shape[-1])
        waveform = waveform * _audible(mixture)
        return _estimate(waveform[:, None], latents[:, None], [quantised])

    def encode(self, waveform: Float[Tensor, "batch channel time"]) -> Encoded:
        """The latents and the codes of a mono waveform within [-1, 1]."""
        latents = encode_waveform(self.encoder, waveform, reach_samples=self._config.codec.reach_samples)
        return Encoded(latents, self.quantiser.encode(latents), num_samples=waveform.shape[-1])

    def decode(self, codes: Int[Tensor, "batch frame"], *, num_samples: int) -> Float[Tensor, "batch channel time"]:
        """The waveform that some codes stand for.

        Raises:
            IndexError: if a code lies outside of the codebook.
        """
        reach = self._config.codec.reach_samples
        return decode_vectors(self.decoder, self.quantiser.decode(codes), reach_samples=reach, num_samples=num_samples)

    def stream(self) -> tuple[StemStream, ...]:
        """See `Separator`."""
        return tuple(CodeStream(coder) for coder in self.coders)

    @property
    def coders(self) -> tuple[Coder, ...]:
        """Of its only stem."""
        return (Coder(self.encoder, self.quantiser, self.decoder),)


class UnmixConfig(SeparatorConfig):
    """Hyper-parameters of `Unmix`."""

    kind: Literal["unmix"] = "unmix"
    stems: tuple[str, ...] = Field(default=("vocals", "drums", "bass", "other"), min_length=1)
    sample_rate: int = Field(default=44100, ge=8000, le=192000, description="Hz")
    channels: int = Field(default=1, ge=1, le=1, description="stereo is separated channel by channel")
    codec: CodecConfig = Field(default_factory=CodecConfig)
    complete: bool = Field(default=True, description="whether the stems together are the whole mixture")
    refine: Literal["none", "mask"] = Field(
        default="none", description="mask: share the mixture's spectrogram among the decoded stems and what is left"
    )
    n_fft: int = Field(default=2048, ge=16, description="of the mask")
    mask_power: float = Field(default=2.0, gt=0)
    decode_in_training: bool = Field(
        default=True, description="false saves the time where only the latents are learnt from: sources are then zero"
    )
    chunk_seconds: float = Field(default=12.0, gt=0, description="of inference")

    @model_validator(mode="after")
    def _stems_differ(self) -> "UnmixConfig":
        if len(set(self.stems)) < len(self.stems):
            raise ValueError(f"the stems must have different names, got {', '.join(self.stems)}")
        return self

    def build(self) -> "Unmix":
        """A freshly initialised network."""
        return Unmix(self)


class Unmix(Separator):
    """A mixture encoder, a codebook and a decoder for each stem.

    In training mode ``sources`` are decoded from the codes as in evaluation, unless the configuration says otherwise.
    """

    config_type: ClassVar[type[SeparatorConfig]] = UnmixConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "latents", "codes", "commitment"})

    def __init__(self, config: UnmixConfig) -> None:
        super().__init__()
        self._config = config
        self.encoders = nn.ModuleList(config.codec.encoder() for _ in config.stems)
        self.quantisers = nn.ModuleList(config.codec.quantiser.build() for _ in config.stems)
        self.decoders = nn.ModuleList(config.codec.decoder() for _ in config.stems)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)

    window: Tensor

    @property
    def config(self) -> UnmixConfig:
        """See `Separator`."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """See `Separator`."""
        return round(self._config.chunk_seconds * self._config.sample_rate)

    @property
    def context_samples(self) -> int:
        """See `Separator`: an encoder's reach and a decoder's."""
        return 2 * self._config.codec.reach_samples

    @property
    def latent_grid(self) -> LatentGrid:
        """See `Separator`: one latent for each stem and code."""
        codec = self._config.codec
        return LatentGrid(codec.quantiser.features, codec.hop_length / self._config.sample_rate, len(self.stems))

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """See `Separator`: an encoder, a codebook and a decoder for each stem."""
        return tuple(StemParameters(f"{part}.{{stem}}.*") for part in ("encoders", "quantisers", "decoders"))

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """See `Separator`: the decoders."""
        return ("decoders.*",)

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """See `Separator`."""
        reach = self._config.codec.reach_samples
        coders = self.coders
        latents = torch.stack([encode_waveform(c.encoder, mixture, reach_samples=reach) for c in coders], dim=1)
        quantised: list[Quantised] = [coder.quantiser(latents[:, stem]) for stem, coder in enumerate(coders)]
        if self.training and not self._config.decode_in_training:
            sources = mixture.new_zeros(()).expand(mixture.shape[0], len(self.stems), *mixture.shape[1:])
            return _estimate(sources, latents, quantised)
        decoded = [
            decode_vectors(coder.decoder, of_stem.vectors, reach_samples=reach, num_samples=mixture.shape[-1])
            for coder, of_stem in zip(coders, quantised, strict=True)
        ]
        sources = torch.stack(decoded, dim=1) * _audible(mixture)[:, None]
        refined = self._refined(sources, mixture) if self._config.refine == "mask" else sources
        return _estimate(refined, latents, quantised)

    def stream(self) -> tuple[StemStream, ...] | None:
        """See `Separator`; with masks, None."""
        if self._config.refine != "none":
            return None
        return tuple(CodeStream(coder) for coder in self.coders)

    @property
    def complete(self) -> bool:
        """See `Separator`."""
        return self._config.complete

    def take_codec(self, stem: str, codec: VQVAE) -> None:
        """Copy a stem's codebook and decoder from its auto-encoder.

        Raises:
            ValueError: if its sizes are others.
        """
        if codec.config.codec != self._config.codec:
            raise ValueError(f"the auto-encoder of {stem!r} has other sizes: {codec.config.codec}")
        place = self.stems.index(stem)
        self.quantisers[place].load_state_dict(codec.quantiser.state_dict())
        self.decoders[place].load_state_dict(codec.decoder.state_dict())

    @property
    def coders(self) -> tuple[Coder, ...]:
        """Encoder, codebook and decoder of each stem."""
        parts = zip(self.encoders, self.quantisers, self.decoders, strict=True)
        return tuple(Coder(*cast("tuple[DilatedEncoder, VectorQuantiser, DilatedDecoder]", part)) for part in parts)

    def _refined(
        self, decoded: Float[Tensor, "batch stem channel time"], mixture: Float[Tensor, "batch channel time"]
    ) -> Float[Tensor, "batch stem channel time"]:
        """The mixture, shared by what was decoded and what nobody decoded."""
        n_fft, num_samples = self._config.n_fft, mixture.shape[-1]
        leftover = mixture - decoded.sum(dim=1)
        parts = torch.cat([decoded, leftover[:, None]], dim=1).float()
        magnitudes = stft(parts, n_fft=n_fft, hop_length=n_fft // 4, window=self.window).abs()
        whole = stft(mixture.float(), n_fft=n_fft, hop_length=n_fft // 4, window=self.window)
        masked = ratio_mask(magnitudes=magnitudes, power=self._config.mask_power)[:, :-1] * whole[:, None]
        return istft(masked, n_fft=n_fft, hop_length=n_fft // 4, window=self.window, num_samples=num_samples)


def _estimate(
    sources: Float[Tensor, "batch stem channel time"],
    latents: Float[Tensor, "batch stem feature frame"],
    quantised: Sequence[Quantised],
) -> Estimate:
    return Estimate(
        sources=sources,
        latents=latents,
        codes=torch.stack([of_stem.codes for of_stem in quantised], dim=1),
        commitment=torch.stack([of_stem.commitment for of_stem in quantised]).mean(),
    )


def _audible(mixture: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch 1 1"]:
    """One where there is any sound and zero where there is none, for which no code exists."""
    return (mixture.abs().amax(dim=(1, 2), keepdim=True) > 0).to(torch.promote_types(mixture.dtype, torch.float32))

"""BandNet: a compact convolutional separator that runs faster than real time on one core of a laptop.

The mixture's spectrogram, compressed and cut into bands (narrow below, wide above), passes through residual blocks of
convolutions dilated in time, each followed by a learned mixing across all bands; every band then answers with a mask
for each stem, channel and bin. The masks of the stems sum to one, and so the estimates sum to the mixture:

    S[stem] = softmax over stems (logits)[stem] * X.

References:
    Luo and Yu, "Music source separation with band-split RNN", 2023: the band split.
    Luo and Mesgarani, "Conv-TasNet", 2019 (section III-B): dilated residual blocks in place of recurrence.

Deviations:
    The combination is ours, sized for two cores and minutes of training data: no recurrence, real masks, one network
    for all stems, inputs |L|, |R|, |M|, |S| raised to a power and scaled by the level of each excerpt.
"""

from typing import ClassVar, Literal, cast

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from stemtune.models.base import Separator, SeparatorConfig, StemParameters
from stemtune.nn.bands import BandJoin, BandMixing, BandSplit, band_widths
from stemtune.signal.stft import join_frames, stft
from stemtune.types import Estimate

__all__ = ["BandNet", "BandNetConfig"]

_SILENCE = 1e-5  # root mean square (-100 dBFS) below which an excerpt is not amplified any further


class BandNetConfig(SeparatorConfig):
    """Hyper-parameters of `BandNet`; the defaults are those of the model that stemtune ships."""

    kind: Literal["bandnet"] = "bandnet"
    stems: tuple[str, ...] = Field(default=("vocals", "drums", "bass", "other"), min_length=2)
    sample_rate: int = Field(default=44100, ge=8000, le=192000, description="Hz")
    channels: int = Field(default=2, ge=1, le=2)
    n_fft: int = Field(default=4096, ge=16)
    hop_length: int = Field(default=1024, ge=4)
    bands: tuple[tuple[int, int], ...] = Field(
        default=((16, 4), (12, 8), (12, 16), (8, 48), (6, 125)),
        description="(how many bands, how many bins wide), from 0 Hz up; bins above take the last band's mean mask",
    )
    width: int = Field(default=64, ge=4, description="channels of each band")
    dilations: tuple[int, ...] = Field(
        default=(1, 2, 4, 8, 16, 1, 2, 4, 8, 16), min_length=1, description="frames, one per block"
    )
    mixing_groups: int = Field(default=8, ge=1)
    compression: float = Field(default=0.3, gt=0, le=1, description="the power that magnitudes are raised to")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of whole channels of a block, in training")
    chunk_seconds: float = Field(default=6.0, gt=0, description="of inference; memory grows with it, scores hardly do")

    @model_validator(mode="after")
    def _bands_fit(self) -> "BandNetConfig":
        bins = sum(band_widths(self.bands))
        if bins > self.n_fft // 2 + 1:
            raise ValueError(f"the bands cover {bins} bins, the spectrogram has only {self.n_fft // 2 + 1}")
        if self.width % self.mixing_groups:
            raise ValueError(f"width ({self.width}) must be a multiple of mixing_groups ({self.mixing_groups})")
        return self

    def build(self) -> "BandNet":
        """A freshly initialised network."""
        return BandNet(self)


class _Block(nn.Module):
    """x + mix(convolve(x)): 3x3 convolution dilated in time, mixing across bands, 1x1 convolution."""

    def __init__(self, *, width: int, bands: int, dilation: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(width, width, 3, padding=(1, dilation), dilation=(1, dilation), bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.mix = BandMixing(bands=bands, channels=width, groups=groups)
        self.dropout = nn.Dropout2d(dropout)
        self.project = nn.Conv2d(width, width, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(width)

    def forward(self, x: Float[Tensor, "batch channel band frame"]) -> Float[Tensor, "batch channel band frame"]:
        h = functional.relu(self.norm(self.convolve(x)))
        h = self.dropout(h + self.mix(h))
        return x + self.project_norm(self.project(h))


class BandNet(Separator):
    """The network; see the module's description."""

    config_type: ClassVar[type[SeparatorConfig]] = BandNetConfig
    offers: ClassVar[frozenset[str]] = frozenset({"sources", "masks", "spectrograms"})

    def __init__(self, config: BandNetConfig) -> None:
        super().__init__()
        self._config = config
        widths = band_widths(config.bands)
        self.bins = sum(widths)
        features = config.channels if config.channels == 1 else config.channels + 2
        self.split = BandSplit(features=features, widths=widths, channels=config.width)
        self.split_norm = nn.BatchNorm2d(config.width)
        self.blocks = nn.ModuleList(
            _Block(
                width=config.width,
                bands=len(widths),
                dilation=dilation,
                groups=config.mixing_groups,
                dropout=config.dropout,
            )
            for dilation in config.dilations
        )
        self.head_norm = nn.BatchNorm2d(config.width)
        self.head = BandJoin(channels=config.width, widths=widths, features=len(config.stems) * config.channels)
        self.last_band = widths[-1]
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)

    @property
    def config(self) -> BandNetConfig:
        """The configuration that this network was built from."""
        return self._config

    @property
    def chunk_samples(self) -> int:
        """``config.chunk_seconds`` at the model's rate."""
        return round(self._config.chunk_seconds * self._config.sample_rate)

    @property
    def context_samples(self) -> int:
        """Half the receptive field of the dilated convolutions, plus half a window."""
        return sum(self._config.dilations) * self._config.hop_length + self._config.n_fft // 2

    @property
    def stem_parameters(self) -> tuple[StemParameters, ...]:
        """See `Separator`: rows of the join, ``(bin stem channel)``."""
        return (StemParameters("head.maps.*", axis=0, inner=self.channels),)

    @property
    def head_patterns(self) -> tuple[str, ...]:
        """See `Separator`: the join, and the norm before it."""
        return ("head.*", "head_norm.*")

    def forward(self, mixture: Float[Tensor, "batch channel time"]) -> Estimate:
        """Separate; see `Separator.forward`."""
        config = self._config
        with torch.autocast(mixture.device.type, enabled=False):
            mixture = mixture.float()
            spectrogram = stft(mixture, n_fft=config.n_fft, hop_length=config.hop_length, window=self.window)
            features = self._features(mixture, spectrogram)
        h = functional.relu(self.split_norm(self.split(features)))
        for block in self.blocks:
            h = block(h)
        logits = self.head(functional.relu(self.head_norm(h)))
        with torch.autocast(mixture.device.type, enabled=False):
            masks = self._masks(logits.float(), frequencies=spectrogram.shape[-2])
            spectrograms = masks * spectrogram.permute(0, 3, 1, 2).unsqueeze(2)
            sources = join_frames(
                cast("Tensor", torch.fft.irfft(spectrograms, n=config.n_fft)),
                hop_length=config.hop_length,
                window=self.window,
                num_samples=mixture.shape[-1],
            )
        return Estimate(
            sources=sources, masks=masks.permute(0, 2, 3, 4, 1), spectrograms=spectrograms.permute(0, 2, 3, 4, 1)
        )

    def _features(self, mixture: Tensor, spectrogram: Tensor) -> Float[Tensor, "batch feature frequency frame"]:
        """Compressed magnitudes of the channels (and of their mid and side), at a level that does not vary."""
        level = mixture.square().mean(dim=(1, 2)).sqrt().clamp_min(_SILENCE)
        bins = spectrogram[:, :, : self.bins]
        if bins.shape[1] == 2:
            left, right = bins[:, 0], bins[:, 1]
            bins = torch.stack((left, right, (left + right) / 2, (left - right) / 2), dim=1)
        scale = level * self._config.n_fft**0.5
        return (bins.abs() / scale[:, None, None, None]).clamp_min(1e-8).pow(self._config.compression)

    def _masks(
        self, logits: Float[Tensor, "batch frame feature bin"], *, frequencies: int
    ) -> Float[Tensor, "batch frame stem channel frequency"]:
        """Softmax over stems; the bins above the last band take that band's mean mask.

        Frequencies come last, as the inverse transform reads them.
        """
        masks = logits.reshape(*logits.shape[:2], len(self.stems), self.channels, -1).softmax(dim=2)
        missing = frequencies - masks.shape[-1]
        if not missing:
            return masks
        top = masks[..., -self.last_band :].mean(dim=-1, keepdim=True)
        return torch.cat((masks, top.expand(*masks.shape[:-1], missing)), dim=-1)

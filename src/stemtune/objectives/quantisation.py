"""What an auto-encoder with a codebook learns from, and what a mixture encoder learns from it.

`AutoEncoding` compares waveforms (the mean square, and the loudest errors once more), spectrograms at three
resolutions, and latents with their codes; `LatentMatch` compares a mixture's latents with those of a stem:

    L1 = mean e^2 / B_w + .02 mean_top e^2 / B_w + mean_r ||  |S_r| - |S_hat_r|  || / B_s + .02 commitment
    L2 = mean (latents_mixture - latents_stem)^2.

The bandwidths B_w and B_s are the data's own power, so that losses on quiet stems and on loud ones are alike.

References:
    Dhariwal et al., "Jukebox", 2020 (section 3.1, appendix B.1). Zai El Amri et al., "Transfer learning with Jukebox
    for music source separation", 2022 (sections 3.2 and 3.3).

Deviations:
    The paper writes a codebook loss; the codebook follows without one (`stemtune.nn.vector_quantiser`), as in its code.
    The log also tells the perplexity of each step's codes, by which a collapse is seen as it happens.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from stemtune.config import Config
from stemtune.errors import ConfigError, InputError
from stemtune.objectives.base import FindTeacher, Objective, Teacher
from stemtune.types import Batch, Estimate, Loss

__all__ = [
    "AutoEncoding",
    "AutoEncodingConfig",
    "Bandwidths",
    "LatentMatch",
    "LatentMatchConfig",
    "measure_bandwidths",
]

_RESOLUTIONS = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # n_fft, hop, window
_BANDWIDTH_RESOLUTION = (2048, 256, 1536)


@dataclass(frozen=True)
class Bandwidths:
    """The power of some audio.

    Attributes:
        waveform: the variance of its samples.
        spectral: the norm of the magnitude spectrogram of one training excerpt, on average.
    """

    waveform: float
    spectral: float


def measure_bandwidths(excerpts: Iterable[Float[Tensor, "channel time"]]) -> Bandwidths:
    """The bandwidths of excerpts as long as those that are trained on; some ten minutes of them are enough.

    Raises:
        InputError: if there is no sound in them.
    """
    count, total, squares, norms, num_excerpts = 0, 0.0, 0.0, 0.0, 0
    for excerpt in excerpts:
        count += excerpt.numel()
        total += float(excerpt.double().sum())
        squares += float(excerpt.double().square().sum())
        norms += float(_norm(_magnitudes(excerpt.mean(dim=0, keepdim=True), *_BANDWIDTH_RESOLUTION)))
        num_excerpts += 1
    variance = squares / max(1, count) - (total / max(1, count)) ** 2
    if variance <= 0 or norms <= 0:
        raise InputError(f"the {num_excerpts} excerpts are silent; expected audio of the stem that shall be learnt")
    return Bandwidths(waveform=variance, spectral=norms / num_excerpts)


class AutoEncodingConfig(Config[Objective]):
    """The weights of `AutoEncoding`; give it the bandwidths of the data (`measure_bandwidths`)."""

    kind: Literal["auto_encoding"] = "auto_encoding"
    waveform_bandwidth: float = Field(default=1.0, gt=0)
    spectral_bandwidth: float = Field(default=1.0, gt=0)
    loudest_weight: float = Field(default=0.02, ge=0, description="of the loudest errors")
    loudest_samples: int = Field(default=2048, ge=1, description="of each example")
    spectral_weight: float = Field(default=1.0, ge=0)
    commitment_weight: float = Field(default=0.02, ge=0)

    def build(self) -> "AutoEncoding":
        """The objective."""
        return AutoEncoding(self)


class AutoEncoding:
    """The first equation of the module."""

    needs = frozenset({"sources", "commitment"})

    def __init__(self, config: AutoEncodingConfig) -> None:
        self._config = config

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """See the module's description."""
        config = self._config
        heard, said = batch.sources.float(), estimate.sources.float()
        errors = (said - heard).square().flatten(1) / config.waveform_bandwidth
        waveform = errors.mean() + config.loudest_weight * _loudest(errors, config.loudest_samples)
        spectral = torch.stack(
            [
                _norm(_magnitudes(said.flatten(0, 2), *sizes) - _magnitudes(heard.flatten(0, 2), *sizes))
                for sizes in _RESOLUTIONS
            ]
        ).mean()
        spectral = spectral / config.spectral_bandwidth
        commitment = torch.zeros(()) if estimate.commitment is None else estimate.commitment
        total = waveform + config.spectral_weight * spectral + config.commitment_weight * commitment
        parts = {"waveform": waveform.item(), "spectral": spectral.item(), "commitment": commitment.item()}
        if estimate.codes is not None:
            parts["perplexity"] = _perplexity(estimate.codes)
        return Loss(total=total, parts=parts)


class LatentMatchConfig(Config[Objective]):
    """How `LatentMatch` compares, and whose latents it takes for the truth."""

    kind: Literal["latent_match"] = "latent_match"
    teachers: Mapping[str, str] = Field(default_factory=dict, description="the model that encodes each stem, by stem")
    measure: Literal["mse", "lmix"] = Field(
        default="mse", description="mse as in the paper; lmix adds the largest errors, as in its code"
    )
    loudest_weight: float = Field(default=0.02, ge=0)
    loudest_values: int = Field(default=2048, ge=1)

    def build(self) -> "LatentMatch":
        """The objective, still without its teachers."""
        return LatentMatch(self)


class LatentMatch:
    """The second equation of the module, once its teachers are handed in."""

    needs = frozenset({"latents"})

    def __init__(self, config: LatentMatchConfig, teachers: Mapping[str, Teacher] | None = None) -> None:
        self.config = config
        self._teachers = teachers or {}

    def taught(self, find: FindTeacher) -> "LatentMatch":
        """The same objective with the encoder of each stem."""
        return LatentMatch(self.config, {stem: find(name) for stem, name in self.config.teachers.items()})

    def __call__(self, estimate: Estimate, batch: Batch) -> Loss:
        """See the module's description.

        Raises:
            ConfigError: if a stem has no teacher, or teachers speak of other latents.
        """
        missing = [stem for stem in batch.stems if stem not in self._teachers]
        if missing or estimate.latents is None:
            raise ConfigError(
                f"matching latents needs a model that offers them and a teacher for each stem; there is none for "
                f"{', '.join(missing) or 'this model'}"
            )
        with torch.no_grad():
            answers = [self._teachers[stem](batch.sources[:, place]) for place, stem in enumerate(batch.stems)]
        truth = torch.stack(answers, dim=1)
        if truth.shape != estimate.latents.shape:
            raise ConfigError(
                f"the teacher's latents are {tuple(truth.shape)}, the model's {tuple(estimate.latents.shape)}; "
                "expected the same hop and width"
            )
        errors = (estimate.latents.float() - truth).square()
        each = errors.mean(dim=(0, 2, 3))
        total = each.mean()
        if self.config.measure == "lmix":
            flat = errors.flatten(0, 1).flatten(1)
            total = total + self.config.loudest_weight * _loudest(flat, self.config.loudest_values)
        return Loss(total=total, parts={s: float(v) for s, v in zip(batch.stems, each.detach(), strict=True)})


def _perplexity(codes: Int[Tensor, "batch stem frame"]) -> float:
    """How many equally frequent codes would be as varied as these; near one, the codebook has collapsed."""
    share = torch.bincount(codes.flatten()).double() / codes.numel()
    return float((-share * share.clamp_min(1e-12).log()).sum().exp())


def _loudest(errors: Float[Tensor, "item value"], count: int) -> Float[Tensor, ""]:
    """The mean of each item's largest errors."""
    return errors.topk(min(count, errors.shape[1]), dim=1).values.mean()


def _norm(spectrograms: Float[Tensor, "item frequency frame"]) -> Float[Tensor, ""]:
    """The Frobenius norm, averaged over items."""
    return cast("Tensor", torch.linalg.vector_norm(spectrograms, dim=(1, 2))).mean()


def _magnitudes(
    waveforms: Float[Tensor, "item time"], n_fft: int, hop_length: int, window_length: int
) -> Float[Tensor, "item frequency frame"]:
    """Magnitudes with centred, reflected frames; short waveforms are prolonged by zeros first."""
    if waveforms.shape[1] <= n_fft // 2:
        waveforms = torch.nn.functional.pad(waveforms, (0, n_fft // 2 + 1 - waveforms.shape[1]))
    window = torch.hann_window(window_length, device=waveforms.device)
    spectrogram = torch.stft(
        waveforms.float(), n_fft, hop_length=hop_length, win_length=window_length, window=window, return_complex=True
    )
    return spectrogram.abs()

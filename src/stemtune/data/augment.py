"""Augmentation of stems: first everything is drawn, then it is applied.

What is drawn is a small record that can be printed and repeated; applying it is a pure function. Stems are augmented
before they are added, and the mixture is their sum, so the stems always sum to the mixture:

    stem' = place(equalise(room(polarity * gain * stretch(speed(stem)))))    mixture' = sum over stems of stem'.

Stems that belong together (a coherent mixture) share speed, stretch and pitch: see `together`.

References:
    Uhlich et al., "Improving music source separation based on deep neural networks through data augmentation and
    network blending", 2017: gains in [.25, 1.25], channel swap, random mixing.
    Bugler, Pardo and Seetharaman, 2021 (section 3.1): pitch of up to 3 semitones, stretch by .8 to 1.2.
    Defossez, Usunier, Bottou and Bach, 2019 (section 5.2): polarity, channel swap, shift of each source.

Deviations:
    Polarity is one sign for all channels of a stem, as in Demucs's code; its preprint says per channel.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor

from stemtune.config import Frozen
from stemtune.data.augmentation.codec import MAX_CODEC_CHANNELS, Codec, CodecName, code
from stemtune.data.augmentation.room import CURVE_TERMS, Room, equalise, reverberate
from stemtune.data.augmentation.stage import place
from stemtune.data.augmentation.tempo import change_speed, require_vocoder, source_samples, stretch
from stemtune.errors import ConfigError

__all__ = ["Augmentation", "AugmentationConfig", "apply", "check", "draw", "num_source_samples", "together"]

Range = tuple[float, float]
_AnyRange = Range | tuple[int, int]
Limits = Range | tuple[int, int]
_MAX_SEMITONES, _MAX_STRETCH = 24.0, 4.0


class AugmentationConfig(Frozen):
    """The ranges and probabilities that `draw` draws from; the defaults change nothing."""

    gain_db: Range = Field(default=(0.0, 0.0), description="uniform in dB")
    gain: Range = Field(default=(1.0, 1.0), description="factor, uniform, on top of gain_db; Open-Unmix: .25 to 1.25")
    gain_probability: float = Field(default=1.0, ge=0, le=1, description="of both gains")
    swap_probability: float = Field(default=0.0, ge=0, le=1, description="of exchanging left and right")
    polarity_probability: float = Field(default=0.0, ge=0, le=1, description="of turning the waveform upside down")
    speed_semitones: Range = Field(
        default=(0.0, 0.0), description="playback speed, which moves pitch and tempo together, uniform in semitones"
    )
    speed_probability: float = Field(default=1.0, ge=0, le=1)
    pitch_semitones: Range = Field(default=(0.0, 0.0), description="pitch at the same tempo, uniform")
    pitch_probability: float = Field(default=1.0, ge=0, le=1)
    stretch: Range = Field(default=(1.0, 1.0), description="factor of the duration at the same pitch, uniform")
    stretch_probability: float = Field(default=1.0, ge=0, le=1)
    shift_seconds: float = Field(
        default=0.0, ge=0, description="stems of a coherent mixture begin up to so much later in their song, each by "
        "itself, uniform (Demucs: 0.5)"
    )  # fmt: skip
    shift_probability: float = Field(default=1.0, ge=0, le=1)
    width: Range = Field(default=(1.0, 1.0), description="factor of the side signal, uniform; 0 is mono")
    width_probability: float = Field(default=1.0, ge=0, le=1)
    pan_probability: float = Field(default=0.0, ge=0, le=1, description="of a random constant-power balance")
    reverb_probability: float = Field(default=0.0, ge=0, le=1, description="of a synthetic room")
    reverb_seconds: Range = Field(default=(0.15, 1.2), description="time to decay by 60 dB, uniform")
    equaliser_db: float = Field(
        default=0.0, ge=0, description="standard deviation of a random smooth curve over log-frequency, 50 Hz to 10 kHz"
    )
    equaliser_probability: float = Field(default=1.0, ge=0, le=1)
    codec_probability: float = Field(default=0.0, ge=0, le=1, description="of coding a stem lossily")
    codecs: tuple[CodecName, ...] = Field(default=("mp3", "aac", "opus"), min_length=1)
    codec_kbps: tuple[int, int] = Field(default=(32, 128), description="bit rate of all channels, uniform")

    @field_validator("gain_db", "gain", "speed_semitones", "pitch_semitones", "stretch", "width", "reverb_seconds",
                     "codec_kbps")  # fmt: skip
    @classmethod
    def _lowest_first(cls, value: _AnyRange) -> _AnyRange:
        if value[0] > value[1]:
            raise ValueError(f"expected the lower limit first, such as ({value[1]:g}, {value[0]:g})")
        return value

    @field_validator("stretch")
    @classmethod
    def _stretchable(cls, value: Range) -> Range:
        if value[0] < 1 / _MAX_STRETCH or value[1] > _MAX_STRETCH:
            raise ValueError(f"expected factors of the duration within {1 / _MAX_STRETCH:g} and {_MAX_STRETCH:g}")
        return value

    @field_validator("pitch_semitones", "speed_semitones")
    @classmethod
    def _within_two_octaves(cls, value: Range) -> Range:
        if max(abs(value[0]), abs(value[1])) > _MAX_SEMITONES:
            raise ValueError(f"expected at most {_MAX_SEMITONES:g} semitones up or down")
        return value

    @field_validator("gain", "width", "reverb_seconds", "codec_kbps")
    @classmethod
    def _not_negative(cls, value: Limits) -> Limits:
        if value[0] < 0:
            raise ValueError("expected nothing below zero")
        return value


@dataclass(frozen=True)
class Augmentation:
    """What was drawn for one stem of one example."""

    gain_db: float = 0.0
    gain: float = 1.0
    swap: bool = False
    polarity: int = 1
    speed: float = 1.0
    pitch_semitones: float = 0.0
    stretch: float = 1.0
    shift_seconds: float = 0.0
    width: float = 1.0
    pan: float = 0.0
    equaliser_db: tuple[float, ...] = ()
    reverb: Room | None = None
    codec: Codec | None = None


def check(config: AugmentationConfig, *, channels: int) -> None:
    """Refuse what cannot be done here.

    Raises:
        ConfigError: if a library is missing, or a codec cannot take so many channels.
    """
    if config.pitch_semitones != (0.0, 0.0) or config.stretch != (1.0, 1.0):
        require_vocoder()
    if config.codec_probability and channels > MAX_CODEC_CHANNELS:
        raise ConfigError(f"codecs take at most {MAX_CODEC_CHANNELS} channels, not {channels}; set codec_probability=0")


def draw(
    config: AugmentationConfig, generator: np.random.Generator, *, more: np.random.Generator | None = None
) -> Augmentation:
    """Draw one augmentation; always takes as many random values, whatever the configuration.

    Args:
        config: what to draw from.
        generator: for speed, gain_db, swap, polarity, width, balance, equaliser and room.
        more: for everything that came later, so that what is drawn without it stays the same; ``generator`` if None.
    """
    values: list[float] = generator.random(7).tolist()
    curve = generator.standard_normal(CURVE_TERMS)
    room_draw, decay, wet = generator.random(3).tolist()
    short, long = config.reverb_seconds
    room = Room(short + (long - short) * decay, level_db=-16.0 + 14.0 * wet, seed=int(generator.integers(2**31)))
    u: list[float] = (more or generator).random(14).tolist()
    is_gained, is_wide = u[0] < config.gain_probability, u[1] < config.width_probability
    codec = Codec(config.codecs[int(u[12] * len(config.codecs))], round(_between(config.codec_kbps, u[13])))
    return Augmentation(
        gain_db=_between(config.gain_db, values[0]) if is_gained else 0.0,
        gain=_between(config.gain, u[2]) if is_gained else 1.0,
        swap=values[1] < config.swap_probability,
        polarity=-1 if values[2] < config.polarity_probability else 1,
        speed=2.0 ** (_between(config.speed_semitones, values[3]) / 12) if u[3] < config.speed_probability else 1.0,
        pitch_semitones=_between(config.pitch_semitones, u[4]) if u[5] < config.pitch_probability else 0.0,
        stretch=_between(config.stretch, u[6]) if u[7] < config.stretch_probability else 1.0,
        shift_seconds=config.shift_seconds * u[8] if u[9] < config.shift_probability else 0.0,
        width=_between(config.width, values[4]) if is_wide else 1.0,
        pan=2 * values[6] - 1 if values[5] < config.pan_probability else 0.0,
        equaliser_db=tuple((curve * config.equaliser_db / CURVE_TERMS**0.5).tolist())
        if config.equaliser_db and u[10] < config.equaliser_probability
        else (),
        reverb=room if room_draw < config.reverb_probability else None,
        codec=codec if u[11] < config.codec_probability else None,
    )


def together(augmentation: Augmentation, leader: Augmentation) -> Augmentation:
    """The same augmentation with another's speed, pitch and stretch, for stems that must stay together."""
    shared = (leader.speed, leader.pitch_semitones, leader.stretch)
    if (augmentation.speed, augmentation.pitch_semitones, augmentation.stretch) == shared:
        return augmentation
    return replace(augmentation, speed=leader.speed, pitch_semitones=leader.pitch_semitones, stretch=leader.stretch)


def num_source_samples(augmentation: Augmentation, num_samples: int, *, sample_rate: int) -> int:
    """How many samples `apply` needs to make ``num_samples`` without padding."""
    return source_samples(
        num_samples,
        speed=augmentation.speed,
        factor=augmentation.stretch,
        semitones=augmentation.pitch_semitones,
        sample_rate=sample_rate,
    )


def apply(
    augmentation: Augmentation, samples: Float[Tensor, "channel from_time"], *, num_samples: int, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """The augmented samples, cut or padded with silence to ``num_samples``; the very same tensor if nothing changes.

    Give `num_source_samples` samples to get an excerpt without padding. ``shift_seconds`` is for whoever reads them.
    """
    if augmentation.speed != 1.0:
        samples = change_speed(samples, augmentation.speed, sample_rate=sample_rate)
    if augmentation.stretch != 1.0 or augmentation.pitch_semitones:
        samples = stretch(
            samples,
            factor=augmentation.stretch,
            semitones=augmentation.pitch_semitones,
            sample_rate=sample_rate,
        )
    if samples.shape[1] != num_samples:
        samples = torch.nn.functional.pad(samples, (0, max(0, num_samples - samples.shape[1])))[:, :num_samples]
    factor = augmentation.polarity * 10 ** (augmentation.gain_db / 20) * augmentation.gain
    if factor != 1.0:
        samples = samples * factor
    if augmentation.reverb:
        samples = reverberate(samples, augmentation.reverb, sample_rate=sample_rate)
    if augmentation.equaliser_db:
        samples = equalise(samples, augmentation.equaliser_db, sample_rate=sample_rate)
    if samples.shape[0] == 2:
        samples = place(samples, width=augmentation.width, pan=augmentation.pan, swap=augmentation.swap)
    if augmentation.codec:
        samples = code(samples, augmentation.codec, sample_rate=sample_rate)
    return samples


def _between(limits: Limits, place_between: float) -> float:
    low, high = limits
    return low + (high - low) * place_between

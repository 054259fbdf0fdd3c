"""Augmentation of stems: first everything is drawn, then it is applied.

What is drawn is a small record that can be printed and repeated; applying it is a pure function. Stems are augmented
before they are added, so the stems always sum to the mixture:

    stem'[c] = polarity * gain * stem[swap(c)] played at another speed.

References:
    Uhlich et al., "Improving music source separation based on deep neural networks through data augmentation and
    network blending", 2017: gains in [.25, 1.25], channel swap, random mixing.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import soxr
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from stemtune.config import Frozen

__all__ = ["Augmentation", "AugmentationConfig", "apply", "at_speed", "draw"]

_CURVE_TERMS = 5  # the finest has a period of less than three octaves


class AugmentationConfig(Frozen):
    """The ranges and probabilities that `draw` draws from; the defaults change nothing."""

    gain_db: tuple[float, float] = Field(default=(0.0, 0.0), description="uniform in dB")
    swap_probability: float = Field(default=0.0, ge=0, le=1, description="of exchanging left and right")
    polarity_probability: float = Field(default=0.0, ge=0, le=1, description="of turning the waveform upside down")
    speed_semitones: tuple[float, float] = Field(
        default=(0.0, 0.0), description="playback speed, which moves pitch and tempo together, uniform in semitones"
    )
    width: tuple[float, float] = Field(default=(1.0, 1.0), description="factor of the side signal, uniform; 0 is mono")
    pan_probability: float = Field(default=0.0, ge=0, le=1, description="of a random constant-power balance")
    reverb_probability: float = Field(default=0.0, ge=0, le=1, description="of a synthetic room")
    reverb_seconds: tuple[float, float] = Field(default=(0.15, 1.2), description="time to decay by 60 dB, uniform")
    equaliser_db: float = Field(
        default=0.0, ge=0, description="standard deviation of a random smooth curve over log-frequency, 50 Hz to 10 kHz"
    )


@dataclass(frozen=True)
class Augmentation:
    """What was drawn for one stem of one example."""

    gain_db: float = 0.0
    swap: bool = False
    polarity: int = 1
    speed: float = 1.0
    width: float = 1.0
    pan: float = 0.0
    equaliser_db: tuple[float, ...] = ()
    reverb: "Reverb | None" = None


@dataclass(frozen=True)
class Reverb:
    """A room made of decaying noise: its decay by 60 dB, its level relative to the direct sound, its seed."""

    decay_seconds: float
    level_db: float
    seed: int


def draw(config: AugmentationConfig, generator: np.random.Generator) -> Augmentation:
    """Draw one augmentation; always takes as many random values from the generator."""
    values = [float(value) for value in generator.random(7)]
    curve = generator.standard_normal(_CURVE_TERMS) * config.equaliser_db / _CURVE_TERMS**0.5
    room_draw, decay, wet = (float(value) for value in generator.random(3))
    short, long = config.reverb_seconds
    room = Reverb(short + (long - short) * decay, level_db=-16.0 + 14.0 * wet, seed=int(generator.integers(2**31)))
    low, high = config.gain_db
    slow, fast = config.speed_semitones
    narrow, wide = config.width
    return Augmentation(
        gain_db=low + (high - low) * values[0],
        swap=values[1] < config.swap_probability,
        polarity=-1 if values[2] < config.polarity_probability else 1,
        speed=2.0 ** ((slow + (fast - slow) * values[3]) / 12),
        width=narrow + (wide - narrow) * values[4],
        pan=2 * values[6] - 1 if values[5] < config.pan_probability else 0.0,
        equaliser_db=tuple(float(term) for term in curve) if config.equaliser_db else (),
        reverb=room if room_draw < config.reverb_probability else None,
    )


def at_speed(augmentation: Augmentation, speed: float) -> Augmentation:
    """The same augmentation at another speed, for stems that must stay together."""
    return replace(augmentation, speed=speed)


def apply(
    augmentation: Augmentation, samples: Float[Tensor, "channel from_time"], *, num_samples: int, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """The augmented samples, cut or padded with silence to ``num_samples``.

    Give ``num_samples * augmentation.speed`` samples, rounded up, to get an excerpt without padding.
    """
    if augmentation.speed != 1.0:
        faster = soxr.resample(samples.T.numpy(), sample_rate * augmentation.speed, sample_rate, quality="MQ")
        samples = torch.from_numpy(faster).T
    samples = torch.nn.functional.pad(samples, (0, max(0, num_samples - samples.shape[1])))[:, :num_samples]
    samples = samples * (augmentation.polarity * 10 ** (augmentation.gain_db / 20))
    if augmentation.reverb:
        samples = _reverberate(samples, augmentation.reverb, sample_rate)
    if augmentation.equaliser_db:
        samples = _equalise(samples, augmentation.equaliser_db, sample_rate)
    if samples.shape[0] == 2:
        samples = _stage(samples, augmentation)
    return samples


def _reverberate(
    samples: Float[Tensor, "channel time"], room: Reverb, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """Add decaying noise, different in each channel, convolved with the sound; the direct sound stays as it is."""
    length = min(samples.shape[1], round(room.decay_seconds * sample_rate))
    noise = np.random.default_rng(room.seed).standard_normal((samples.shape[0], length))
    tail = noise * np.exp(-6.91 * np.arange(length) / length)
    tail *= 10 ** (room.level_db / 20) / np.sqrt(np.sum(tail**2, axis=1, keepdims=True) + 1e-12)
    size = 1 << (samples.shape[1] + length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples.numpy(), n=size) * np.fft.rfft(tail, n=size), n=size)
    return samples + torch.from_numpy(wet[:, : samples.shape[1]].astype(np.float32))


def _equalise(
    samples: Float[Tensor, "channel time"], curve_db: tuple[float, ...], sample_rate: int
) -> Float[Tensor, "channel time"]:
    """Shape the spectrum by a sum of cosines over log-frequency, without delay."""
    waveforms = samples.numpy()
    frequencies = np.fft.rfftfreq(waveforms.shape[1], 1 / sample_rate).clip(50.0, 10_000.0)
    place = np.log(frequencies / 50.0) / math.log(200.0)
    gain_db = sum(term * math.sqrt(2) * np.cos(math.pi * (i + 1) * place) for i, term in enumerate(curve_db))
    shaped = np.fft.irfft(np.fft.rfft(waveforms) * 10 ** (gain_db / 20), n=waveforms.shape[1])
    return torch.from_numpy(shaped.astype(np.float32))


def _stage(samples: Float[Tensor, "channel time"], augmentation: Augmentation) -> Float[Tensor, "channel time"]:
    """Width, balance and swap of a stereo signal."""
    left, right = samples
    if augmentation.width != 1.0:
        mid, side = (left + right) / 2, (left - right) / 2 * augmentation.width
        left, right = mid + side, mid - side
    if augmentation.pan:
        angle = torch.tensor((augmentation.pan + 1) * torch.pi / 4)
        left, right = left * angle.cos() * 2**0.5, right * angle.sin() * 2**0.5
    return torch.stack((right, left) if augmentation.swap else (left, right))

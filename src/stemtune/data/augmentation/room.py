"""Rooms and curves: a stem in other surroundings and through another equaliser, without any delay.

    room:       y = x + x * noise(t) exp(-6.91 t / T)          (T: seconds to decay by 60 dB)
    equaliser:  Y(f) = X(f) 10^(g(f) / 20),  g a sum of cosines over log-frequency

References:
    None; both are the simplest that vary what recordings vary in.

Deviations:
    None known.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["CURVE_TERMS", "Room", "equalise", "reverberate"]

CURVE_TERMS = 5  # the finest has a period of less than three octaves


@dataclass(frozen=True)
class Room:
    """A room made of decaying noise: its decay by 60 dB, its level relative to the direct sound, its seed."""

    decay_seconds: float
    level_db: float
    seed: int


def reverberate(
    samples: Float[Tensor, "channel time"], room: Room, *, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """Add decaying noise, different in each channel, convolved with the sound; the direct sound stays as it is."""
    length = min(samples.shape[1], round(room.decay_seconds * sample_rate))
    noise = np.random.default_rng(room.seed).standard_normal((samples.shape[0], length))
    tail = noise * np.exp(-6.91 * np.arange(length) / length)
    tail *= 10 ** (room.level_db / 20) / np.sqrt(np.sum(tail**2, axis=1, keepdims=True) + 1e-12)
    size = 1 << (samples.shape[1] + length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples.numpy(), n=size) * np.fft.rfft(tail, n=size), n=size)
    return samples + torch.from_numpy(wet[:, : samples.shape[1]].astype(np.float32))


def equalise(
    samples: Float[Tensor, "channel time"], curve_db: tuple[float, ...], *, sample_rate: int
) -> Float[Tensor, "channel time"]:
    """Shape the spectrum by a sum of cosines over log-frequency, 50 Hz to 10 kHz."""
    gain_db = torch.tensor(curve_db) @ _cosines(samples.shape[1], sample_rate)[: len(curve_db)]
    shaped = cast("Tensor", torch.fft.rfft(samples)) * torch.pow(10.0, gain_db / 20)
    return cast("Tensor", torch.fft.irfft(shaped, n=samples.shape[1]))


@lru_cache(maxsize=4)  # examples of a run have one length
def _cosines(num_samples: int, sample_rate: int) -> Float[Tensor, "term bin"]:
    """The curves that are summed, from 50 Hz to 10 kHz, and constant beyond."""
    frequencies = np.fft.rfftfreq(num_samples, 1 / sample_rate).clip(50.0, 10_000.0)
    place = np.log(frequencies / 50.0) / math.log(200.0)
    curves = [math.sqrt(2) * np.cos(math.pi * term * place) for term in range(1, CURVE_TERMS + 1)]
    return torch.from_numpy(np.stack(curves).astype(np.float32))

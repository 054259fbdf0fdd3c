"""Log-mel spectrograms: magnitudes gathered into bands that are as wide as the ear's.

    y[b, n] = log( offset + sum_f  W[b, f] |X[f, n]| ),    mel(f) = 1127 ln(1 + f / 700),

where the weights of a band rise from the centre of the band below to its own, and fall to that of the band above,
linearly in mel. Frames are not centred: the first begins with the first sample, and an unfinished last one is dropped.

References:
    Young et al., "The HTK book": the scale. Hershey et al., "CNN architectures for large-scale audio classification",
    2017: the offset, and magnitudes instead of powers.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["LogMel", "log_mel"]


@dataclass(frozen=True)
class LogMel:
    """The settings of a log-mel spectrogram; the defaults are VGGish's, at 16 kHz.

    Attributes:
        sample_rate: in Hz.
        window_samples: length of the periodic Hann window.
        hop_length: samples between frames.
        n_fft: length of the transform, at least the window's.
        num_bands: how many bands.
        lowest_hz: where the first band begins.
        highest_hz: where the last band ends.
        offset: what is added before the logarithm.
    """

    sample_rate: int = 16000
    window_samples: int = 400
    hop_length: int = 160
    n_fft: int = 512
    num_bands: int = 64
    lowest_hz: float = 125.0
    highest_hz: float = 7500.0
    offset: float = 0.01

    def num_frames(self, num_samples: int) -> int:
        """Whole frames in so many samples."""
        return max(0, (num_samples - self.window_samples) // self.hop_length + 1)


def log_mel(waveform: Float[Tensor, "*axes time"], settings: LogMel) -> Float[Tensor, "*axes band frame"]:
    """The log-mel spectrogram of a waveform at ``settings.sample_rate``; without frames if it is too short."""
    count = settings.num_frames(waveform.shape[-1])
    if not count:
        return waveform.new_zeros(*waveform.shape[:-1], settings.num_bands, 0)
    window = torch.hann_window(settings.window_samples, dtype=waveform.dtype, device=waveform.device)
    frames = waveform.unfold(-1, settings.window_samples, settings.hop_length) * window
    padded = functional.pad(frames, (0, settings.n_fft - settings.window_samples))
    magnitudes = cast("Tensor", torch.fft.rfft(padded)).abs()
    weights = _weights(settings).to(magnitudes)
    return (magnitudes @ weights + settings.offset).log().transpose(-1, -2)


@cache
def _weights(settings: LogMel) -> Float[Tensor, "frequency band"]:
    """Triangles in mel; 0 Hz belongs to no band."""
    frequencies = torch.linspace(0.0, settings.sample_rate / 2, settings.n_fft // 2 + 1, dtype=torch.float64)
    places = _mel(frequencies)[:, None]
    lowest, highest = (1127 * math.log(1 + hz / 700) for hz in (settings.lowest_hz, settings.highest_hz))
    edges = torch.linspace(lowest, highest, settings.num_bands + 2, dtype=torch.float64)
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    weights = torch.minimum((places - below) / (centre - below), (above - places) / (above - centre)).clamp_min(0)
    weights[0] = 0
    return weights


def _mel(frequencies_hz: Float[Tensor, " frequency"]) -> Float[Tensor, " frequency"]:
    return 1127 * (1 + frequencies_hz / 700).log()

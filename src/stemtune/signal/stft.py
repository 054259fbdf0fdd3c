"""The short-time Fourier transform and its inverse, on waveforms with any leading axes.

    X[f, n] = sum_t  window[t] x[t + n hop] exp(-2 pi i f t / n_fft)

Centred frames with reflected borders and an unnormalised transform, as in `torch.stft`; the inverse is exact for
any window that satisfies the overlap-add condition. Inputs shorter than half a window, which reflection cannot
extend, are padded with zeros instead.
"""

from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional

__all__ = ["istft", "num_frames", "stft"]


def stft(
    waveform: Float[Tensor, "*axes time"], *, n_fft: int, hop_length: int, window: Float[Tensor, "n_fft"]
) -> Complex[Tensor, "*axes frequency frame"]:
    """Complex spectrogram with ``n_fft // 2 + 1`` frequencies and ``time // hop_length + 1`` frames."""
    leading, time = waveform.shape[:-1], waveform.shape[-1]
    flat = waveform.reshape(-1, time)
    mode = "reflect" if time > n_fft // 2 else "constant"
    padded = functional.pad(flat.unsqueeze(1), (n_fft // 2, n_fft // 2), mode=mode).squeeze(1)
    spectrogram = torch.stft(
        padded, n_fft=n_fft, hop_length=hop_length, window=window, center=False, return_complex=True
    )
    return spectrogram.reshape(*leading, *spectrogram.shape[-2:])


def istft(
    spectrogram: Complex[Tensor, "*axes frequency frame"],
    *,
    n_fft: int,
    hop_length: int,
    window: Float[Tensor, "n_fft"],
    num_samples: int,
) -> Float[Tensor, "*axes time"]:
    """The waveform of ``num_samples`` samples whose `stft` is closest to ``spectrogram``."""
    leading = spectrogram.shape[:-2]
    flat = spectrogram.reshape(-1, *spectrogram.shape[-2:])
    waveform = cast("Tensor", torch.istft(flat, n_fft=n_fft, hop_length=hop_length, window=window, length=num_samples))
    return waveform.reshape(*leading, num_samples)


def num_frames(num_samples: int, *, hop_length: int) -> int:
    """How many frames `stft` makes of ``num_samples`` samples."""
    return num_samples // hop_length + 1

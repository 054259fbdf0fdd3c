"""The short-time Fourier transform in units of amplitude, as `scipy.signal.stft` defines it by default.

    X[f, n] = sum_t  window[t] x[t + n hop] exp(-2 pi i f t / n_fft) / sum_t window[t]

Divided by the window's sum, a sinusoid of amplitude 1 has a peak of 1/2 whatever the window, so that a floor in dB and
the size of a loss on magnitudes mean the same at every resolution. The signal is extended by half a window of zeros on
either side, and by more zeros until the last frame is full.

References:
    scipy 1.17, ``scipy.signal.stft`` (``boundary="zeros"``, ``padded=True``, ``scaling="spectrum"``), which nussl
    uses; equal to rounding (``tests/signal/test_scaled_stft.py``).

Deviations:
    None known.
"""

from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional

__all__ = ["scaled_istft", "scaled_num_frames", "scaled_stft", "sqrt_hann"]


def sqrt_hann(n_fft: int, *, dtype: torch.dtype = torch.float32) -> Float[Tensor, "n_fft"]:
    """The square root of the periodic Hann window: analysis and synthesis together make one Hann window."""
    return torch.hann_window(n_fft, dtype=torch.float64).sqrt().to(dtype)


def scaled_stft(
    waveform: Float[Tensor, "*axes time"], *, hop_length: int, window: Float[Tensor, "n_fft"]
) -> Complex[Tensor, "*axes frequency frame"]:
    """Complex spectrogram with ``n_fft // 2 + 1`` frequencies and `scaled_num_frames` frames."""
    n_fft = window.shape[0]
    leading, time = waveform.shape[:-1], waveform.shape[-1]
    padding = (n_fft // 2, n_fft // 2 + -time % hop_length)
    spectrogram = torch.stft(
        functional.pad(waveform.reshape(-1, time), padding),
        n_fft=n_fft,
        hop_length=hop_length,
        window=window / window.sum(),
        center=False,
        return_complex=True,
    )
    return spectrogram.reshape(*leading, *spectrogram.shape[-2:])


def scaled_istft(
    spectrogram: Complex[Tensor, "*axes frequency frame"],
    *,
    hop_length: int,
    window: Float[Tensor, "n_fft"],
    num_samples: int,
) -> Float[Tensor, "*axes time"]:
    """The waveform of ``num_samples`` samples whose `scaled_stft` is closest to ``spectrogram``."""
    leading = spectrogram.shape[:-2]
    waveform = cast(
        "Tensor",
        torch.istft(
            spectrogram.reshape(-1, *spectrogram.shape[-2:]),
            n_fft=window.shape[0],
            hop_length=hop_length,
            window=window / window.sum(),
            length=num_samples,
        ),
    )
    return waveform.reshape(*leading, num_samples)


def scaled_num_frames(num_samples: int, *, hop_length: int) -> int:
    """How many frames `scaled_stft` makes of ``num_samples`` samples."""
    return -(-num_samples // hop_length) + 1

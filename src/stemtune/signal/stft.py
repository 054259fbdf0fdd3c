"""The short-time Fourier transform and its inverse, on waveforms with any leading axes.

    X[f, n] = sum_t  window[t] x[t + n hop] exp(-2 pi i f t / n_fft)

`join_frames` is the last step of the inverse for frames that are transformed already, in the order in which they lie in
memory: a network that works frame by frame saves every transposition between its masks and its waveforms.

Centred frames with reflected borders and an unnormalised transform, as in `torch.stft`; the inverse is exact for
any window that satisfies the overlap-add condition. Inputs shorter than half a window, which reflection cannot
extend, are padded with zeros instead.
"""

from typing import Any, cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional

__all__ = ["istft", "join_frames", "num_frames", "stft"]


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


def join_frames(
    frames: Float[Tensor, "batch frame *axes n_fft"],
    *,
    hop_length: int,
    window: Float[Tensor, "n_fft"],
    num_samples: int,
) -> Float[Tensor, "batch *axes time"]:
    """The waveform out of the inverse transforms of the frames of a `stft`: windowed, added, and weighed.

    Equal to `istft` up to rounding; it reads and writes whole frames only.
    """
    batch, num, *axes, n_fft = frames.shape
    waveform = cast("Tensor", _JoinFrames.apply(frames.reshape(batch, num, -1, n_fft), window, hop_length, num_samples))
    return waveform.reshape(batch, *axes, num_samples)


class _JoinFrames(torch.autograd.Function):
    """``batch frame line n_fft`` to ``batch line time``; its gradient is cutting into windowed frames."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor, window: Tensor, hop_length: int, num_samples: int) -> Tensor:
        ctx.hop_length, ctx.window = hop_length, window
        ctx.weight = _weight(window, num=frames.shape[1], hop_length=hop_length)
        first = window.shape[0] // 2
        waveform = (_add_frames(frames, window, hop_length) * ctx.weight)[..., first : first + num_samples]
        return functional.pad(waveform, (0, num_samples - waveform.shape[-1]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        window, weight = cast("Tensor", ctx.window), cast("Tensor", ctx.weight)
        (gradient,) = gradients
        first = window.shape[0] // 2
        whole = functional.pad(gradient, (first, weight.shape[0] - first - gradient.shape[-1])) * weight
        cut = whole.unfold(-1, window.shape[0], int(ctx.hop_length))  # batch line frame n_fft
        return cut.transpose(1, 2) * window, None, None, None


def _add_frames(
    frames: Float[Tensor, "batch frame line n_fft"], window: Float[Tensor, "n_fft"], hop_length: int
) -> Float[Tensor, "batch line time"]:
    """The windowed frames, each at its place, without the division by the sum of squared windows."""
    batch, num, lines, n_fft = frames.shape
    parts = -(-n_fft // hop_length)
    whole = frames.new_zeros(batch, lines, num + parts - 1, hop_length)
    for part in range(parts):
        piece = slice(part * hop_length, min(n_fft, (part + 1) * hop_length))
        size = piece.stop - piece.start
        place = whole[:, :, part : part + num, :size]
        place.addcmul_(frames[..., piece].transpose(1, 2), window[piece])
    return whole.flatten(2)[..., : (num - 1) * hop_length + n_fft]


def _weight(window: Float[Tensor, "n_fft"], *, num: int, hop_length: int) -> Float[Tensor, "time"]:
    """One over the sum of squared windows where it is not zero."""
    ones = window.new_ones(1).expand(1, num, 1, window.shape[0])
    total = _add_frames(ones, window.square(), hop_length)[0, 0]
    return torch.where(total > 1e-11, 1 / total, 0.0)


def num_frames(num_samples: int, *, hop_length: int) -> int:
    """How many frames `stft` makes of ``num_samples`` samples."""
    return num_samples // hop_length + 1

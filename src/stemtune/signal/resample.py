"""Resampling without delay, whole or block by block, by soxr's band-limited interpolation.

    y[m] = sum_k x[k] h(m / target_rate - k / source_rate),

with a linear-phase low-pass ``h``. The sound is taken as zero before its first and behind its last sample.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["fit_length", "resample", "resample_blocks", "resampled_length"]

_QUALITY = "HQ"  # 20 bits: images and distortion below -120 dB


def resampled_length(num_samples: int, *, source_rate: int, target_rate: int) -> int:
    """How many samples `resample` makes of ``num_samples``: as many as have begun, so never none of some."""
    return -(-num_samples * target_rate // source_rate)


def resample(
    waveform: Float[Tensor, "*axes time"], *, source_rate: int, target_rate: int
) -> Float[Tensor, "*axes _time"]:
    """A whole waveform at another rate; see `resampled_length` for its length."""
    flat = waveform.flatten(0, -2) if waveform.ndim > 1 else waveform.unsqueeze(0)
    length = resampled_length(flat.shape[1], source_rate=source_rate, target_rate=target_rate)
    blocks = resample_blocks([flat], source_rate=source_rate, target_rate=target_rate)
    pieces = list(fit_length(blocks, length))
    result = torch.cat(pieces, dim=1) if pieces else flat[:, :0]
    return result.reshape(*waveform.shape[:-1], length)


def resample_blocks(
    blocks: Iterable[Tensor], *, source_rate: int, target_rate: int
) -> Iterator[Float[Tensor, "channel time"]]:
    """A stream at another rate, aligned with the original, and at least as long (cut it with `fit_length`).

    How the stream is cut into blocks makes no difference to a single bit. Equal rates pass the blocks on untouched.
    """
    if source_rate == target_rate:
        yield from blocks
        return
    stream: soxr.ResampleStream | None = None
    num_channels = 0
    for block in blocks:
        if stream is None:
            num_channels = block.shape[0]
            stream = soxr.ResampleStream(source_rate, target_rate, num_channels, dtype="float32", quality=_QUALITY)
        yield _feed(stream, block.T, last=False)
    if stream is not None:
        # A few zeros more, so that rounding cannot cost the last sample.
        tail = 2 + 2 * source_rate // target_rate
        yield _feed(stream, torch.zeros(tail, num_channels), last=True)


def fit_length(blocks: Iterable[Tensor], num_samples: int) -> Iterator[Tensor]:
    """The first ``num_samples`` samples of a stream, continued by zeros if it ends too early."""
    missing, last = num_samples, None
    for block in blocks:
        last = block
        if missing:
            piece = block[..., :missing]
            missing -= piece.shape[-1]
            if piece.shape[-1]:
                yield piece
    if missing and last is not None:
        yield last.new_zeros(*last.shape[:-1], missing)


def _feed(stream: soxr.ResampleStream, frames: Float[Tensor, "time channel"], *, last: bool) -> Tensor:
    array = np.ascontiguousarray(frames.numpy(), dtype=np.float32)
    return torch.from_numpy(stream.resample_chunk(array, last=last)).T

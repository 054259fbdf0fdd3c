"""Separation in one call, from a file or an array, in memory.

    stems = separate("song.mp3");    stems["vocals"].save("vocals.flac")

The stems have the rate, the channels and the length of what came in, and sum to it.
"""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from stemtune.data.sound import Sound
from stemtune.errors import InputError, UsageError
from stemtune.hub import DEFAULT_MODEL, load
from stemtune.models.base import Separator
from stemtune.separation.options import SeparationOptions, choose_device
from stemtune.separation.stream import separate_waveform
from stemtune.types import StemSet

__all__ = ["separate"]

_MAX_CHANNELS = 64  # more than this is a waveform lying on its side


def separate(
    source: "str | PathLike[str] | Sound | Tensor | np.ndarray[Any, np.dtype[Any]]",
    *,
    sample_rate: int | None = None,
    model: str | Path | Separator = DEFAULT_MODEL,
    options: SeparationOptions | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> StemSet[Sound]:
    """Separate a song into its stems.

    Args:
        source: an audio file, a `Sound`, or an array of floating-point samples, ``time`` or ``channel time``.
        sample_rate: of an array, in Hz; files and sounds know theirs.
        model: a model's name or folder, or a separator, which is used where it is and as it is.
        options: how to separate, such as ``stemtune.SeparationOptions(overlap=0.5)``; None for the defaults.
        on_progress: is told how many samples are finished; may raise to stop.

    Returns:
        a `Sound` for each stem, by name; of as many channels and samples as the source (a ``time`` array is mono).

    Raises:
        UsageError: for an unknown model or device, or a missing sample rate.
        InputError: if the source cannot be read, or is not a waveform of finite numbers.
    """
    options = options or SeparationOptions()
    sound = _as_sound(source, sample_rate)
    separator = model if isinstance(model, Separator) else load(model).to(choose_device(options.device))
    stems = separate_waveform(
        separator, sound.samples, sample_rate=sound.sample_rate, options=options, on_progress=on_progress
    )
    return StemSet(
        {name: Sound(samples, sound.sample_rate) for name, samples in zip(separator.stems, stems, strict=True)}
    )


def _as_sound(source: object, sample_rate: int | None) -> Sound:
    if isinstance(source, Sound | str | PathLike):
        sound = source if isinstance(source, Sound) else Sound.load(Path(cast("str | PathLike[str]", source)))
        if sample_rate is not None and sample_rate != sound.sample_rate:
            raise UsageError(
                f"the source has {sound.sample_rate} Hz, not {sample_rate}; leave sample_rate out, it is known"
            )
        return sound
    if not isinstance(source, Tensor | np.ndarray):
        raise UsageError(f"expected a file's path, a Sound, or an array of samples; got {type(source).__name__}")
    if sample_rate is None:
        raise UsageError("an array does not know its sample rate; give sample_rate=44100, or whatever it is")
    if not 1_000 <= sample_rate <= 768_000:
        raise UsageError(f"expected a sample rate in Hz, such as 44100; got {sample_rate}")
    return Sound(_as_samples(cast("Tensor | np.ndarray[Any, np.dtype[Any]]", source)), sample_rate)


def _as_samples(array: "Tensor | np.ndarray[Any, np.dtype[Any]]") -> Tensor:
    shape = tuple(array.shape)
    floating = array.is_floating_point() if isinstance(array, Tensor) else np.issubdtype(array.dtype, np.floating)
    if not floating:
        raise InputError(
            f"expected floating-point samples within [-1, 1]; got {array.dtype}: "
            "divide integers by their full scale (16 bits: samples / 32768)"
        )
    if len(shape) not in (1, 2):
        raise InputError(f"expected samples of the shape (time,) or (channel, time); got {shape}")
    if 0 in shape:
        raise InputError(f"the array has no samples (its shape is {shape}); there is nothing to separate")
    if len(shape) == 2 and shape[0] > shape[1] and (shape[0] > _MAX_CHANNELS or shape[1] <= 2):
        raise InputError(f"expected (channel, time), got {shape}, which looks like (time, channel); give array.T")
    if len(shape) == 2 and shape[0] > _MAX_CHANNELS:
        raise InputError(f"expected (channel, time) with at most {_MAX_CHANNELS} channels; got {shape}")
    samples = array.detach().cpu() if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))
    samples = samples.float().reshape(1, -1) if samples.ndim == 1 else samples.float()
    finite = torch.isfinite(samples)
    if not finite.all():
        channel, time = (int(index) for index in (~finite).nonzero()[0])
        raise InputError(
            f"sample {time} of channel {channel} is {float(samples[channel, time])}, not a finite number; "
            "repair the input first"
        )
    return samples

"""What a separation will cost, before it starts: disk, time, memory.

The disk is computed from what the files state. Time and memory are measured, by separating some noise:

    seconds = duration * (seconds for the noise / duration of the noise).
"""

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from stemtune.data.audio_info import AudioInfo
from stemtune.data.encoding import Encoding
from stemtune.errors import OutputError
from stemtune.models.base import Separator
from stemtune.separation.network import choose_batch_size
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_waveform
from stemtune.separation.writing import ClipMode, needs_spool

__all__ = ["CostEstimate", "check_disk", "estimate_cost", "output_bytes", "spool_bytes"]

_BYTES_PER_SAMPLE = {"int16": 2, "int24": 3, "int32": 4, "float32": 4}
_TYPICAL_FLAC = 0.7  # of the size of the integers
_TYPICAL_KBPS = 256  # where none is asked for
_RESERVE_BYTES = 16 << 20
_PROBE_CHUNKS = 4  # times the size of a batch


@dataclass(frozen=True)
class CostEstimate:
    """What separating some tracks will cost.

    Attributes:
        duration_seconds: of all tracks together.
        seconds: of computing; writing comes on top.
        memory_bytes: the most that this process will hold; None where the system does not tell.
        output_bytes: of all stems.
        temporary_bytes: that the longest track needs besides, while it is being separated.
    """

    duration_seconds: float
    seconds: float
    memory_bytes: int | None
    output_bytes: int
    temporary_bytes: int


def estimate_cost(
    separator: Separator,
    infos: Sequence[AudioInfo],
    *,
    num_stems: int,
    options: SeparationOptions,
    encoding: Encoding,
    clip_mode: ClipMode,
) -> CostEstimate:
    """Measure the network on noise, and add up what the files need."""
    segment = options.segment_seconds or separator.chunk_samples / separator.sample_rate
    seconds: dict[int, float] = {}  # of computing, per second of sound, by number of channels
    duration = 0.0
    for info in infos:
        if info.num_channels not in seconds:
            seconds[info.num_channels] = _speed(separator, info, segment, options)
        duration += info.duration_seconds
    return CostEstimate(
        duration_seconds=duration,
        seconds=sum(info.duration_seconds * seconds[info.num_channels] for info in infos),
        memory_bytes=_peak_memory(),
        output_bytes=sum(output_bytes(info, num_stems=num_stems, encoding=encoding) for info in infos),
        temporary_bytes=max(
            (spool_bytes(info, num_stems=num_stems, encoding=encoding, clip_mode=clip_mode) for info in infos),
            default=0,
        ),
    )


def output_bytes(info: AudioInfo, *, num_stems: int, encoding: Encoding) -> int:
    """About how large the files of all stems will be."""
    if not encoding.is_lossless:
        return round(num_stems * info.duration_seconds * (encoding.bitrate_kbps or _TYPICAL_KBPS) * 125)
    samples = num_stems * info.num_channels * info.num_samples
    size = samples * _BYTES_PER_SAMPLE[encoding.sample_format]
    return round(size * _TYPICAL_FLAC) if encoding.container == "flac" else size


def spool_bytes(info: AudioInfo, *, num_stems: int, encoding: Encoding, clip_mode: ClipMode) -> int:
    """What the stems need on the disk until their peak is known."""
    return 4 * (num_stems + 1) * info.num_channels * info.num_samples if needs_spool(encoding, clip_mode) else 0


def check_disk(info: AudioInfo, *, folder: Path, num_stems: int, encoding: Encoding, clip_mode: ClipMode) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        OutputError: that states how much is needed and how much there is.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # whatever is wrong with the folder is said better by what tries to write there
    temporary = spool_bytes(info, num_stems=num_stems, encoding=encoding, clip_mode=clip_mode)
    needed = output_bytes(info, num_stems=num_stems, encoding=encoding) + temporary + _RESERVE_BYTES
    if needed > free:
        hint = ", or give --clip-mode clamp, which needs no temporary file" if temporary else ""
        raise OutputError(
            f"{folder}: the stems of {info.path.name} need about {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB "
            f"are free; free some space or choose another disk{hint}"
        )


def _speed(separator: Separator, info: AudioInfo, segment: float, options: SeparationOptions) -> float:
    """Seconds of computing per second of sound."""
    wanted = segment * _PROBE_CHUNKS * choose_batch_size(separator, options)
    duration = min(max(info.duration_seconds, segment), wanted)
    num_samples = max(1, round(duration * info.sample_rate))
    noise = 0.1 * torch.randn(info.num_channels, num_samples, generator=torch.Generator().manual_seed(0))
    begin = time.perf_counter()
    separate_waveform(separator, noise, sample_rate=info.sample_rate, options=options)
    return (time.perf_counter() - begin) / duration


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

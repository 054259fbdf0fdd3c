"""A track's sounds as streams: files become blocks of one size, at the track's rate, with its channels and length.

    stream = cut or pad ( sum over files of channels( resample( file ) ) )

No more than a block of each file is held, whatever the length of the track. What did not fit and was made to fit is
told by `misfit`, since it may cost a score a few dB.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import open_audio
from stemtune.data.audio_info import AudioInfo
from stemtune.data.tracks import Track, fit_channels
from stemtune.signal.blocks import reblock
from stemtune.signal.resample import fit_length, resample_blocks

__all__ = ["BLOCK_SAMPLES", "file_blocks", "file_state", "is_silent", "misfit", "mixture_blocks", "stem_blocks"]

BLOCK_SAMPLES = 1 << 16


def stem_blocks(track: Track, stem: str) -> Generator[Float[Tensor, "channel time"], None, None]:
    """A true stem of a track."""
    return file_blocks(track.stems[stem], track)


def mixture_blocks(track: Track) -> Generator[Float[Tensor, "channel time"], None, None]:
    """The mixture of a track: its own file, or else the sum of all stems."""
    paths = (track.mixture,) if track.mixture else tuple(path for paths in track.stems.values() for path in paths)
    return file_blocks(paths, track)


def file_blocks(paths: Sequence[Path], track: Track) -> Generator[Float[Tensor, "channel time"], None, None]:
    """The sum of some files as if they were the track's own, in blocks of `BLOCK_SAMPLES`, the last one shorter.

    Raises:
        InputError: if a file cannot be read, or holds a sample that is not a finite number.
    """
    streams = [_one_file(path, track) for path in paths]
    try:
        for start in range(0, track.num_samples, BLOCK_SAMPLES):
            total = torch.zeros(track.num_channels, min(BLOCK_SAMPLES, track.num_samples - start))
            for stream in streams:
                block = next(stream, None)
                if block is not None:
                    total[:, : block.shape[1]] += block
            yield total
    finally:
        for stream in streams:
            stream.close()


def _one_file(path: Path, track: Track) -> Generator[Tensor, None, None]:
    with open_audio(path) as reader:
        blocks = resample_blocks(
            reader.blocks(BLOCK_SAMPLES), source_rate=reader.info.sample_rate, target_rate=track.sample_rate
        )
        fitted = (fit_channels(block, track.num_channels) for block in blocks)
        yield from reblock(fit_length(fitted, track.num_samples), BLOCK_SAMPLES)


def is_silent(paths: Sequence[Path], track: Track) -> bool:
    """Whether every channel is constant; reads no further than to the first sound."""
    first: Tensor | None = None
    with closing(file_blocks(paths, track)) as blocks:
        for block in blocks:
            first = block[:, :1] if first is None else first
            if not bool((block == first).all()):
                return False
    return True


def misfit(info: AudioInfo, track: Track) -> str:
    """How a file differs from its track, in words; empty if it does not."""
    found: list[str] = []
    if info.sample_rate != track.sample_rate:
        found.append(f"resampled from {info.sample_rate} to {track.sample_rate} Hz")
    elif info.exact_length and info.num_samples != track.num_samples:
        verb = "cut" if info.num_samples > track.num_samples else "padded"
        found.append(f"{verb} from {info.num_samples} to {track.num_samples} samples")
    if info.num_channels != track.num_channels:
        found.append(f"{info.num_channels} channels were made {track.num_channels}")
    return ", ".join(found)


def file_state(path: Path) -> str:
    """Changes when a file does: its name, size and time; ``FILE#2`` is a part of FILE."""
    there = path if path.exists() else path.with_name(path.name.rpartition("#")[0] or path.name)
    try:
        status = there.stat()
    except OSError:
        return f"{path.name}:gone"
    return f"{path.name}:{status.st_size}:{status.st_mtime_ns}"

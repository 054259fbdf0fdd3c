"""Uncompressed sound, read from the place where it lies: any excerpt of a WAV file for the price of copying it.

In a WAV file sample k of all channels is at a known place, so that an excerpt needs no decoder:

    byte(k) = start of the data chunk + k * num_channels * bytes per sample,   amplitude = integer / 2^(bits - 1).

The result is that of `stemtune.data.audio`, bit for bit. It is read, not mapped into memory: a file that shrinks
meanwhile is an error of one line here, and the death of the process there.

References:
    RIFF and RF64: EBU Tech 3306. Microsoft, "Multiple Channel Audio Data and WAVE Files".

Deviations:
    WAV files with less common contents (compressed, odd widths, big-endian) are left to `stemtune.data.audio`.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from stemtune.data.audio_info import AudioInfo
from stemtune.errors import InputError
from stemtune.signal.level import all_finite

__all__ = [
    "PCM_KINDS",
    "ForwardBytes",
    "PcmFile",
    "WavStart",
    "locate_samples",
    "read_samples",
    "samples_to_float",
    "walk_to_samples",
]

PCM_KINDS = {(1, 16): "<i2", (1, 24): "<i3", (1, 32): "<i4", (3, 32): "<f4"}
"""How samples are written, by the format code of a WAV file and its bits."""

_EXTENSIBLE = 0xFFFE
_MAX_CHUNKS = 100


@runtime_checkable
class ForwardBytes(Protocol):
    """A file, as far as it is read forwards."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer only at the end."""
        ...

    def seek(self, offset: int, whence: int, /) -> object:
        """Skip ``offset`` bytes from here."""
        ...


@dataclass(frozen=True)
class PcmFile:
    """Where the samples of a file are, and how they are written.

    Attributes:
        path: of the file.
        offset: of the first sample, in bytes.
        kind: ``<i2``, ``<i3`` (three bytes, no type of NumPy), ``<i4`` or ``<f4``.
        sample_rate: in Hz.
        num_channels: of the file.
        num_samples: per channel.
        state: size and time of the last change, by which another file of the same name is recognised.
    """

    path: Path
    offset: int
    kind: str
    sample_rate: int
    num_channels: int
    num_samples: int
    state: tuple[int, int]

    @property
    def bytes_per_sample(self) -> int:
        """Of one sample of one channel."""
        return int(self.kind[-1])


@dataclass(frozen=True)
class WavStart:
    """What a WAV file says before its first sample.

    Attributes:
        kind: as of `PcmFile`.
        sample_rate: in Hz.
        num_channels: of the file.
        data_bytes: how many bytes of samples it promises; RF64 files, and many that were written into a pipe, promise
            2^32 - 1.
    """

    kind: str
    sample_rate: int
    num_channels: int
    data_bytes: int


def locate_samples(info: AudioInfo) -> PcmFile | None:
    """Find the samples of a file that was opened (and so checked) before; None if it is not plain PCM.

    Args:
        info: what `stemtune.data.audio.probe` says about the file.
    """
    if info.container not in ("wav", "rf64"):
        return None
    try:
        with info.path.open("rb") as file:
            found = walk_to_samples(file)
            offset, status = file.tell(), os.fstat(file.fileno())
    except (OSError, struct.error):
        return None
    if found is None:
        return None
    located = PcmFile(
        path=info.path,
        offset=offset,
        kind=found.kind,
        sample_rate=found.sample_rate,
        num_channels=found.num_channels,
        num_samples=info.num_samples,
        state=(status.st_size, status.st_mtime_ns),
    )
    end = offset + info.num_samples * found.num_channels * located.bytes_per_sample
    agrees = (found.sample_rate, found.num_channels) == (info.sample_rate, info.num_channels)
    agrees = agrees and end <= status.st_size
    return located if agrees else None


def read_samples(
    pcm: PcmFile, *, start: int, num_samples: int, out: Float[Tensor, "channel time"] | None = None
) -> Float[Tensor, "channel time"] | None:
    """Read an excerpt that lies within the file.

    Args:
        pcm: from `locate_samples`.
        start: the first sample.
        num_samples: how many.
        out: where to write them, contiguous; a new tensor if None.

    Returns:
        float32 with full scale at 1; None if the file is not the one any more that was located, or holds something
        that is not a number: `stemtune.data.audio` says what is wrong.

    Raises:
        InputError: if the file is gone, or cut off while it is being read.
    """
    raw = _read_bytes(pcm, start, num_samples)
    if raw is None:
        return None
    samples = torch.empty(pcm.num_channels, num_samples) if out is None else out
    samples_to_float(raw, samples.numpy(), kind=pcm.kind)
    return samples if pcm.kind != "<f4" or all_finite(samples) else None


def _read_bytes(pcm: PcmFile, start: int, num_samples: int) -> NDArray[np.uint8] | None:
    frame_bytes = pcm.num_channels * pcm.bytes_per_sample
    raw = np.empty(num_samples * frame_bytes, dtype=np.uint8)
    try:
        with pcm.path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if (status.st_size, status.st_mtime_ns) != pcm.state:
                return None
            file.seek(pcm.offset + start * frame_bytes)
            done = 0
            while done < len(raw):
                count = file.readinto(raw.data[done:])
                if not count:
                    raise InputError(f"{pcm.path}: cut off while it was being read; get the file again")
                done += count
    except OSError as error:
        raise InputError(f"{pcm.path}: cannot be read ({error.strerror}); was it moved or removed?") from None
    return raw


def samples_to_float(raw: NDArray[np.uint8], samples: NDArray[np.float32], *, kind: str) -> None:
    """Fill ``channel time``, one channel after the other: NumPy does that much faster than a transposition."""
    num_channels = len(samples)
    if kind == "<i2" and num_channels == 2:  # by far the most common: both in one 32-bit number, left below
        frames = raw.view("<i4")
        samples[0] = np.left_shift(frames, 16)
        samples[1] = np.right_shift(frames, 16)
        samples[0] *= np.float32(2.0**-31)
        samples[1] *= np.float32(2.0**-15)
        return
    if kind == "<i3":
        wide = np.zeros((len(raw) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        interleaved = wide.view("<i4").reshape(-1, num_channels)
    else:
        interleaved = raw.view(kind).reshape(-1, num_channels)
    for channel, row in enumerate(samples):
        row[:] = interleaved[:, channel]
    if kind != "<f4":
        samples *= np.float32(2.0**-15 if kind == "<i2" else 2.0**-31)


def walk_to_samples(file: ForwardBytes) -> WavStart | None:
    """Read a RIFF or RF64 file up to its first sample; None if it is not plain PCM.

    Only forwards, so that whatever can be read and skipped will do.

    Raises:
        struct.error: if it ends before.
    """
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    found: tuple[str, int, int] | None = None
    for _ in range(_MAX_CHUNKS):
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            return WavStart(*found, data_bytes=size) if found else None
        if name == b"fmt ":
            found = _parse_format(file.read(size))
            if found is None:
                return None
        else:
            file.seek(size, os.SEEK_CUR)
        file.seek(size % 2, os.SEEK_CUR)
    return None


def _parse_format(body: bytes) -> tuple[str, int, int] | None:
    code, num_channels, sample_rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE:
        valid_bits, _, code = struct.unpack_from("<HIH", body, 18)
        if valid_bits != bits:
            return None
    kind = PCM_KINDS.get((code, bits))
    if kind is None or num_channels < 1 or frame_bytes != num_channels * bits // 8:
        return None
    return kind, sample_rate, num_channels

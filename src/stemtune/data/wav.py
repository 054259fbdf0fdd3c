"""Writing WAV, also beyond 4 GiB, without knowing the length beforehand.

The header has a fixed length for a given format and keeps room, as a JUNK chunk, for the 64-bit sizes of RF64. It is
written anew at the end, as RIFF or as RF64, depending on whether the sizes fit 32 bits:

    size of the file = header + num_samples * num_channels * bytes per sample (+ 1 if odd).

References:
    EBU Tech 3306, "RF64: An extended file format for audio"; Microsoft, "Multiple Channel Audio Data and WAVE Files".

Deviations:
    None known.
"""

import struct
from pathlib import Path

import numpy as np
from torch import Tensor

from stemtune.data.encoding import Encoder, SampleFormat

__all__ = ["WavFile", "endless_wav_header", "interleave", "wav_header"]

RIFF_MAX_BYTES = 0xFFFFFFFF
_ENDLESS = b"\xff\xff\xff\xff"
_BYTES: dict[SampleFormat, int] = {"int16": 2, "int24": 3, "int32": 4, "float32": 4}
_SPEAKERS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x13F, 8: 0x63F}
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def wav_header(*, num_samples: int, num_channels: int, sample_rate: int, sample_format: SampleFormat) -> bytes:
    """Everything in front of the samples; RF64 if, and only if, RIFF could not state the sizes.

    Args:
        num_samples: per channel.
        num_channels: 1 to 8; more than two are labelled with the usual loudspeakers.
        sample_rate: in Hz.
        sample_format: how samples are stored.

    Returns:
        bytes, as many for any number of samples.
    """
    width = _BYTES[sample_format]
    frame_bytes = width * num_channels
    data_bytes = num_samples * frame_bytes
    code = 3 if sample_format == "float32" else 1
    is_extensible = num_channels > 2 or sample_format in ("int24", "int32")
    body = struct.pack(
        "<HHIIHH",
        0xFFFE if is_extensible else code,
        num_channels,
        sample_rate,
        sample_rate * frame_bytes,
        frame_bytes,
        8 * width,
    )
    if is_extensible:
        body += struct.pack("<HHIH", 22, 8 * width, _SPEAKERS.get(num_channels, 0), code) + _GUID_TAIL
    chunks = b"fmt " + struct.pack("<I", len(body)) + body
    if code == 3:
        chunks += b"fact" + struct.pack("<II", 4, min(num_samples, RIFF_MAX_BYTES))
    riff_bytes = 4 + 36 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= RIFF_MAX_BYTES:
        start = struct.pack("<4sI4s4sI28x", b"RIFF", riff_bytes, b"WAVE", b"JUNK", 28)
        return start + chunks + struct.pack("<4sI", b"data", data_bytes)
    sizes = struct.pack("<QQQI", riff_bytes, data_bytes, num_samples, 0)
    start = struct.pack("<4sI4s4sI", b"RF64", 0xFFFFFFFF, b"WAVE", b"ds64", 28) + sizes
    return start + chunks + struct.pack("<4sI", b"data", 0xFFFFFFFF)


def endless_wav_header(*, num_channels: int, sample_rate: int, sample_format: SampleFormat) -> bytes:
    """As `wav_header`, for a pipe in which nothing can be mended later: all sizes are the largest that there are."""
    header = wav_header(num_samples=0, num_channels=num_channels, sample_rate=sample_rate, sample_format=sample_format)
    return header[:4] + _ENDLESS + header[8:-4] + _ENDLESS


def interleave(samples: Tensor, sample_format: SampleFormat) -> memoryview:
    """``channel time``, float32 or integers in units of the last bit, as the bytes of a WAV file."""
    interleaved = samples.numpy().T
    if sample_format == "int24":
        narrow = np.ascontiguousarray(interleaved, dtype="<i4").view(np.uint8).reshape(-1, 4)[:, :3]
    else:
        narrow = interleaved.astype({"int16": "<i2", "int32": "<i4", "float32": "<f4"}[sample_format])
    return np.ascontiguousarray(narrow).data


class WavFile(Encoder):
    """A WAV file that is being written."""

    def __init__(self, path: Path, *, sample_rate: int, num_channels: int, sample_format: SampleFormat) -> None:
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._sample_format: SampleFormat = sample_format
        self._num_samples = 0
        self._file = path.open("wb")
        self._file.write(self._header())

    def write(self, samples: Tensor) -> None:
        """Append samples (see `Encoder`)."""
        self._file.write(interleave(samples, self._sample_format))
        self._num_samples += samples.shape[1]

    def finish(self) -> None:
        """State the sizes in the header."""
        if self._num_samples * self._num_channels * _BYTES[self._sample_format] % 2:
            self._file.write(b"\0")
        self._file.seek(0)
        self._file.write(self._header())
        self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _header(self) -> bytes:
        return wav_header(
            num_samples=self._num_samples,
            num_channels=self._num_channels,
            sample_rate=self._sample_rate,
            sample_format=self._sample_format,
        )

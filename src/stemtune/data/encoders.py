"""Writing samples into the compressed formats: FLAC, Vorbis, Opus and MP3 by libsndfile, AAC by FFmpeg.

Each encoder takes blocks ``channel time``, float32 or (FLAC) int32 in units of the last bit, in a row:

    encode(a) encode(b) = encode(concat(a, b)).

To make that true to the bit, blocks are regrouped: what Vorbis decides depends on how much it is given at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from torch import Tensor

from stemtune.data.encoding import VORBIS_CHANNEL_ORDER, Encoder, Encoding
from stemtune.data.wav import WavFile

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import OutputContainer

__all__ = ["open_encoder"]

LIBSNDFILE_BLOCK_SAMPLES = 65536  # its Ogg encoder dies of blocks that are much longer
AAC_BLOCK_SAMPLES = 1024
FLAC_COMPRESSION = 0.5  # level 4 of 8: a sixth faster than the usual 5, and one per cent larger
VORBIS_COMPRESSION = 0.2  # quality 8 of 10, about 256 kbit/s in stereo
OPUS_KBPS_PER_CHANNEL = 128
AAC_KBPS_PER_CHANNEL = 128


def open_encoder(path: Path, *, sample_rate: int, num_channels: int, encoding: Encoding) -> Encoder:
    """Begin a file in the given encoding, whatever the path's ending."""
    if encoding.container == "wav":
        return WavFile(path, sample_rate=sample_rate, num_channels=num_channels, sample_format=encoding.sample_format)
    if encoding.container == "m4a":
        return _AacFile(path, sample_rate=sample_rate, num_channels=num_channels, bitrate_kbps=encoding.bitrate_kbps)
    return _LibsndfileFile(path, sample_rate=sample_rate, num_channels=num_channels, encoding=encoding)


class _Regrouper:
    """Cuts samples that come in any portions into blocks of one length."""

    def __init__(self, num_channels: int, block_samples: int) -> None:
        self._block_samples = block_samples
        self._held = torch.zeros(num_channels, 0)

    def feed(self, samples: Tensor) -> Iterator[Tensor]:
        """The blocks that are complete with these samples."""
        held = torch.cat([self._held, samples], dim=1) if self._held.shape[1] else samples
        whole = held.shape[1] // self._block_samples * self._block_samples
        self._held = held[:, whole:].clone()
        yield from held[:, :whole].split(self._block_samples, dim=1) if whole else ()

    def rest(self) -> Tensor:
        """What is left at the end, shorter than a block."""
        return self._held


class _LibsndfileFile(Encoder):
    def __init__(self, path: Path, *, sample_rate: int, num_channels: int, encoding: Encoding) -> None:
        self._shift = {"int16": 16, "int24": 8}.get(encoding.sample_format, 0)
        order = VORBIS_CHANNEL_ORDER.get(num_channels) if encoding.container in ("ogg", "opus") else None
        self._channel_order = None if order is None else torch.tensor(order).argsort()
        self._regrouper = _Regrouper(num_channels, LIBSNDFILE_BLOCK_SAMPLES)
        container, subtype = {
            "flac": ("FLAC", {"int16": "PCM_16", "int24": "PCM_24"}.get(encoding.sample_format, "")),
            "ogg": ("OGG", "VORBIS"),
            "opus": ("OGG", "OPUS"),
            "mp3": ("MP3", "MPEG_LAYER_III"),
        }[encoding.container]
        self._file = soundfile.SoundFile(
            path,
            "w",
            samplerate=sample_rate,
            channels=num_channels,
            format=container,
            subtype=subtype,
            compression_level=_compression(encoding, sample_rate, num_channels),
            bitrate_mode="CONSTANT" if encoding.container == "mp3" else None,
        )

    def write(self, samples: Tensor) -> None:
        for block in self._regrouper.feed(samples):
            self._encode(block)

    def finish(self) -> None:
        if self._regrouper.rest().shape[1]:
            self._encode(self._regrouper.rest())
        self._file.close()

    def close(self) -> None:
        self._file.close()

    def _encode(self, samples: Tensor) -> None:
        if self._channel_order is not None:
            samples = samples[self._channel_order]
        if not samples.is_floating_point():
            samples = samples << self._shift  # libsndfile takes the upper bits of a 32-bit integer
        self._file.write(np.ascontiguousarray(samples.numpy().T))


def _compression(encoding: Encoding, sample_rate: int, num_channels: int) -> float | None:
    """The scale of libsndfile from 0 (large) to 1 (small), which each format maps to bit rates in its own way."""
    kbps = encoding.bitrate_kbps
    if encoding.container == "mp3":
        low, high = (32, 320) if sample_rate >= 32_000 else (8, 160)
        level = 0.0 if kbps is None else (high - kbps) / (high - low)
    elif encoding.container == "opus":
        per_channel = OPUS_KBPS_PER_CHANNEL if kbps is None else kbps / num_channels
        level = (256 - per_channel) / 250
    else:
        return {"ogg": VORBIS_COMPRESSION, "flac": FLAC_COMPRESSION}.get(encoding.container)
    return min(max(level, 0.0), 0.999)


class _AacFile(Encoder):
    def __init__(self, path: Path, *, sample_rate: int, num_channels: int, bitrate_kbps: int | None) -> None:
        import av

        self._layout = "mono" if num_channels == 1 else "stereo"
        self._sample_rate = sample_rate
        self._num_samples = 0
        self._regrouper = _Regrouper(num_channels, AAC_BLOCK_SAMPLES)
        # the edit list, which tells the length, counts in this unit: samples, not FFmpeg's milliseconds
        options = {"movie_timescale": str(sample_rate)}
        self._container: OutputContainer | None = av.open(str(path.resolve()), "w", format="ipod", options=options)
        self._stream: AudioStream = self._container.add_stream("aac", rate=sample_rate)
        self._stream.layout = self._layout
        self._stream.bit_rate = 1000 * (bitrate_kbps or AAC_KBPS_PER_CHANNEL * num_channels)

    def write(self, samples: Tensor) -> None:
        for block in self._regrouper.feed(samples):
            self._encode(block)

    def finish(self) -> None:
        if self._container is None:
            return
        if self._regrouper.rest().shape[1]:
            self._encode(self._regrouper.rest())
        self._container.mux(self._stream.encode(None))
        self.close()

    def close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _encode(self, samples: Tensor) -> None:
        from av import AudioFrame

        assert self._container is not None  # noqa: S101
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.numpy()), format="fltp", layout=self._layout)
        frame.sample_rate = self._sample_rate
        frame.pts = self._num_samples
        self._num_samples += samples.shape[1]
        self._container.mux(self._stream.encode(frame))

"""Lossy codecs: what a stem sounds like after MP3, AAC or Opus, at the same place to the sample.

    y = decode(encode(x)),   len(y) = len(x),   lag(y, x) = 0

All in memory, by FFmpeg (PyAV). The containers state the encoders' delays, and the decoders remove them.

Deviations:
    Opus runs without its speech mode, whose stereo is four samples late, and always at 48 kHz. MP3 and AAC run at the
    next rate that they know. What is louder than full scale is scaled down before coding, and up again afterwards.
"""

import io
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import soxr
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["MAX_CODEC_CHANNELS", "Codec", "CodecName", "code"]

CodecName = Literal["mp3", "aac", "opus"]
MAX_CODEC_CHANNELS = 2
_FORMATS: dict[CodecName, tuple[str, str, dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", {}),
    "aac": ("mp4", "aac", {}),
    "opus": ("ogg", "libopus", {"application": "lowdelay"}),
}
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # in Hz; what MP3 and AAC both know


@dataclass(frozen=True)
class Codec:
    """A codec and its bit rate for all channels together, in thousands of bits per second."""

    name: CodecName
    kbps: int


def code(samples: Float[Tensor, "channel time"], codec: Codec, *, sample_rate: int) -> Float[Tensor, "channel time"]:
    """Encode and decode one or two channels; exactly as long, and not delayed."""
    num_samples, scale = samples.shape[1], max(1.0, float(samples.abs().amax()))
    rate = 48000 if codec.name == "opus" else min((rate for rate in _RATES if rate >= sample_rate), default=_RATES[-1])
    interleaved = _resampled((samples.T / scale).numpy(), sample_rate, rate)
    decoded = _resampled(_decode(_encode(interleaved, codec, rate), samples.shape[0]), rate, sample_rate)
    decoded = decoded[:num_samples] * np.float32(scale)
    missing = num_samples - len(decoded)
    return torch.from_numpy(np.ascontiguousarray(np.pad(decoded, ((0, missing), (0, 0))).T))


def _resampled(interleaved: NDArray[np.float32], from_rate: int, to_rate: int) -> NDArray[np.float32]:
    """``time channel`` at another rate."""
    return interleaved if from_rate == to_rate else soxr.resample(interleaved, from_rate, to_rate).astype(np.float32)


def _encode(interleaved: NDArray[np.float32], codec: Codec, rate: int) -> io.BytesIO:
    import av

    container_format, encoder, options = _FORMATS[codec.name]
    layout = "mono" if interleaved.shape[1] == 1 else "stereo"
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = cast("av.AudioStream", container.add_stream(encoder, rate=rate, options=options))
        stream.layout = layout
        stream.bit_rate = 1000 * codec.kbps
        context = stream.codec_context
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(interleaved).reshape(1, -1), format="flt", layout=layout
        )
        frame.sample_rate, frame.pts = rate, 0
        cutter = av.AudioResampler(format=context.format, layout=layout, rate=rate, frame_size=context.frame_size or 0)
        for piece in (*cutter.resample(frame), *cutter.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def _decode(file: io.BytesIO, num_channels: int) -> NDArray[np.float32]:
    """``time channel``."""
    import av

    layout = "mono" if num_channels == 1 else "stereo"
    converter = av.AudioResampler(format="flt", layout=layout)
    with av.open(file, "r") as container:
        frames = [piece for frame in container.decode(audio=0) for piece in converter.resample(frame)]
    blocks = [frame.to_ndarray().reshape(-1, num_channels) for frame in frames]
    return np.concatenate(blocks).astype(np.float32, copy=False)

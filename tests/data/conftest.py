"""Makes the sounds and the files that the tests of reading and writing need; nothing is read from a disk."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

Encode = Callable[..., Path]


def noise(num_samples: int, num_channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Low-passed noise, so that lossy codecs keep its shape; each channel is another."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(num_channels, 1, num_samples, generator=generator)
    return torch.nn.functional.conv1d(white, torch.hann_window(65)[None, None] / 128, padding=32)[:, 0]


def lag_samples(*, estimate: torch.Tensor, reference: torch.Tensor) -> int:
    """By how many samples ``estimate`` is late, from the peak of the cross-correlation."""
    size = 2 * max(len(estimate), len(reference))
    spectrum = torch.fft.rfft(estimate, size) * torch.fft.rfft(reference, size).conj()
    peak = int(torch.fft.irfft(spectrum, size).argmax())
    return peak if peak < size // 2 else peak - size


def encode_with_pyav(
    path: Path,
    *streams: torch.Tensor,
    codec: str,
    sample_rate: int,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    bit_rate: int = 192_000,
    with_video: bool = False,
) -> Path:
    """Write one audio stream for each of ``streams`` into the container that the ending names."""
    layouts = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
    with av.open(str(path), "w", options=options or {}) as container:
        if with_video:
            video = container.add_stream("mpeg4", rate=10)
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
        outputs = []
        for samples in streams:
            stream = container.add_stream(codec, rate=sample_rate, options=codec_options or {})
            stream.layout = layouts[samples.shape[0]]
            stream.bit_rate = bit_rate
            outputs.append(stream)
        if with_video:
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8))
            for number in range(10):
                picture.pts = number
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
        for samples, stream in zip(streams, outputs, strict=True):
            interleaved = np.ascontiguousarray(samples.numpy().T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=stream.layout.name)
            frame.sample_rate, frame.pts = sample_rate, 0
            context = stream.codec_context
            resampler = av.AudioResampler(
                format=context.format, layout=stream.layout.name, rate=sample_rate, frame_size=context.frame_size or 0
            )
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def encode() -> Encode:
    return encode_with_pyav

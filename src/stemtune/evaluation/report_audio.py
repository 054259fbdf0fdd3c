"""Sounds and spectrograms small enough to travel inside a page, as ``data:`` addresses.

    size of a page  ~  4/3 * (clips * seconds * bit rate / 8 + pictures)

Every clip of a passage is amplified by the same gain, so that levels can be compared by ear, and none clips. MP3 is
what every browser plays; its coding noise is far below what separators leave, but it is there: judge subtleties by the
files themselves.
"""

import base64
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.encoding import Encoding
from stemtune.data.tracks import fit_channels
from stemtune.data.writer import AudioWriter
from stemtune.errors import UsageError
from stemtune.evaluation.listening import HeardPassage, ratio_db
from stemtune.evaluation.pictures import log_spectrogram
from stemtune.signal.level import peak
from stemtune.signal.resample import resample

__all__ = ["BIT_RATES", "Clip", "choose_bit_rate", "common_gain", "encode_audio", "encode_spectrogram", "make_clips"]

BIT_RATES = (192, 160, 128, 96, 64)
_RATES = (32_000, 44_100, 48_000)  # of MP3 with such bit rates
_PEAK = 0.9
_RANGE_DB = 80.0
_HEIGHT, _MAX_WIDTH = 200, 640  # pixels


@dataclass(frozen=True)
class Clip:
    """One player of a passage: what it plays and what it looks like, both as ``data:`` addresses."""

    label: str
    audio: str
    picture: str
    ratio_db: float | None


def choose_bit_rate(*, num_clips: int, seconds: int, max_bytes: float) -> int:
    """The highest bit rate, in kbit/s, with which the clips stay below a size; the lowest if none does."""
    size = {rate: num_clips * seconds * rate * 125 * 4 / 3 for rate in BIT_RATES}
    return next((rate for rate in BIT_RATES if size[rate] <= max_bytes), BIT_RATES[-1])


def common_gain(heard: HeardPassage) -> float:
    """What makes the loudest sample of all clips of a passage just not clip."""
    loudest = max(peak(samples) for samples in (heard.mixture, heard.reference, *heard.estimates.values()))
    return _PEAK / loudest if loudest > 0 else 1.0


def make_clips(heard: HeardPassage, *, bit_rate_kbps: int) -> tuple[Clip, ...]:
    """The clips of a passage: mixture, reference, then every system; all with one gain and one scale of brightness.

    Raises:
        UsageError: if matplotlib or Pillow is not installed.
    """
    gain = common_gain(heard)
    loudest = float(log_spectrogram(heard.mixture, sample_rate=heard.sample_rate).max())

    def clips() -> Iterator[Clip]:
        for label, samples, ratio in (
            ("mixture", heard.mixture, ratio_db(heard.mixture, reference=heard.reference)),
            ("reference", heard.reference, None),
            *((name, own, ratio_db(own, reference=heard.reference)) for name, own in heard.estimates.items()),
        ):
            yield Clip(
                label=label,
                audio=encode_audio(gain * samples, sample_rate=heard.sample_rate, bit_rate_kbps=bit_rate_kbps),
                picture=encode_spectrogram(samples, sample_rate=heard.sample_rate, loudest_db=loudest),
                ratio_db=ratio,
            )

    return tuple(clips())


def encode_audio(samples: Float[Tensor, "channel time"], *, sample_rate: int, bit_rate_kbps: int) -> str:
    """MP3 in a ``data:`` address; mono gets half the bit rate."""
    rate = next((known for known in _RATES if known >= sample_rate), _RATES[-1])
    sound = resample(samples, source_rate=sample_rate, target_rate=rate).clamp(-1, 1)
    if sound.shape[0] > 2:
        sound = fit_channels(sound, 2)
    kbps = max(32, bit_rate_kbps * sound.shape[0] // 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp3"
        encoding = Encoding("mp3", bitrate_kbps=kbps)
        with AudioWriter(path, sample_rate=rate, num_channels=sound.shape[0], encoding=encoding) as writer:
            writer.write(sound)
        return _address("audio/mpeg", path.read_bytes())


def encode_spectrogram(samples: Float[Tensor, "channel time"], *, sample_rate: int, loudest_db: float) -> str:
    """A spectrogram without axes, WebP in a ``data:`` address; see `stemtune.evaluation.pictures`.

    Args:
        samples: of the clip.
        sample_rate: in Hz.
        loudest_db: what is white; 80 dB less is black.

    Raises:
        UsageError: if matplotlib or Pillow is not installed.
    """
    image, colours = _import_images()
    decibels = log_spectrogram(samples, sample_rate=sample_rate) - loudest_db
    shade = (1 + decibels / _RANGE_DB).clamp(0, 1).flip(0)
    width = min(_MAX_WIDTH, max(64, shade.shape[1]))
    shade = torch.nn.functional.interpolate(
        shade[None, None], size=(_HEIGHT, width), mode="bilinear", antialias=True, align_corners=False
    )[0, 0]
    pixels = colours["magma"](shade.clamp(0, 1).numpy(), bytes=True)[..., :3]
    stream = io.BytesIO()
    image.fromarray(pixels).save(stream, format="WEBP", quality=72, method=4)
    return _address("image/webp", stream.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _import_images() -> tuple[Any, Any]:
    try:
        from matplotlib import colormaps
        from PIL import Image
    except ImportError:
        raise UsageError("spectrograms need matplotlib and Pillow: pip install 'stemtune[report]'") from None
    return Image, colormaps

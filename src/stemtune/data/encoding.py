"""How sound is coded in a file, and what each format can hold.

An `Encoding` is a request; `check` refuses what the format cannot do, naming the formats that can.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from stemtune.errors import UsageError

__all__ = ["VORBIS_CHANNEL_ORDER", "Container", "Encoder", "Encoding", "SampleFormat"]

Container = Literal["wav", "flac", "ogg", "opus", "mp3", "m4a"]
SampleFormat = Literal["int16", "int24", "int32", "float32"]

VORBIS_CHANNEL_ORDER: dict[int, list[int]] = {
    3: [0, 2, 1],
    5: [0, 2, 1, 3, 4],
    6: [0, 2, 1, 5, 3, 4],
    7: [0, 2, 1, 6, 5, 3, 4],
    8: [0, 2, 1, 7, 5, 6, 3, 4],
}
"""By number of channels: which Vorbis or Opus channel is the first, second, ... in the order that every other format
has (Vorbis I specification, section 4.3.9). libsndfile leaves the channels as it finds them."""

_EXTENSIONS: dict[str, Container] = {
    ".wav": "wav",
    ".flac": "flac",
    ".ogg": "ogg",
    ".oga": "ogg",
    ".opus": "opus",
    ".mp3": "mp3",
    ".m4a": "m4a",
}
_SAMPLE_FORMATS: dict[Container, tuple[SampleFormat, ...]] = {
    "wav": ("int16", "int24", "int32", "float32"),
    "flac": ("int16", "int24"),
}
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_RATES: dict[Container, tuple[int, ...]] = {"opus": _OPUS_RATES, "mp3": _MP3_RATES, "m4a": _AAC_RATES}
_MAX_CHANNELS: dict[Container, int] = {"mp3": 2, "m4a": 2}
_BITRATES_KBPS: dict[Container, tuple[int, int]] = {"opus": (6, 2048), "mp3": (8, 320), "m4a": (16, 512)}


@dataclass(frozen=True)
class Encoding:
    """How to write samples.

    Attributes:
        container: the format: ``wav`` and ``flac`` keep every sample, ``ogg`` (Vorbis), ``opus``, ``mp3`` and ``m4a``
            (AAC) do not.
        sample_format: the width of the samples in ``wav`` and ``flac``; the other formats have none and ignore it.
        bitrate_kbps: of ``opus``, ``mp3`` and ``m4a``; None is transparent quality.
    """

    container: Container
    sample_format: SampleFormat = "int16"
    bitrate_kbps: int | None = None

    def __post_init__(self) -> None:
        if self.container not in _EXTENSIONS.values():
            raise UsageError(f"unknown audio format {self.container!r}; give one of {_words(_EXTENSIONS.values())}")
        if self.is_lossless and self.sample_format not in _SAMPLE_FORMATS[self.container]:
            allowed = _words(_SAMPLE_FORMATS[self.container])
            raise UsageError(f"{self.container} cannot hold {self.sample_format} samples; choose {allowed}, or use wav")
        if self.bitrate_kbps is None:
            return
        if self.container not in _BITRATES_KBPS:
            raise UsageError(f"{self.container} takes no bit rate; leave it out, or use {_words(_BITRATES_KBPS)}")
        low, high = _BITRATES_KBPS[self.container]
        if not low <= self.bitrate_kbps <= high:
            raise UsageError(
                f"{self.container} takes a bit rate of {low} to {high} kbit/s; {self.bitrate_kbps} was asked for"
            )

    @property
    def is_lossless(self) -> bool:
        """Whether what is read back is what was written, up to the sample format."""
        return self.container in _SAMPLE_FORMATS

    @staticmethod
    def for_path(
        path: Path | str, *, sample_format: SampleFormat = "int16", bitrate_kbps: int | None = None
    ) -> "Encoding":
        """The encoding that a file's ending asks for.

        Raises:
            UsageError: for an ending that cannot be written, or a sample format or bit rate that does not fit it.
        """
        extension = Path(path).suffix.lower()
        if extension not in _EXTENSIONS:
            raise UsageError(
                f"{path}: audio cannot be written as {extension or 'a file without an ending'}; "
                f"use one of {_words(_EXTENSIONS)}"
            )
        return Encoding(_EXTENSIONS[extension], sample_format, bitrate_kbps)

    def check(self, *, sample_rate: int, num_channels: int) -> None:
        """Refuse what the format cannot hold.

        Raises:
            UsageError: naming what it can hold, and the formats that can hold this sound.
        """
        limit = _MAX_CHANNELS.get(self.container, 8)
        if not 1 <= num_channels <= limit:
            others = [name for name in _names() if num_channels <= _MAX_CHANNELS.get(name, 8)]
            hint = f"use {_words(others)}" if others else "write fewer channels"
            raise UsageError(f"{self.container} holds 1 to {limit} channels, not {num_channels}; {hint}")
        rates = _RATES.get(self.container)
        if rates is not None and sample_rate not in rates:
            raise UsageError(
                f"{self.container} holds sample rates of {_words(rates)} Hz, not {sample_rate}; "
                "resample first, or use wav, flac or ogg"
            )
        if not 1 <= sample_rate <= 655_350:
            raise UsageError(f"a sample rate of {sample_rate} Hz cannot be written; resample to 8000 to 192000 Hz")


class Encoder(ABC):
    """An open output file. Abstract and without state; its subclasses are final.

    What goes wrong is an `OSError` or the encoding library's own error; `AudioWriter` gives it words.
    """

    @abstractmethod
    def write(self, samples: Tensor) -> None:
        """Append samples, ``channel time``: float32, or int32 in units of the last bit for integer formats."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is still held back, and the header."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file, finished or not."""


def _names() -> tuple[Container, ...]:
    return tuple(dict.fromkeys(_EXTENSIONS.values()))


def _words(items: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(item) for item in items))

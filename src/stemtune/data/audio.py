"""Reading sound: any common audio or video file, block by block, in constant memory, exact to the sample.

The content decides how a file is decoded, never its name: libsndfile is tried first, FFmpeg second. Both deliver the
same thing, float32 samples ``channel time`` with full scale at 1, and what is wrong with a file is an `InputError`
of one line. Reading in blocks gives the whole, whatever their length:

    concat(read(a), read(b)) = read(a + b).
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio_info import AudioInfo, Decoder
from stemtune.data.audio_pyav import open_with_pyav
from stemtune.data.audio_soundfile import open_with_soundfile
from stemtune.data.audio_streams import split_stream
from stemtune.errors import InputError

__all__ = [
    "AUDIO_EXTENSIONS",
    "MAX_CHANNELS",
    "MAX_SAMPLE_RATE",
    "MIN_SAMPLE_RATE",
    "AudioInfo",
    "AudioReader",
    "open_audio",
    "probe",
]

AUDIO_EXTENSIONS = frozenset(
    {
        *(".wav", ".rf64", ".w64", ".bwf", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".m4a", ".m4p", ".aac", ".mp4", ".m4v", ".mov", ".mkv", ".mka", ".webm", ".caf", ".au", ".wma"),
    }
)
"""File name endings, in lower case, by which folders are searched for audio; single files may have any name."""

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, MAX_CHANNELS = 8_000, 192_000, 8


class AudioReader:
    """An open audio file; a context manager. Make it with `open_audio`."""

    def __init__(self, decoder: Decoder, *, path: Path | None = None) -> None:
        self._decoder = decoder
        self._info = decoder.info if path is None else replace(decoder.info, path=path)
        self._position = 0

    def __enter__(self) -> "AudioReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def info(self) -> AudioInfo:
        """What the file states about itself."""
        return self._info

    @property
    def position(self) -> int:
        """The sample that is read next."""
        return self._position

    def read(self, num_samples: int) -> Float[Tensor, "channel time"]:
        """The next samples.

        Args:
            num_samples: how many are wanted.

        Returns:
            float32, as many as wanted; fewer at the end of the file, and none behind it.

        Raises:
            InputError: if the file is damaged or ends too early, or if a sample is not a finite number.
        """
        if num_samples < 0:
            raise ValueError(f"cannot read {num_samples} samples")
        samples = self._decoder.read(num_samples)
        info, end = self.info, self._position + samples.shape[1]
        if samples.shape[1] < num_samples and info.exact_length and end < info.num_samples:
            raise InputError(
                f"{info.path}: cut off or damaged, it promises {info.num_samples} samples and ends at sample {end}; "
                "get the file again or convert it anew"
            )
        if not math.isfinite(samples.sum().item()):
            self._refuse_not_finite(samples)
        self._position = end
        return samples

    def seek(self, sample: int) -> None:
        """Make ``sample`` the next one that is read; behind the end, nothing is left to read."""
        if sample < 0:
            raise ValueError(f"cannot go to sample {sample}; samples are counted from 0")
        self._decoder.seek(sample)
        self._position = min(sample, self.info.num_samples) if self.info.exact_length else sample

    def blocks(self, block_samples: int) -> Iterator[Float[Tensor, "channel time"]]:
        """From here to the end, in blocks of ``block_samples``; the last one may be shorter."""
        if block_samples < 1:
            raise ValueError(f"a block needs at least one sample; {block_samples} were asked for")
        while (block := self.read(block_samples)).shape[1]:
            yield block
            if block.shape[1] < block_samples:
                return

    def close(self) -> None:
        """Let go of the file."""
        self._decoder.close()

    def _refuse_not_finite(self, samples: Float[Tensor, "channel time"]) -> None:
        bad = (~torch.isfinite(samples)).any(dim=0).nonzero()
        if not bad.numel():
            return  # the sum overflowed, the samples are finite
        first = int(bad[0])
        channel = int((~torch.isfinite(samples[:, first])).nonzero()[0])
        raise InputError(
            f"{self.info.path}: sample {self._position + first} of channel {channel} is {samples[channel, first]:g}, "
            "where a finite number was expected; repair the file or export it anew"
        )


def open_audio(path: Path | str, *, stream: int = 0) -> AudioReader:
    """Open a sound file, whatever its name, at its first sample.

    Args:
        path: a file of 8 to 192 kHz and 1 to 8 channels; ``FILE#2`` is its audio stream 2 (see `audio_streams`).
        stream: which of its audio streams, counted from 0 (a MUSDB18 ``.stem.mp4`` has five).

    Raises:
        InputError: if the file is missing, empty, cut off, not audio, or of an unsupported kind.
    """
    address = Path(path)
    path, addressed = split_stream(address)
    stream = stream if addressed is None else addressed
    _check_file(path)
    if stream < 0:
        raise InputError(f"{path}: there is no audio stream {stream}; streams are counted from 0")
    decoder = open_with_soundfile(path) or open_with_pyav(path, stream=stream)
    if decoder is None:
        raise InputError(f"{path}: {_describe_content(path)}; give an audio or video file such as wav, flac, mp3, m4a")
    try:
        _check_info(decoder.info, stream)
    except BaseException:
        decoder.close()
        raise
    return AudioReader(decoder, path=None if addressed is None else address)


def probe(path: Path | str, *, stream: int = 0) -> AudioInfo:
    """What a sound file states about itself, without decoding more than its beginning.

    Raises:
        InputError: as `open_audio`.
    """
    with open_audio(path, stream=stream) as reader:
        return reader.info


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder, where an audio file was expected; give the files in it")
        if not path.exists():
            raise InputError(f"{path}: no such file; check the name and the folder")
        if not path.is_file():
            raise InputError(f"{path}: is not a regular file; give an audio file")
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"{path}: is empty (0 bytes), where an audio file was expected; get the file again")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def _check_info(info: AudioInfo, stream: int) -> None:
    if stream >= info.num_streams:
        raise InputError(
            f"{info.path}: there is no audio stream {stream}; the file has {info.num_streams}, counted from 0"
        )
    if not 1 <= info.num_channels <= MAX_CHANNELS:
        raise InputError(
            f"{info.path}: has {info.num_channels} channels, where 1 to {MAX_CHANNELS} are supported; "
            "export fewer channels"
        )
    if not MIN_SAMPLE_RATE <= info.sample_rate <= MAX_SAMPLE_RATE:
        raise InputError(
            f"{info.path}: has a sample rate of {info.sample_rate} Hz, where {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} "
            "are supported; convert it first"
        )
    if info.num_samples == 0 and info.exact_length:
        raise InputError(f"{info.path}: contains no samples, where at least one was expected; export it anew")


def _describe_content(path: Path) -> str:
    with path.open("rb") as file:
        beginning = file.read(512)
    try:
        beginning.decode("utf-8")
        is_text = b"\0" not in beginning
    except UnicodeDecodeError as error:
        is_text = error.start > len(beginning) - 4 and b"\0" not in beginning
    return "is text, not audio" if is_text else "is not audio that can be decoded, or is damaged at its beginning"

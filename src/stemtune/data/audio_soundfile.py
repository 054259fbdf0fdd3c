"""Decoding with libsndfile: WAV, RF64, W64, AIFF, FLAC, Ogg Vorbis, Opus and MP3.

libsndfile's own seek is exact where every sample stands for itself. In MP3 and Ogg, what follows a seek is sometimes
wrong until a few packets were decoded, and to the very end if the seek fell into the last page of an Ogg file. There
we seek early, decode and discard:

    start = max(0, min(sample, start of the last page) - preroll).

Its Opus decoder also gives a wrong end when the last packet (120 ms at most) is read in pieces: it is read whole. The
last page of some Ogg files promises up to a packet more than there is; what is missing then is silence.

Its MP3 decoder writes remarks about damaged files to the process's standard error; they are held back here, since
what matters in them is raised as an `InputError`.
"""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio_headers import check_sizes, is_mp3, read_mp3_header, read_ogg_tail
from stemtune.data.audio_info import AudioInfo, Decoder
from stemtune.data.encoding import VORBIS_CHANNEL_ORDER
from stemtune.errors import InputError

__all__ = ["SoundfileDecoder", "open_with_soundfile"]

OGG_PREROLL_SAMPLES = 16384
MP3_PREROLL_SAMPLES = 4 * 1152
OGG_LAST_READ_SAMPLES = 8192
UNKNOWN_LENGTH = 1 << 60
_KNOWN_QUIET = (b"RIFF", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS")
_NOISE = (b"Note: ", b"Warning: ", b"[src/libmpg123", b"\n")
_STDERR_LOCK = threading.RLock()


class SoundfileDecoder(Decoder):
    """One file, opened by libsndfile; make it with `open_with_soundfile`."""

    def __init__(self, file: soundfile.SoundFile, info: AudioInfo, *, last_page_start: int | None) -> None:
        self._file = file
        self._info = info
        self._is_ogg = last_page_start is not None
        self._last_entry = info.num_samples if last_page_start is None else last_page_start
        is_vorbis_or_opus = info.codec in ("vorbis", "opus")
        self._channel_order = VORBIS_CHANNEL_ORDER.get(info.num_channels) if is_vorbis_or_opus else None
        self._is_noisy = info.codec.startswith("mpeg")
        self._preroll = OGG_PREROLL_SAMPLES if self._is_ogg else MP3_PREROLL_SAMPLES if self._is_noisy else 0
        self._position = 0
        self._ahead: Tensor | None = None  # decoded already, to be read next

    @property
    def info(self) -> AudioInfo:
        """What the file states; the length is exact."""
        return self._info

    def read(self, num_samples: int) -> Float[Tensor, "channel time"]:
        """The next samples (see `Decoder`)."""
        left = self._info.num_samples - self._position
        wanted = max(0, min(num_samples, left))
        ahead = self._ahead
        if ahead is None:
            takes_all = self._is_ogg and left - wanted < OGG_LAST_READ_SAMPLES
            ahead = self._decode(left if takes_all else wanted)
            if takes_all and 0 < left - ahead.shape[1] <= OGG_LAST_READ_SAMPLES:
                ahead = torch.nn.functional.pad(ahead, (0, left - ahead.shape[1]))
        samples = ahead[:, :wanted].contiguous()
        self._ahead = ahead[:, wanted:] if ahead.shape[1] > wanted else None
        self._position += samples.shape[1]
        return samples

    def _decode(self, num_samples: int) -> Float[Tensor, "channel time"]:
        try:
            with _hushed(self._is_noisy):
                samples = self._file.read(num_samples, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise InputError(
                f"{self._info.path}: decoding failed behind sample {self._position} of {self._info.num_samples} "
                f"({_reason(error)}); the file is damaged, get it again or convert it anew"
            ) from None
        if self._channel_order is not None:
            samples = samples[:, self._channel_order]
        # (one channel is reshaped: torch is ten times slower with the strides that its transposition has)
        return torch.from_numpy(samples.reshape(1, -1) if samples.shape[1] == 1 else np.ascontiguousarray(samples.T))

    def seek(self, sample: int) -> None:
        """Go there (see `Decoder`)."""
        sample = min(sample, self._info.num_samples)
        if sample == self._position:
            return
        start = max(0, min(sample, self._last_entry) - self._preroll)
        if start <= self._position < sample:
            start = self._position  # decoding on is nearer than seeking
        try:
            with _hushed(self._is_noisy):
                if start != self._position:
                    self._ahead = None
                    self._file.seek(start)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise InputError(
                f"{self._info.path}: cannot go to sample {sample} of {self._info.num_samples} ({_reason(error)}); "
                "the file is damaged, get it again or convert it anew"
            ) from None
        self._position = start
        while self._position < sample and self.read(min(65536, sample - self._position)).shape[1]:
            pass

    def close(self) -> None:
        """Let go of the file."""
        with _hushed(self._is_noisy):
            self._file.close()


def open_with_soundfile(path: Path) -> SoundfileDecoder | None:
    """Open a file by its content.

    Args:
        path: an existing, readable file.

    Returns:
        a decoder at the first sample; None if libsndfile does not know such files, or could not tell their length.

    Raises:
        InputError: if the file is recognised, but cut off.
    """
    if not check_sizes(path):
        return None
    with path.open("rb") as probe:
        beginning = probe.read(16)
    if is_mp3(beginning) and not _is_whole_mp3(path):
        return None
    try:
        with _hushed(beginning[:4] not in _KNOWN_QUIET):
            file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return None
    tail = read_ogg_tail(path) if file.format == "OGG" else None
    if tail is not None and not tail.is_complete:
        file.close()
        raise InputError(f"{path}: cut off, the end of the Ogg stream is missing; get the file again")
    is_known = file.frames < UNKNOWN_LENGTH and (file.format != "MP3" or _is_whole_mp3(path))
    if not is_known or (tail is not None and not tail.is_single):
        file.close()
        return None
    info = AudioInfo(
        path=path,
        sample_rate=file.samplerate,
        num_channels=file.channels,
        num_samples=file.frames,
        container=file.format.lower().replace("wavex", "wav"),
        codec=file.subtype.lower(),
    )
    return SoundfileDecoder(file, info, last_page_start=None if tail is None else tail.last_page_start)


def _is_whole_mp3(path: Path) -> bool:
    header = read_mp3_header(path)
    if header.missing_bytes:
        raise InputError(
            f"{path}: cut off, {header.missing_bytes} bytes of the sound that its header promises are missing; "
            "get the file again"
        )
    return header.is_reliable


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


@contextmanager
def _hushed(is_noisy: bool) -> Generator[None]:
    """Hold back the MP3 decoder's remarks from standard error; what anyone else writes meanwhile is passed on."""
    if not is_noisy or not hasattr(os, "memfd_create"):
        yield
        return
    with _STDERR_LOCK:
        try:
            original = os.dup(2)
        except OSError:  # standard error is closed: nothing can be printed
            yield
            return
        held = os.memfd_create("stemtune-stderr")
        os.dup2(held, 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            size = os.lseek(held, 0, os.SEEK_END)
            if size:
                os.lseek(held, 0, os.SEEK_SET)
                lines = os.read(held, size).splitlines(keepends=True)
                os.write(original, b"".join(line for line in lines if not line.startswith(_NOISE)))
            os.close(held)
            os.close(original)

"""Decoding with FFmpeg (through PyAV) what libsndfile cannot: AAC, ALAC, video containers, several audio streams.

FFmpeg removes the encoder's delay at the start. What an MP4 file says about its end we apply ourselves: the last
packet lasts as long as the file states, not a whole block, and an edit list may end earlier still:

    length = min(end of the last packet, end of the edit list).

MP4 counts time in samples, so there a seek goes to a packet some blocks early, decodes and discards. Other
containers round their times (Matroska to a millisecond), and there a seek backwards decodes from the start again:
slower, but exact. Every seek begins with a fresh decoder, so that what is read depends on the place alone.

Deviations:
    AAC files may code noise by its energy only and let the decoder draw it. After a seek other noise is drawn than
    when decoding from the start: the place is exact, those bands differ.
    Raw AAC (``.aac``) and Matroska with AAC do not say how many samples of the last block are padding, and raw AAC
    does not state its encoder's delay either; like every player we keep both.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from stemtune.data.audio_info import AudioInfo, Decoder
from stemtune.errors import InputError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

__all__ = ["PyavDecoder", "open_with_pyav"]

PREROLL_SAMPLES = 16384  # eight blocks of the longest AAC profile
# Playlists and other formats that make FFmpeg open further files or addresses are left out on purpose.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mp3,aac,ogg,flac,wav,w64,aiff,caf,au,asf,avi,flv,mpegts,mpeg,ac3,eac3,"
    "ape,wv,tta,amr,dts,loas"
)
_PROTECTED = ("drms", "enca", "aavd")  # how MP4 calls a track that its seller has encrypted
_SCALES = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}


class PyavDecoder(Decoder):
    """One audio stream of one file, decoded by FFmpeg; make it with `open_with_pyav`."""

    def __init__(self, path: Path, stream: int) -> None:
        self._path = path
        self._stream = stream
        self._container: InputContainer | None = None
        try:
            self._describe()
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> AudioInfo:
        """What the file states; the length is exact for MP4 and an estimate otherwise."""
        return self._info

    def read(self, num_samples: int) -> Float[Tensor, "channel time"]:
        """The next samples (see `Decoder`)."""
        if self._end is not None:
            num_samples = min(num_samples, self._end - self._position)
        blocks: list[NDArray[np.float32]] = []
        wanted = max(0, num_samples)
        while wanted:
            if not self._pending.shape[1]:
                block = next(self._frames, None)
                if block is None:
                    break
                self._pending = block
            blocks.append(self._pending[:, :wanted])
            self._pending = self._pending[:, wanted:]
            wanted -= blocks[-1].shape[1]
            self._position += blocks[-1].shape[1]
        if not blocks:
            return torch.zeros(self._info.num_channels, 0)
        return torch.from_numpy(np.ascontiguousarray(np.concatenate(blocks, axis=1)))

    def seek(self, sample: int) -> None:
        """Go there (see `Decoder`)."""
        if self._end is not None:
            sample = min(sample, self._end)
        is_near = self._position <= sample <= self._position + 4 * PREROLL_SAMPLES
        if sample < self._position or (self._is_indexed and not is_near):
            self._restart(sample)
        while self._position < sample and self.read(min(65536, sample - self._position)).shape[1]:
            pass

    def close(self) -> None:
        """Let go of the file."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _open(self) -> "tuple[InputContainer, AudioStream]":
        import av

        self.close()
        options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
        container = av.open(str(self._path.resolve()), options=options, metadata_errors="replace")
        self._container = container
        streams = container.streams.audio
        if not streams:
            has_video = bool(container.streams.video)
            what = "has video but no audio stream" if has_video else "has no audio stream"
            raise InputError(f"{self._path}: {what}; give a file with sound")
        if self._stream >= len(streams):
            raise InputError(
                f"{self._path}: there is no audio stream {self._stream}; the file has {len(streams)}, counted from 0"
            )
        chosen = streams[self._stream]
        if chosen.codec_context.codec_tag in _PROTECTED:
            raise InputError(f"{self._path}: is protected against copying (DRM); give a copy that is not")
        return container, chosen

    def _describe(self) -> None:
        """Decode the first frame, since only that tells the true sample rate, and find out the length."""
        container, stream = self._open()
        name = container.format.name.split(",")[0]
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError(f"{self._path}: the audio stream contains no samples; give a file with sound")
        self._rate, self._channels = first.sample_rate, first.layout.nb_channels
        self._first_time = (first.pts or 0) * (first.time_base or Fraction(1, self._rate))
        ticks = _time_base(stream) * self._rate
        self._is_indexed = name == "mov" and first.pts is not None and 1 in (ticks.numerator, ticks.denominator)
        promised = _promised_seconds(container, stream, name)
        end = self._find_end(container, stream, promised) if self._is_indexed else None
        self._end = end
        self._promised = None if promised is None else int(promised * self._rate)
        estimate = promised if promised is not None else Fraction(container.duration or 0, 1_000_000)
        self._info = AudioInfo(
            path=self._path,
            sample_rate=self._rate,
            num_channels=self._channels,
            num_samples=end if end is not None else max(0, round((estimate - self._first_time) * self._rate)),
            container=name,
            codec=stream.codec_context.name,
            num_streams=len(container.streams.audio),
            exact_length=end is not None,
        )
        self._restart(0)

    def _find_end(self, container: "InputContainer", stream: "AudioStream", promised: Fraction | None) -> int | None:
        """The number of samples that an MP4 file says it has, from its last packets and its edit list."""
        from av.error import FFmpegError

        time_base, last = _time_base(stream), Fraction(0)
        try:
            near_end = max(Fraction(0), (promised or Fraction(0)) - Fraction(PREROLL_SAMPLES, self._rate))
            container.seek(int(near_end / time_base), stream=stream)
            for packet in container.demux(stream):
                if packet.pts is not None and packet.duration:
                    last = max(last, (packet.pts + packet.duration) * time_base)
        except FFmpegError:
            return None
        if promised is not None and promised - last > Fraction(1, 4):
            raise InputError(
                f"{self._path}: cut off, it promises {float(promised):.2f} s of sound and ends at {float(last):.2f} s; "
                "get the file again"
            )
        # FFmpeg writes edit lists in milliseconds: what is shorter by less than that is rounding.
        end = promised if promised is not None and last - promised > Fraction(1, 500) else last
        return max(1, round((end - self._first_time) * self._rate))

    def _restart(self, sample: int) -> None:
        """Begin decoding anew, at the start or at a packet well before ``sample`` if the container is exact."""
        from av.error import FFmpegError

        container, stream = self._open()
        self._position = 0
        self._pending = np.zeros((self._channels, 0), dtype=np.float32)
        early = sample - PREROLL_SAMPLES
        if not self._is_indexed or early <= 0:
            self._frames = self._blocks(container.decode(stream))
            return
        target = (Fraction(early, self._rate) + self._first_time) / _time_base(stream)
        try:
            container.seek(int(target), stream=stream)
            frames = container.decode(stream)
            frame = next(frames, None)
        except FFmpegError:
            frames, frame = iter(()), None
        if frame is not None and frame.pts is not None and frame.time_base is not None:
            place = (frame.pts * frame.time_base - self._first_time) * self._rate
            if place.denominator == 1 and 0 <= place <= sample:
                self._position = int(place)
                self._frames = self._blocks(chain([frame], frames))
                return
        container, stream = self._open()
        self._frames = self._blocks(container.decode(stream))

    def _blocks(self, frames: "Iterator[AudioFrame]") -> Iterator[NDArray[np.float32]]:
        from av.error import FFmpegError

        try:
            for frame in frames:
                if (frame.sample_rate, frame.layout.nb_channels) != (self._rate, self._channels):
                    raise InputError(
                        f"{self._path}: changes to {frame.sample_rate} Hz and {frame.layout.nb_channels} channels "
                        f"at sample {self._position} (it began with {self._rate} Hz and {self._channels}); "
                        "convert it to one format first"
                    )
                yield _to_float(frame)
        except FFmpegError as error:
            raise InputError(
                f"{self._path}: decoding failed behind sample {self._position} ({_reason(error)}); "
                "the file is damaged, get it again or convert it anew"
            ) from None
        if self._promised is not None and self._position < self._promised - self._rate // 4:
            raise InputError(
                f"{self._path}: cut off, it promises {self._promised} samples and ends at sample {self._position}; "
                "get the file again"
            )


def open_with_pyav(path: Path, *, stream: int = 0) -> PyavDecoder | None:
    """Open one audio stream of a file by its content.

    Args:
        path: an existing, readable file.
        stream: which audio stream, counted from 0.

    Returns:
        a decoder at the first sample; None if FFmpeg does not know such files.

    Raises:
        InputError: if there is no such stream, no sound in it, or the file is cut off.
    """
    from av.error import FFmpegError

    try:
        return PyavDecoder(path, stream)
    except (FFmpegError, OSError):
        return None


def _promised_seconds(container: "InputContainer", stream: "AudioStream", name: str) -> Fraction | None:
    """When the stream ends according to the container, where that can be relied on."""
    if name == "mov" and stream.duration and stream.time_base:
        return (stream.duration + (stream.start_time or 0)) * stream.time_base
    if name == "matroska":
        stated = stream.metadata.get("DURATION", "")
        try:
            hours, minutes, seconds = stated.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
        except ValueError:
            is_alone = len(container.streams) == 1
            return Fraction(container.duration, 1_000_000) if container.duration and is_alone else None
    return None


def _time_base(stream: "AudioStream") -> Fraction:
    return stream.time_base or Fraction(1, stream.sample_rate or 1)


def _to_float(frame: "AudioFrame") -> NDArray[np.float32]:
    """``channel time`` in [-1, 1) from whatever layout and width FFmpeg chose."""
    if frame.format.is_planar and frame.layout.nb_channels >= 8:
        frame = _interleaved(frame)
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    name = frame.format.name.rstrip("p")
    samples = array.astype(np.float32 if name != "s32" else np.float64)
    if name == "u8":
        samples -= 128
    return np.ascontiguousarray(samples / np.float32(_SCALES[name]), dtype=np.float32)


def _interleaved(frame: "AudioFrame") -> "AudioFrame":
    """The same samples in one plane; PyAV miscounts the planes of eight channels and reads behind them."""
    import av

    frame.pts = None
    resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
    return resampler.resample(frame)[0]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or type(error).__name__)

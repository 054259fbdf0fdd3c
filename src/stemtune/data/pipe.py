"""Sound that flows: uncompressed samples out of a pipe or a device, and into a pipe, as they come.

A pipe cannot be sought in and does not know how long it is. What it carries either says of itself, in the header of a
WAV file, what it is, or is told apart by who reads it (`RawFormat`, ``int16:44100:2``):

    sample k of channel c  =  bytes[(k * num_channels + c) * width ...],   amplitude = integer / 2^(bits - 1).

It ends where the bytes end, or after as many as its header promises; a last sample that is not whole is left out.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast, get_args, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from stemtune.data.encoding import SampleFormat
from stemtune.data.pcm import samples_to_float, walk_to_samples
from stemtune.data.wav import endless_wav_header, interleave
from stemtune.errors import InputError, OutputError, UsageError

__all__ = ["ByteSink", "ByteSource", "PipeReader", "PipeWriter", "RawFormat", "open_pipe"]

_KINDS: dict[SampleFormat, str] = {"int16": "<i2", "int24": "<i3", "int32": "<i4", "float32": "<f4"}
_FORMATS: dict[str, SampleFormat] = {kind: name for name, kind in _KINDS.items()}
_UNKNOWN_BYTES = 0x7FFFF000  # what writers into pipes promise: this much or more, or nothing


@runtime_checkable
class ByteSource(Protocol):
    """What bytes come from, some at a time, or none at the end."""

    def read(self, size: int, /) -> bytes | None:
        """At most so many bytes; waits for the first one."""
        ...


@runtime_checkable
class ByteSink(Protocol):
    """Where bytes go."""

    def write(self, content: bytes | memoryview, /) -> object:
        """Take all of them."""
        ...

    def flush(self) -> object:
        """Let them go."""
        ...


@dataclass(frozen=True)
class RawFormat:
    """What samples without a header are.

    Attributes:
        sample_format: how each is written, with the lowest byte first.
        sample_rate: in Hz.
        num_channels: interleaved.
    """

    sample_format: SampleFormat
    sample_rate: int
    num_channels: int

    @staticmethod
    def parse(text: str) -> "RawFormat":
        """Read ``FORMAT:RATE:CHANNELS``.

        Raises:
            UsageError: if it is not that.
        """
        name, rate, channels, *more = [*text.split(":"), "", ""]
        if any(more) or name not in get_args(SampleFormat) or not (rate.isdecimal() and channels.isdecimal()):
            raise UsageError(
                f"{text!r}: expected FORMAT:RATE:CHANNELS, such as int16:44100:2; the formats are {', '.join(_KINDS)}"
            )
        found = RawFormat(cast("SampleFormat", name), int(rate), int(channels))
        if problem := _out_of_range(found):
            raise UsageError(f"{text!r}: {problem}")
        return found


class PipeReader:
    """Samples as they come; see `open_pipe`."""

    def __init__(self, file: ByteSource, raw: RawFormat, *, name: str, promised_bytes: int | None = None) -> None:
        self.format = raw
        self.name = name
        self._file = file
        self._left = promised_bytes

    def blocks(self, block_samples: int) -> Iterator[Float[Tensor, "channel time"]]:
        """All that comes, in blocks of ``block_samples``; the last one may be shorter.

        Raises:
            InputError: if reading fails.
        """
        kind = _KINDS[self.format.sample_format]
        frame_bytes = int(kind[-1]) * self.format.num_channels
        while True:
            raw = self._read(block_samples * frame_bytes)
            whole = len(raw) // frame_bytes
            if whole:
                samples = torch.empty(self.format.num_channels, whole)
                content = np.frombuffer(raw[: whole * frame_bytes], dtype=np.uint8)
                samples_to_float(content, samples.numpy(), kind=kind)
                yield samples
            if whole < block_samples:
                return

    def _read(self, num_bytes: int) -> bytes:
        """So many bytes, or all that are left; waits for them."""
        if self._left is not None:
            num_bytes = min(num_bytes, self._left)
        parts: list[bytes] = []
        missing = num_bytes
        try:
            while missing and (part := self._file.read(missing)):
                parts.append(part)
                missing -= len(part)
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read any further ({error.strerror})") from None
        if self._left is not None:
            self._left -= num_bytes - missing
        return b"".join(parts)


class PipeWriter:
    """Writes samples into a pipe and lets each block go at once.

    Args:
        file: the pipe.
        raw: what the samples shall be.
        header: whether to begin as a WAV file does.
        name: of the pipe, for messages.
    """

    def __init__(self, file: ByteSink, raw: RawFormat, *, header: bool, name: str) -> None:
        self._file, self._name = file, name
        self._format: SampleFormat = raw.sample_format
        if header:
            start = endless_wav_header(
                num_channels=raw.num_channels, sample_rate=raw.sample_rate, sample_format=raw.sample_format
            )
            self._send(memoryview(start))

    def write(self, samples: Tensor) -> None:
        """Send ``channel time``: float32, or integers in units of the last bit.

        Raises:
            BrokenPipeError: if nobody listens any more.
            OutputError: if writing fails otherwise.
        """
        self._send(interleave(samples, self._format))

    def _send(self, content: memoryview) -> None:
        try:
            self._file.write(content)
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self._name}: cannot be written any further ({error.strerror})") from None


def open_pipe(file: ByteSource, *, raw: RawFormat | None, name: str) -> PipeReader:
    """Begin to read.

    Args:
        file: anything that can be read forwards.
        raw: what it carries; None if it begins with the header of a WAV file.
        name: of the pipe, for messages.

    Raises:
        InputError: if there is no such header, or it promises what is not supported.
    """
    if raw is not None:
        return PipeReader(file, raw, name=name)
    try:
        found = walk_to_samples(_Forwards(file))
    except struct.error:
        found = None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from None
    if found is None:
        raise InputError(
            f"{name}: does not begin as an uncompressed WAV file does; decode it first (ffmpeg -i FILE -f wav -), or "
            "say what raw samples it carries with --raw, such as --raw int16:44100:2"
        )
    carried = RawFormat(_FORMATS[found.kind], found.sample_rate, found.num_channels)
    if problem := _out_of_range(carried):
        raise InputError(f"{name}: {problem}")
    promised = found.data_bytes if 0 < found.data_bytes < _UNKNOWN_BYTES else None
    return PipeReader(file, carried, name=name, promised_bytes=promised)


class _Forwards:
    """Skips what it cannot seek over."""

    def __init__(self, file: ByteSource) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        num_bytes = size
        parts: list[bytes] = []
        while num_bytes and (part := self._file.read(num_bytes)):
            parts.append(part)
            num_bytes -= len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int, /) -> None:
        del whence  # always from here
        num_bytes = offset
        while num_bytes and (skipped := len(self.read(min(num_bytes, 1 << 16)))):
            num_bytes -= skipped


def _out_of_range(raw: RawFormat) -> str:
    """What is wrong with a format; empty if nothing is."""
    if not MIN_SAMPLE_RATE <= raw.sample_rate <= MAX_SAMPLE_RATE:
        return f"a rate of {raw.sample_rate} Hz; expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
    if not 1 <= raw.num_channels <= MAX_CHANNELS:
        return f"{raw.num_channels} channels; expected 1 to {MAX_CHANNELS}"
    return ""

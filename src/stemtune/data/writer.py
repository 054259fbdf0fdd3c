"""Writing sound, block by block, into a file that appears only when it is complete.

Samples with full scale at 1 are rounded to the nearest step and clamped to what the format can hold:

    integer = clamp(round(2^(bits - 1) * sample), -2^(bits - 1), 2^(bits - 1) - 1).
"""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import soundfile
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from stemtune.data.encoders import open_encoder
from stemtune.data.encoding import Encoder, Encoding
from stemtune.data.files import PendingFile, output_error
from stemtune.errors import OutputError, UsageError

__all__ = ["AudioWriter", "Encoding"]

BLOCK_SAMPLES = 65536  # what is quantised at a time
_BITS = {"int16": 16, "int24": 24, "int32": 32}


class AudioWriter:
    """An audio file that is being written, under a hidden name beside its target.

    As a context manager it commits on success and aborts on any exception, Ctrl-C included.
    """

    def __init__(
        self, path: Path | str, *, sample_rate: int, num_channels: int, encoding: Encoding | None = None
    ) -> None:
        """Begin a file; missing folders are made.

        Args:
            path: the name that the file gets by `commit`.
            sample_rate: in Hz.
            num_channels: 1 to 8, as far as the format holds them.
            encoding: how samples are coded; by default, as the path's ending asks.

        Raises:
            UsageError: if the format cannot hold such sound.
            OutputError: if the file cannot be made.
        """
        self.encoding = Encoding.for_path(path) if encoding is None else encoding
        self.encoding.check(sample_rate=sample_rate, num_channels=num_channels)
        self.num_channels = num_channels
        self._num_samples: int = 0
        self._encoder: Encoder | None = None
        self._pending = PendingFile(path)
        self.path = self._pending.target
        with self._guarded():
            self._encoder = open_encoder(
                self._pending.path, sample_rate=sample_rate, num_channels=num_channels, encoding=self.encoding
            )

    def __enter__(self) -> "AudioWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    @property
    def num_samples(self) -> int:
        """How many samples per channel were written so far."""
        return self._num_samples

    def write(self, samples: Float[Tensor, "channel time"]) -> None:
        """Append samples, nominally within [-1, 1]; integer formats clamp what is outside.

        Raises:
            OutputError: if the disk is full, or if a sample is not a finite number.
        """
        samples = samples.detach().to("cpu", torch.float32)
        if not math.isfinite(samples.sum().item()) and not torch.isfinite(samples).all():
            raise OutputError(
                f"{self.path}: a sample behind number {self._num_samples} is not a finite number, and is not written; "
                "look where it comes from"
            )
        bits = _BITS.get(self.encoding.sample_format) if self.encoding.is_lossless else None
        self._append(samples, lambda block: block if bits is None else _quantise(block, bits))

    def write_integers(self, samples: Int32[Tensor, "channel time"]) -> None:
        """Append samples in units of the last bit; reading them back gives exactly ``samples / 2^(bits - 1)``.

        Raises:
            UsageError: if the encoding is not one of integers.
            OutputError: if the disk is full.
            ValueError: if a sample needs more bits than the format has.
        """
        bits = _BITS.get(self.encoding.sample_format) if self.encoding.is_lossless else None
        if bits is None:
            kind = self.encoding.sample_format if self.encoding.is_lossless else "coded"
            raise UsageError(f"{self.path}: {self.encoding.container} holds {kind} samples, not integers")
        limit = 1 << (bits - 1)
        if samples.numel() and not -limit <= int(samples.min()) <= int(samples.max()) < limit:
            raise ValueError(f"samples from {samples.min()} to {samples.max()} do not fit {bits} bits")
        self._append(samples.detach().cpu(), lambda block: block)

    def commit(self) -> Path:
        """Complete the file, put it on the disk and give it its name.

        Returns:
            the path.

        Raises:
            OutputError: if that fails, or if nothing was written; the hidden file is removed then.
        """
        encoder = self._encoder
        if encoder is None:
            return self.path  # done already, or given up
        with self._guarded():
            if not self._num_samples:
                raise OutputError(f"{self.path}: there are no samples to write; give at least one")
            encoder.finish()
            encoder.close()
            self._encoder = None
            self._check_complete()
            return self._pending.commit()

    def abort(self) -> None:
        """Remove what was written; a file that had the name before stays."""
        encoder, self._encoder = self._encoder, None
        try:
            if encoder is not None:
                encoder.close()
        except (OSError, RuntimeError):
            pass  # a file that is thrown away need not be complete
        finally:
            self._pending.abort()

    def _append(self, samples: Tensor, convert: Callable[[Tensor], Tensor]) -> None:
        if samples.shape[0] != self.num_channels:
            raise ValueError(f"{self.path} has {self.num_channels} channels; {samples.shape[0]} were given")
        encoder = self._encoder
        if encoder is None:
            raise ValueError(f"{self.path} is complete or was given up; nothing can be added")
        with self._guarded():
            for start in range(0, samples.shape[1], BLOCK_SAMPLES):
                block = samples[:, start : start + BLOCK_SAMPLES]
                encoder.write(convert(block))
                self._num_samples += block.shape[1]

    def _check_complete(self) -> None:
        """Encoders do not all report a full disk, so the file's own header is asked how long it is."""
        if self.encoding.container in ("flac", "ogg", "opus", "mp3"):
            written = soundfile.info(str(self._pending.path)).frames
            if written != self._num_samples:
                raise OutputError(
                    f"{self.path}: only {written} of {self._num_samples} samples could be written; "
                    "free some space or choose another disk"
                )

    @contextmanager
    def _guarded(self) -> Generator[None]:
        """Turn what libraries raise into an `OutputError`, and leave nothing behind after any exception."""
        try:
            yield
        except OSError as error:
            self.abort()
            raise output_error(self.path, error) from None
        except (soundfile.SoundFileError, RuntimeError, AssertionError) as error:
            self.abort()
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OutputError(
                f"{self.path}: cannot be written ({reason}); check the space and the permissions there"
            ) from None
        except BaseException:
            self.abort()
            raise


def _quantise(samples: Tensor, bits: int) -> Tensor:
    limit = 1 << (bits - 1)
    scaled = samples.double() * limit if bits > 24 else samples * float(limit)
    return scaled.round_().clamp_(-limit, limit - 1).to(torch.int32)

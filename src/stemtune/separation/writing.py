"""Stems into files: one gain for all against clipping, and integers that sum to the mixture exactly.

A stem may be louder than the mixture that it came from. If one would exceed full scale, all are turned down alike, so
that they still sum to the mixture:

    gain = min(1, full_scale / max over stems and samples |stem|).

That peak is known only at the end; until then the stems wait in a `Spool` on the disk, in constant memory.
"""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.encoding import Encoding
from stemtune.data.spool import Spool
from stemtune.data.writer import AudioWriter
from stemtune.signal.level import full_scale, peak, quantise_jointly

__all__ = ["ClipMode", "StemSink", "integer_bits", "needs_spool", "open_stem_sink"]

ClipMode = Literal["rescale", "clamp", "none"]

_BLOCK_SAMPLES = 1 << 14  # whatever is computed sample by sample is quickest in pieces that fit the cache


@runtime_checkable
class StemSink(Protocol):
    """Takes the stems of a track from its first sample to its last."""

    def write(self, stems: Float[Tensor, "stem channel time"], mixture: Float[Tensor, "channel time"]) -> None:
        """Take the next samples of all stems, and of what they sum to."""
        ...

    def finish(self) -> float:
        """All files appear under their names; returns the gain that was applied to all stems."""
        ...


@contextmanager
def open_stem_sink(
    paths: Sequence[Path],
    *,
    sample_rate: int,
    num_channels: int,
    encoding: Encoding,
    clip_mode: ClipMode,
    sums_to_mixture: bool,
) -> Generator[StemSink, None, None]:
    """Files for all stems, which appear together by `StemSink.finish`, or not at all.

    Args:
        paths: one for each stem, in order.
        sample_rate: of the stems, in Hz.
        num_channels: of each stem.
        encoding: of each file.
        clip_mode: what happens when a stem exceeds full scale: "rescale" turns all stems down alike, "clamp" clips
            the stem, "none" leaves it to the format, in which integers are clipped and floats are not.
        sums_to_mixture: whether the stems add up to the mixture, so that their integers shall, too.
    """
    folders = _missing_folders(paths)
    with ExitStack() as stack:
        stack.callback(_remove_if_empty, folders)
        writers: list[AudioWriter] = []
        for path in paths:
            writer = AudioWriter(path, sample_rate=sample_rate, num_channels=num_channels, encoding=encoding)
            stack.callback(writer.abort)  # does nothing after a commit
            writers.append(writer)
        files = _StemFiles(paths, writers, encoding, clamp=clip_mode != "none", exact=sums_to_mixture)
        if needs_spool(encoding, clip_mode):
            spool = stack.enter_context(Spool(paths[0].parent))
            yield _SpooledStems(spool, files, (len(paths), num_channels))
        else:
            yield files


def needs_spool(encoding: Encoding, clip_mode: ClipMode) -> bool:
    """Whether the peak of all stems must be known before the first sample is encoded."""
    return clip_mode == "rescale" and not _holds_any_level(encoding)


def integer_bits(encoding: Encoding) -> int | None:
    """The width of the integers that a file holds, where stems can be rounded jointly."""
    return {"int16": 16, "int24": 24}.get(encoding.sample_format) if encoding.is_lossless else None


class _StemFiles:
    """Writes straight into the files, with a gain that is known."""

    def __init__(
        self, paths: Sequence[Path], writers: list[AudioWriter], encoding: Encoding, *, clamp: bool, exact: bool
    ) -> None:
        self.num_stems = len(paths)
        self.bits = integer_bits(encoding)
        self.joint = exact and self.bits is not None
        self.gain = 1.0
        self._clamp = clamp and not _holds_any_level(encoding)
        self._writers = writers
        self._new = [path for path in paths if not path.exists()]

    def write(self, stems: Float[Tensor, "stem channel time"], mixture: Float[Tensor, "channel time"]) -> None:
        for begin in range(0, mixture.shape[1], _BLOCK_SAMPLES):
            part = slice(begin, begin + _BLOCK_SAMPLES)
            self._write(stems[..., part], mixture[:, part])

    def _write(self, stems: Float[Tensor, "stem channel time"], mixture: Float[Tensor, "channel time"]) -> None:
        if self.gain != 1.0:
            stems, mixture = stems * self.gain, mixture * self.gain
        if self.joint and self.bits is not None:
            limit = full_scale(self.bits)
            integers = quantise_jointly(stems, mixture, bits=self.bits).clamp(-limit, limit - 1)
            for writer, stem in zip(self._writers, integers, strict=True):
                writer.write_integers(stem)
            return
        stems = stems.clamp(-1, 1) if self._clamp else stems
        for writer, stem in zip(self._writers, stems, strict=True):
            writer.write(stem)

    def finish(self) -> float:
        try:
            for writer in self._writers:
                writer.commit()
        except BaseException:
            for path in self._new:  # all or nothing
                path.unlink(missing_ok=True)
            raise
        return self.gain


class _SpooledStems:
    """Keeps the stems until their peak is known."""

    def __init__(self, spool: Spool, files: _StemFiles, shape: tuple[int, int]) -> None:
        self._spool, self._files, self._shape = spool, files, shape
        self._peak, self._fits = 0.0, True
        # What joint rounding may add to a stem: half a unit of its own, half of every stem's and of the mixture's.
        self._margin = (files.num_stems / 2 + 2) / full_scale(files.bits) if files.bits else 0.0

    def write(self, stems: Float[Tensor, "stem channel time"], mixture: Float[Tensor, "channel time"]) -> None:
        highest = peak(stems)
        self._peak = max(self._peak, highest)
        if highest > 1 - self._margin and self._fits:
            self._fits = self._fit(stems, mixture)
        self._spool.write(torch.cat((stems.flatten(0, 1), mixture)))

    def finish(self) -> float:
        stems, channels = self._shape
        if not self._fits:
            self._files.gain = (1 - self._margin) / self._peak
        for block in self._spool.blocks():
            rows, mixture = block[: stems * channels], block[stems * channels :]
            self._files.write(rows.reshape(stems, channels, -1), mixture)
        return self._files.finish()

    def _fit(self, stems: Float[Tensor, "stem channel time"], mixture: Float[Tensor, "channel time"]) -> bool:
        bits = self._files.bits
        if bits is None or peak(stems) > 1:
            return peak(stems) <= 1
        limit = full_scale(bits)
        if self._files.joint:
            integers = quantise_jointly(stems, mixture, bits=bits)
            return bool(integers.max() < limit) and bool(integers.min() >= -limit)
        return bool(stems.max() * limit < limit - 0.5) and bool(stems.min() >= -1)


def _holds_any_level(encoding: Encoding) -> bool:
    return encoding.is_lossless and encoding.sample_format == "float32"


def _missing_folders(paths: Sequence[Path]) -> list[Path]:
    """The folders that writing to ``paths`` will make, innermost first."""
    missing: dict[Path, None] = {}
    for path in paths:
        missing.update((folder, None) for folder in path.parents if not folder.exists())
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _remove_if_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            continue  # not empty, or never made

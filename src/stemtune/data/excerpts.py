"""Excerpts of stems, quickly: what `tracks.read_excerpt` gives, for training, which wants thousands of them a minute.

    excerpt = sum over files of  resample(channels(file[start : start + duration]))

Uncompressed files are read where their samples lie (`pcm`); of compressed ones a decoded copy is, if a folder for
such copies is given (`decoded`); everything else is decoded as everywhere.

Deviations from `tracks.read_excerpt`:
    Where channels are to be averaged and the rate is to be changed, the channels are averaged first, which is as
    exact and saves the resampling of the others.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import open_audio, probe
from stemtune.data.decoded import DecodedFiles
from stemtune.data.pcm import PcmFile, locate_samples, read_samples
from stemtune.data.tracks import fit_channels

__all__ = ["ExcerptReader"]


class ExcerptReader:
    """Reads excerpts, and remembers where in its files the samples are.

    Attributes:
        sample_rate: of all excerpts, in Hz.
        channels: of all excerpts.

    Args:
        decoded: the folder for decoded copies of compressed files; without one they are decoded for each excerpt.
    """

    def __init__(self, *, sample_rate: int, channels: int, decoded: Path | None = None) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self._decoded = DecodedFiles(decoded) if decoded else None
        self._located: dict[Path, PcmFile | None] = {}

    def read(
        self,
        paths: Sequence[Path],
        *,
        start_seconds: float,
        num_samples: int,
        out: Float[Tensor, "channel time"] | None = None,
    ) -> Float[Tensor, "channel time"]:
        """The sum of some files from ``start_seconds`` on, see `tracks.read_excerpt`.

        Args:
            paths: the files.
            start_seconds: where the excerpt begins; what lies before the files or behind them is silence.
            num_samples: of the excerpt.
            out: a contiguous tensor to put it into; a new one if None.

        Raises:
            InputError: if a file is damaged or gone.
        """
        total = torch.empty(self.channels, num_samples) if out is None else out
        if len(paths) == 1 and self._read_plain(paths[0], round(start_seconds * self.sample_rate), total):
            return total
        first, *others = paths
        samples = self._read_any(first, start_seconds, num_samples)
        total[:, : samples.shape[1]] = samples
        total[:, samples.shape[1] :] = 0.0
        for path in others:
            samples = self._read_any(path, start_seconds, num_samples)
            total[:, : samples.shape[1]] += samples
        return total

    def _read_plain(self, path: Path, start: int, out: Float[Tensor, "channel time"]) -> bool:
        """Fill ``out`` without a detour if nothing has to be converted, cut or padded, and say so."""
        pcm = self._locate(path)
        if pcm is None or (pcm.sample_rate, pcm.num_channels) != (self.sample_rate, self.channels):
            return False
        if not 0 <= start <= pcm.num_samples - out.shape[1]:
            return False
        return read_samples(pcm, start=start, num_samples=out.shape[1], out=out) is not None

    def _read_any(self, path: Path, start_seconds: float, num_samples: int) -> Float[Tensor, "channel time"]:
        """One file's part of the excerpt, at most ``num_samples`` long."""
        pcm = self._locate(path)
        if pcm is not None:
            samples = self._slice(pcm, start_seconds, num_samples)
            if samples is not None:
                return self._convert(samples, pcm.sample_rate, num_samples)
            del self._located[path]  # another file by now, or damaged
        with open_audio(path) as reader:
            rate = reader.info.sample_rate
            start, wanted = _span(start_seconds, num_samples, rate, self.sample_rate)
            if reader.info.exact_length and start >= reader.info.num_samples:
                return torch.zeros(self.channels, 0)
            reader.seek(max(start, 0))
            samples = reader.read(max(wanted + min(start, 0), 0))
        return self._convert(_padded(samples, start, wanted), rate, num_samples)

    def _slice(self, pcm: PcmFile, start_seconds: float, num_samples: int) -> Float[Tensor, "channel time"] | None:
        start, wanted = _span(start_seconds, num_samples, pcm.sample_rate, self.sample_rate)
        first, last = max(start, 0), min(start + wanted, pcm.num_samples)
        if last <= first:
            return torch.zeros(pcm.num_channels, 0)
        samples = read_samples(pcm, start=first, num_samples=last - first)
        return None if samples is None else _padded(samples, start, wanted)

    def _convert(
        self, samples: Float[Tensor, "from_channel from_time"], rate: int, num_samples: int
    ) -> Float[Tensor, "channel time"]:
        if self.channels < samples.shape[0]:
            samples = fit_channels(samples, self.channels)
        if rate != self.sample_rate and samples.shape[1]:
            samples = _resampled(samples, rate, self.sample_rate)
        return fit_channels(samples, self.channels)[:, :num_samples]

    def _locate(self, path: Path) -> PcmFile | None:
        """Where the file's samples are, or those of its decoded copy."""
        if path not in self._located:
            located = locate_samples(probe(path))
            if located is None and self._decoded:
                located = locate_samples(probe(self._decoded.copy_of(path)))
            self._located[path] = located
        return self._located[path]


def _resampled(
    samples: Float[Tensor, "channel from_time"], from_rate: int, to_rate: int
) -> Float[Tensor, "channel time"]:
    if samples.shape[0] == 1:  # torch is several times slower with the strides of a transposition
        return torch.from_numpy(soxr.resample(samples[0].numpy(), from_rate, to_rate))[None]
    return torch.from_numpy(np.ascontiguousarray(soxr.resample(samples.T.numpy(), from_rate, to_rate).T))


def _span(start_seconds: float, num_samples: int, rate: int, sample_rate: int) -> tuple[int, int]:
    """First sample and number of samples in a file of another rate."""
    wanted = num_samples if rate == sample_rate else -(-num_samples * rate // sample_rate)
    return round(start_seconds * rate), wanted


def _padded(samples: Float[Tensor, "channel from_time"], start: int, wanted: int) -> Float[Tensor, "channel time"]:
    """With silence in front of a file whose excerpt begins before it."""
    return torch.nn.functional.pad(samples, (min(-start, wanted), 0)) if start < 0 else samples

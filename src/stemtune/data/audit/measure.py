"""Listening to a track once, block by block: levels, clipping, activity, and how well the stems add up.

All files of a track are read side by side, so that memory does not grow with the length of a song:

    null depth = 10 log10( sum (mixture - sum of stems)^2 / sum mixture^2 )   in dB; -90 is perfect for 16 bits.

A tenth of a second counts as active if its level is above -60 dB below full scale.
"""

import hashlib
import math
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import AudioReader, open_audio
from stemtune.data.tracks import Track
from stemtune.errors import InputError

__all__ = ["FRAME_SECONDS", "SILENCE_POWER", "FileFacts", "TrackFacts", "measure_track"]

FRAME_SECONDS = 0.1
SILENCE_POWER = 1e-6  # -60 dB below full scale
_FRAMES_PER_BLOCK = 50
_FULL_SCALE = 0.999
_FLOOR = 1e-12


@dataclass(frozen=True)
class FileFacts:
    """What was heard in one file.

    Attributes:
        path: of the file.
        sample_rate: in Hz.
        num_channels: how many.
        num_samples: decoded.
        peak: the largest magnitude.
        mean_power: over all samples and channels.
        offset: the mean of all samples, which should be near 0.
        clipped_samples: in runs of at least three equal values at full scale.
        frame_powers: ``frame``, the power of every tenth of a second.
        frame_slopes: ``frame``, the power of the differences of neighbouring samples.
        digest: of the samples at 16 bits; equal for equal audio, whatever the file format.
    """

    path: Path
    sample_rate: int
    num_channels: int
    num_samples: int
    peak: float
    mean_power: float
    offset: float
    clipped_samples: int
    frame_powers: Float[Tensor, "frame"]
    frame_slopes: Float[Tensor, "frame"]
    digest: str

    @property
    def rms_db(self) -> float:
        """The level, in dB below full scale."""
        return 10 * math.log10(self.mean_power + _FLOOR)

    @property
    def seconds(self) -> float:
        """How long the file is."""
        return self.num_samples / self.sample_rate


@dataclass(frozen=True)
class TrackFacts:
    """What was heard in one track; ``failures`` are files that could not be read to their end."""

    track: Track
    files: dict[Path, FileFacts]
    failures: dict[Path, str]
    null_depth_db: float | None

    def stem_files(self, stem: str) -> tuple[FileFacts, ...]:
        """The readable files of a stem."""
        return tuple(self.files[path] for path in self.track.stems[stem] if path in self.files)


class _Meter:
    """Accumulates the facts of one file while its blocks go by."""

    def __init__(self, reader: AudioReader) -> None:
        self.reader = reader
        self.frame_samples = max(round(FRAME_SECONDS * reader.info.sample_rate), 1)
        self.num_samples = self.clipped_samples = 0
        self.peak = self.energy = self.total = 0.0
        self._powers, self._slopes = array("f"), array("f")  # no tensors: they would pin the heap between the blocks
        self._hash = hashlib.blake2b(digest_size=16)

    def read(self) -> Float[Tensor, "channel time"]:
        """The next five seconds; none at the end."""
        block = self.reader.read(self.frame_samples * _FRAMES_PER_BLOCK)
        if block.shape[1]:
            self._add(block)
        return block

    def _add(self, block: Float[Tensor, "channel time"]) -> None:
        self.num_samples += block.shape[1]
        self.peak = max(self.peak, float(block.abs().max()))
        self.energy += float(block.double().square().sum())
        self.total += float(block.double().sum())
        self.clipped_samples += _num_clipped(block)
        padding = -block.shape[1] % self.frame_samples
        framed = torch.nn.functional.pad(block, (0, padding)).reshape(block.shape[0], -1, self.frame_samples)
        self._powers.extend(cast(list[float], framed.square().mean(dim=(0, 2)).tolist()))
        self._slopes.extend(cast(list[float], framed.diff(dim=2).square().mean(dim=(0, 2)).tolist()))
        self._hash.update((block.clamp(-1, 1) * 32767).round().to(torch.int16).numpy().tobytes())

    def facts(self) -> FileFacts:
        info = self.reader.info
        count = max(self.num_samples * info.num_channels, 1)
        return FileFacts(
            path=info.path,
            sample_rate=info.sample_rate,
            num_channels=info.num_channels,
            num_samples=self.num_samples,
            peak=self.peak,
            mean_power=self.energy / count,
            offset=self.total / count,
            clipped_samples=self.clipped_samples,
            frame_powers=torch.tensor(self._powers),
            frame_slopes=torch.tensor(self._slopes),
            digest=self._hash.hexdigest(),
        )


def measure_track(track: Track, *, on_seconds: Callable[[float], None] | None = None) -> TrackFacts:
    """Read all files of a track from beginning to end.

    Args:
        track: what to listen to.
        on_seconds: called with the seconds of the track that have just been read.

    Returns:
        The facts of every file that could be read, and the failures of the others.
    """
    paths = [path for stem in track.stems.values() for path in stem] + ([track.mixture] if track.mixture else [])
    failures: dict[Path, str] = {}
    facts: dict[Path, FileFacts] = {}
    null = _Null(track)
    with ExitStack() as stack:
        meters: dict[Path, _Meter] = {}
        for path in dict.fromkeys(paths):
            try:
                meters[path] = _Meter(stack.enter_context(open_audio(path)))
            except InputError as error:
                failures[path] = str(error)
        while meters:
            blocks: dict[Path, Tensor] = {}
            for path, meter in list(meters.items()):
                try:
                    blocks[path] = meter.read()
                except InputError as error:
                    failures[path] = str(error)
                    del meters[path]
            null.add(blocks)
            for path, block in blocks.items():
                if not block.shape[1]:
                    facts[path] = meters.pop(path).facts()
            if on_seconds and meters:
                on_seconds(_FRAMES_PER_BLOCK * FRAME_SECONDS)
    readable = not failures and len({(f.sample_rate, f.num_channels) for f in facts.values()}) == 1
    return TrackFacts(track, facts, failures, null.depth_db() if readable else None)


class _Null:
    """The energy of the mixture, and of what remains of it when all stems are taken away."""

    def __init__(self, track: Track) -> None:
        self._mixture = track.mixture
        self._stems = [path for stem in track.stems.values() for path in stem]
        self.mixture_energy = self.residual_energy = 0.0

    def add(self, blocks: dict[Path, Tensor]) -> None:
        """One block of each file; files that have ended, or have other channels, do not take part."""
        mixture = blocks.get(self._mixture) if self._mixture else None
        if mixture is None or not self._stems:
            return
        residual = mixture.clone()
        for path in self._stems:
            block = blocks.get(path)
            if block is not None and block.shape[0] == residual.shape[0]:
                length = min(block.shape[1], residual.shape[1])
                residual[:, :length] -= block[:, :length]
        self.mixture_energy += float(mixture.double().square().sum())
        self.residual_energy += float(residual.double().square().sum())

    def depth_db(self) -> float | None:
        if not self._mixture or not self._stems or self.mixture_energy <= 0:
            return None
        return 10 * math.log10(self.residual_energy / self.mixture_energy + _FLOOR)


def _num_clipped(block: Float[Tensor, "channel time"]) -> int:
    """Samples in the middle of three equal ones at full scale."""
    full = block.abs() >= _FULL_SCALE
    flat = block[:, 1:] == block[:, :-1]
    return int((full[:, 1:-1] & flat[:, 1:] & flat[:, :-1]).sum()) if block.shape[1] > 2 else 0

"""Tracks: what a data set is made of.

A track is a song, or one isolated recording, whose stems are audio files of equal length. A stem may consist of
several files, which are added; the mixture is a file of its own or the sum of all stems:

    mixture = sum over stems of (sum over the stem's files).

A file that holds several stems that nobody took apart is a stem of its own, named by what it holds: ``bass+other``.
So it adds to the mixture, and is never mistaken for ``other`` without bass. A song of which only the mixture is known
has the single stem ``mixture``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.audio import open_audio
from stemtune.errors import InputError
from stemtune.types import StemSet

__all__ = ["MIXTURE", "Origin", "Track", "load_mixture", "load_stem", "read_excerpt"]

MIXTURE = "mixture"
"""The only stem of a track whose sources are not known."""


@dataclass(frozen=True)
class Origin:
    """Where a track comes from, and what that implies.

    Attributes:
        dataset: the name of its data set, empty if it has none.
        split: ``train``, ``valid``, ``test``, or what the data set calls it; None if it belongs to none.
        group: what it shares with others from which it must not be split: a singer, a score, a song.
        licence: of the audio, as an SPDX identifier where there is one; None if not stated.
        may_release: whether weights that learnt from it may be published; None if nobody has said.
    """

    dataset: str = ""
    split: str | None = None
    group: str | None = None
    licence: str | None = None
    may_release: bool | None = None


@dataclass(frozen=True)
class Track:
    """A song, or one isolated recording.

    Attributes:
        name: unique within its data set.
        stems: the audio files of each stem; ``FILE#2`` is audio stream 2 of a file.
        mixture: the file of the mixture, if there is one.
        sample_rate: in Hz, of the mixture, or of most stems if there is no mixture file.
        num_samples: the length of the same file; of the longest where files may differ.
        num_channels: of the mixture; of the widest stem if there is no mixture file.
        silent: stems that the track lacks because they are silent in it. A stem that is neither here nor in ``stems``
            is not known: another stem may contain it.
        partial: stems that may also hold what belongs to others: bleed, or a remainder that nobody took apart.
        origin: where the track comes from.
    """

    name: str
    stems: StemSet[tuple[Path, ...]]
    mixture: Path | None
    sample_rate: int
    num_samples: int
    num_channels: int
    silent: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)

    @property
    def is_labelled(self) -> bool:
        """Whether anything is known about its sources."""
        return self.stems.names != (MIXTURE,)

    @property
    def duration_seconds(self) -> float:
        """How long the track is."""
        return self.num_samples / self.sample_rate


def read_excerpt(
    paths: Sequence[Path], *, start_seconds: float, num_samples: int, sample_rate: int, channels: int
) -> Float[Tensor, "channel time"]:
    """The sum of some files from ``start_seconds`` on, at the wanted rate, with the wanted number of channels.

    Where a file ends early, or the start lies before zero, the rest is silence. Mono becomes stereo by duplication,
    stereo becomes mono by averaging; of files with more channels the first ``channels`` are taken.
    """
    total = torch.zeros(channels, num_samples)
    for path in paths:
        with open_audio(path) as reader:
            rate = reader.info.sample_rate
            wanted = num_samples if rate == sample_rate else -(-num_samples * rate // sample_rate)
            start = round(start_seconds * rate)
            if reader.info.exact_length and start >= reader.info.num_samples:
                continue
            reader.seek(max(start, 0))
            samples = reader.read(wanted + min(start, 0)) if wanted + start > 0 else torch.zeros(channels, 0)
        if start < 0:
            samples = torch.nn.functional.pad(samples, (min(-start, wanted), 0))
        if rate != sample_rate:
            samples = torch.from_numpy(soxr.resample(samples.T.numpy(), rate, sample_rate)).T
        samples = fit_channels(samples, channels)[:, :num_samples]
        total[:, : samples.shape[1]] += samples
    return total


def fit_channels(samples: Float[Tensor, "from_channel time"], channels: int) -> Float[Tensor, "channel time"]:
    """Duplicate, average or drop channels until there are ``channels``."""
    if samples.shape[0] == channels:
        return samples
    if channels == 1:
        return samples.mean(dim=0, keepdim=True)
    if samples.shape[0] == 1:
        return samples.expand(channels, -1)
    if samples.shape[0] > channels:
        return samples[:channels]
    raise InputError(f"cannot make {channels} channels out of {samples.shape[0]}; expected mono or more channels")


def load_stem(track: Track, stem: str) -> Float[Tensor, "channel time"]:
    """A whole stem at the track's own rate and channel count."""
    return read_excerpt(
        track.stems[stem],
        start_seconds=0.0,
        num_samples=track.num_samples,
        sample_rate=track.sample_rate,
        channels=track.num_channels,
    )


def load_mixture(track: Track) -> Float[Tensor, "channel time"]:
    """The whole mixture: its own file, or else the sum of all stems."""
    paths = (track.mixture,) if track.mixture else tuple(path for paths in track.stems.values() for path in paths)
    return read_excerpt(
        paths,
        start_seconds=0.0,
        num_samples=track.num_samples,
        sample_rate=track.sample_rate,
        channels=track.num_channels,
    )

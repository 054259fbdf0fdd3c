"""What a data set holds, in a few numbers: tracks and minutes per split and stem, licences, and what is not used.

    minutes(split, stem) = sum over the tracks of the split that have the stem of their length / 60.

These are lengths, not activity: `stemtune data check` listens and says how long each stem really sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.audio_streams import split_stream
from stemtune.data.datasets.patterns import find_audio
from stemtune.data.datasets.scanning import DatasetScan
from stemtune.data.tracks import Track

__all__ = ["DatasetSummary", "SplitSummary", "summarise"]


@dataclass(frozen=True)
class SplitSummary:
    """One split.

    Attributes:
        name: of the split, empty for tracks that belong to none.
        num_tracks: how many tracks.
        minutes: of all tracks.
        stem_minutes: of the tracks that have each stem.
        sample_rates: of the tracks, in Hz.
    """

    name: str
    num_tracks: int
    minutes: float
    stem_minutes: dict[str, float]
    sample_rates: tuple[int, ...]


@dataclass(frozen=True)
class DatasetSummary:
    """A data set.

    Attributes:
        name: as its mapping says, or that of the folder.
        splits: in alphabetical order.
        licences: number of tracks under each; those of which nobody has said under an empty name.
        num_releasable: tracks from which published weights may have learnt.
        unused: audio files in the folder that belong to no track.
    """

    name: str
    splits: tuple[SplitSummary, ...]
    licences: dict[str, int]
    num_releasable: int
    unused: tuple[Path, ...]


def summarise(scan: DatasetScan) -> DatasetSummary:
    """Count what a scan found."""
    by_split: dict[str, list[Track]] = {}
    licences: dict[str, int] = {}
    for track in scan.tracks:
        by_split.setdefault(track.origin.split or "", []).append(track)
        licence = track.origin.licence or ""
        licences[licence] = licences.get(licence, 0) + 1
    used = {split_stream(path)[0] for track in scan.tracks for path in _files(track)}
    there = [path for _, path in find_audio(scan.root, depth=None)] if scan.root.is_dir() else []
    return DatasetSummary(
        name=scan.mapping.name if scan.mapping else scan.root.name,
        splits=tuple(_summarise_split(name, tracks) for name, tracks in sorted(by_split.items())),
        licences=dict(sorted(licences.items())),
        num_releasable=sum(track.origin.may_release is True for track in scan.tracks),
        unused=tuple(path for path in there if path not in used),
    )


def _files(track: Track) -> tuple[Path, ...]:
    mixture = (track.mixture,) if track.mixture else ()
    return (*mixture, *(path for paths in track.stems.values() for path in paths))


def _summarise_split(name: str, tracks: Sequence[Track]) -> SplitSummary:
    seconds: dict[str, float] = {}
    for track in tracks:
        for stem in track.stems:
            seconds[stem] = seconds.get(stem, 0.0) + track.duration_seconds
    return SplitSummary(
        name=name,
        num_tracks=len(tracks),
        minutes=sum(track.duration_seconds for track in tracks) / 60,
        stem_minutes={stem: value / 60 for stem, value in seconds.items()},
        sample_rates=tuple(sorted({track.sample_rate for track in tracks})),
    )

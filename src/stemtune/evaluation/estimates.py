"""Estimates that any tool left in a folder: which files belong to a track, and do they fit it?

    FOLDER / [SPLIT /] TRACK / STEM.wav

is what Demucs, Open-Unmix, Spleeter, museval's tools and `stemtune separate` write; the format may be any. Names of
tracks are compared as they are, then without regard to case and to how accents are encoded (macOS writes them
differently). What does not fit is an error, because a score of the wrong thing looks like any other number:

    a difference in length of up to half a second is padded or cut, as museval does, and noted;
    another rate or number of channels, or a larger difference, is refused unless fitting is asked for.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.audio import probe
from stemtune.data.datasets.folders import audio_files, subfolders
from stemtune.data.tracks import Track
from stemtune.errors import InputError
from stemtune.evaluation.streams import misfit

__all__ = ["EstimateFiles", "EstimateFolder"]

TOLERANCE_SECONDS = 0.5


@dataclass(frozen=True)
class EstimateFiles:
    """The estimates of one track.

    Attributes:
        stems: the file of each stem that was looked for and found.
        notes: what was missing, left over, or made to fit.
    """

    stems: Mapping[str, Path]
    notes: tuple[str, ...]


class EstimateFolder:
    """A folder of estimates, by track."""

    def __init__(self, folder: Path) -> None:
        """Look at what there is.

        Raises:
            InputError: if there is no such folder.
        """
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; expected a folder of estimates, TRACK/STEM.wav")
        self._folder = folder
        self._by_name: dict[str, Path] = {}
        for child in subfolders(folder):
            self._by_name.setdefault(_plain(child.name), child)
        for child in subfolders(folder):
            for grandchild in subfolders(child):
                self._by_name.setdefault(_plain(f"{child.name}/{grandchild.name}"), grandchild)

    def require(self, tracks: Sequence[Track]) -> None:
        """Refuse to begin what cannot be finished.

        Raises:
            InputError: naming the tracks without estimates, and where they were looked for.
        """
        missing = [track.name for track in tracks if self._find(track) is None]
        if not missing:
            return
        if len(missing) == len(tracks):
            inside = [child.name for child in subfolders(self._folder) if EstimateFolder(child)._find(tracks[0])]
            if inside:
                raise InputError(
                    f"{self._folder} has estimates of {tracks[0].name!r} in its sub-folders {', '.join(inside)}; "
                    f"give one of these, such as {self._folder / inside[0]}"
                )
        names = ", ".join(repr(name) for name in missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f"{self._folder} has no estimates of {len(missing)} of {len(tracks)} tracks ({names}): expected "
            f"{self._folder / missing[0]}/STEM.wav; separate them, or leave them out with --pattern"
        )

    def files(self, track: Track, stems: Sequence[str], *, fit: bool) -> EstimateFiles:
        """The estimates of some stems of a track.

        Args:
            track: that they are of.
            stems: that are looked for.
            fit: take files of any rate, length and number of channels.

        Raises:
            InputError: if there are none of the track, two for one stem, or one that does not fit.
        """
        folder = self._find(track)
        if folder is None:
            self.require([track])
            raise AssertionError
        found: dict[str, Path] = {}
        for path in audio_files(folder):
            name = path.stem.lower()
            if name in found:
                raise InputError(f"{folder}: two files for {name!r}, {found[name].name} and {path.name}; remove one")
            found[name] = path
        notes = [
            f"{track.name}: no estimate of {stem}, which is therefore not scored" for stem in stems if stem not in found
        ]
        present = {stem: found[stem] for stem in stems if stem in found}
        for stem, path in present.items():
            difference = _check(path, track, stem, fit=fit)
            if difference:
                notes.append(f"{track.name}: the estimate of {stem}: {difference}")
        return EstimateFiles(present, tuple(notes))

    def stems(self, track: Track) -> tuple[str, ...]:
        """Of which stems there are estimates; none if there is nothing of the track."""
        folder = self._find(track)
        return tuple(dict.fromkeys(path.stem.lower() for path in audio_files(folder))) if folder else ()

    def _find(self, track: Track) -> Path | None:
        name = Path(track.name)
        split = track.origin.split or ""
        for candidate in (track.name, f"{split}/{name.name}", name.name):
            exact = self._folder / candidate
            folder = exact if exact.is_dir() else self._by_name.get(_plain(candidate))
            if folder is not None and audio_files(folder):
                return folder
        return None


def _check(path: Path, track: Track, stem: str, *, fit: bool) -> str:
    info = probe(path)
    difference = misfit(info, track)
    if fit or not difference:
        return difference
    hint = f"convert {path}, or give --fit to have it made to fit at the cost of a few dB"
    for kind, estimated, true in (
        ("Hz", info.sample_rate, track.sample_rate),
        ("channels", info.num_channels, track.num_channels),
    ):
        if estimated != true:
            raise InputError(
                f"{track.name}: the estimate of {stem} has {estimated} {kind}, the reference has {true}: {hint}"
            )
    missing = track.num_samples - info.num_samples
    if abs(missing) > TOLERANCE_SECONDS * track.sample_rate:
        raise InputError(
            f"{track.name}: the estimate of {stem} has {info.num_samples} samples, the reference has "
            f"{track.num_samples}; is it of the same recording, from its beginning? If so: {hint}"
        )
    return difference


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

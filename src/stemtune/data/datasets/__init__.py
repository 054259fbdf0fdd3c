"""Data sets: a folder or a table of audio files becomes a tuple of tracks.

    tracks = open_dataset(path)

Which file is which stem is told by the names in the plain layouts (``SONG/STEM.wav``, ``STEM/*.wav``, a CSV), and
otherwise by a mapping: a small file of patterns, which comes with stemtune for the data sets in ``known/`` and is
easily written for any other (`docs/datasets.md`). Stems go by name, never by position. Every problem that would leave a
data set silently smaller than its owner thinks is an error.
"""

from pathlib import Path
from typing import Literal

from stemtune.data.datasets.drafts import Problem
from stemtune.data.datasets.mapping_files import known_mappings
from stemtune.data.datasets.reading import SPLITS, Layout
from stemtune.data.datasets.recognising import recognise_layout
from stemtune.data.datasets.regrouping import StemGroups
from stemtune.data.datasets.scanning import DatasetScan, scan_dataset
from stemtune.data.tracks import Track
from stemtune.errors import InputError

__all__ = [
    "SPLITS",
    "DatasetScan",
    "Layout",
    "Problem",
    "StemGroups",
    "known_mappings",
    "open_dataset",
    "recognise_layout",
    "scan_dataset",
]


def open_dataset(
    path: str | Path,
    *,
    split: str | None = None,
    layout: Layout | None = None,
    mapping: str | Path | None = None,
    stems: StemGroups | None = None,
    on_error: Literal["raise", "skip", "keep"] = "raise",
) -> tuple[Track, ...]:
    """All tracks of a data set, sorted by name.

    Args:
        path: a folder ``ROOT/[SPLIT/]SONG/STEM.wav`` (the MUSDB18-HQ layout) or ``ROOT/[SPLIT/]STEM/*.wav`` (stem
            folders), a data set that is known or has a mapping file in it, a CSV file with the columns ``stem,path``
            and optionally ``track`` and ``split``, or a mapping file (which describes the folder that it lies in).
        split: which of the splits to read; all of them if None.
        layout: what ``path`` holds, where it cannot be recognised by the names in it. A mapping is not looked for then.
        mapping: a mapping file, or the name of a known data set, where the folder does not say.
        stems: the stems that are wanted, and which of the data set's they consist of; the others are left out.
        on_error: what to do about files that are missing, unreadable, or do not fit the others of their track:
            ``raise`` an error, ``skip`` the tracks concerned, or ``keep`` all that can be opened at all. Use
            `scan_dataset` to learn what was wrong.

    Raises:
        InputError: if nothing is there, no track remains, or (with ``raise``) anything is wrong with any of them.
        UsageError: if the split or a stem does not exist, or the layout cannot be recognised.
        ConfigError: if the mapping is not valid, or sends a file to two stems.
    """
    scan = scan_dataset(path, split=split, layout=layout, mapping=mapping, stems=stems)
    if scan.problems and on_error == "raise":
        first, *others = scan.problems
        more = f" (and {len(others)} more; `stemtune data check` lists them)" if others else ""
        raise InputError(first.message + more)
    tracks = scan.tracks if on_error == "keep" else scan.sound_tracks
    if not tracks:
        reason = (
            f": {scan.problems[0].message}" if scan.problems else "; expected SONG/STEM.wav or STEM/*.wav inside it"
        )
        raise InputError(f"{scan.root}: no track found{reason}")
    return tracks

"""Data sets: a folder or a table of audio files becomes a tuple of tracks.

`open_dataset` recognises the layout; each layout has a file of its own beside this one. Stems go by name, never by
position. Every problem that would leave a data set silently smaller than its owner thinks is an error here.
"""

from pathlib import Path
from typing import Literal

from stemtune.data.datasets.csv_table import read_csv_table
from stemtune.data.datasets.folders import audio_files
from stemtune.data.datasets.song_folders import KNOWN_STEMS, read_song_folders
from stemtune.data.datasets.stem_folders import read_stem_folders
from stemtune.data.tracks import Track
from stemtune.errors import InputError, UsageError

__all__ = ["SPLITS", "Layout", "open_dataset", "recognise_layout"]

Layout = Literal["songs", "stems", "csv"]
SPLITS = ("train", "valid", "test")


def open_dataset(path: str | Path, *, split: str | None = None, layout: Layout | None = None) -> tuple[Track, ...]:
    """All tracks of a data set, sorted by name.

    Args:
        path: a folder ``ROOT/[SPLIT/]SONG/STEM.wav`` (the MUSDB18-HQ layout), a folder ``ROOT/[SPLIT/]STEM/*.wav``
            (stem folders), or a CSV file with the columns ``stem,path`` and optionally ``track`` and ``split``.
        split: which of the splits to read; all of them if None.
        layout: what ``path`` holds, where it cannot be recognised by the names in it.

    Raises:
        InputError: if nothing is there, or a file cannot be read.
        UsageError: if the split does not exist or the layout cannot be recognised.
    """
    root = Path(path)
    if not root.exists():
        raise InputError(f"{root}: no such file or folder; expected a data set (a folder of songs or stems, or a CSV)")
    if root.is_file():
        return read_csv_table(root, split=split)
    folders = _split_folders(root, split)
    tracks: list[Track] = []
    for folder in folders:
        prefix = f"{folder.name}/" if folder != root and split is None else ""
        read = read_stem_folders if (layout or recognise_layout(folder)) == "stems" else read_song_folders
        tracks.extend(read(folder, prefix=prefix))
    if not tracks:
        raise InputError(f"{root}: no track found; expected SONG/STEM.wav or STEM/*.wav inside it")
    return tuple(tracks)


def _split_folders(root: Path, split: str | None) -> tuple[Path, ...]:
    present = tuple(root / name for name in SPLITS if (root / name).is_dir())
    if split is None:
        return present or (root,)
    if not (root / split).is_dir():
        there = ", ".join(folder.name for folder in present) or "none"
        raise UsageError(f"{root}: no split {split!r} there; the splits are: {there}")
    return (root / split,)


def recognise_layout(folder: Path) -> Layout:
    """Whether a folder holds songs (with stems in them) or stems (with songs in them).

    Raises:
        InputError: if there is no audio in its sub-folders.
        UsageError: if the names speak for neither.
    """
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    inside = {child: audio_files(child) for child in children}
    if not any(inside.values()):
        raise InputError(
            f"{folder}: no audio found in its sub-folders; expected SONG/STEM.wav (for example SONG/vocals.wav) "
            "or STEM/*.wav (for example vocals/1.wav)"
        )
    names = {path.stem.lower() for paths in inside.values() for path in paths}
    if names & KNOWN_STEMS:
        return "songs"
    if {child.name.lower() for child in children} & KNOWN_STEMS:
        return "stems"
    repeated = sum(1 for name in names if sum(name in {p.stem.lower() for p in paths} for paths in inside.values()) > 1)
    if len(children) > 1 and repeated == len(names) and len(names) < len(children):
        return "songs"
    raise UsageError(
        f"{folder}: cannot tell whether its sub-folders ({', '.join(child.name for child in children[:4])}, ...) are "
        'songs or stems; say layout="songs" (SONG/STEM.wav) or layout="stems" (STEM/*.wav)'
    )

"""A CSV table that says which file is which stem.

    track,stem,path,split
    Song 1,vocals,audio/song1_voice.flac,train
    Song 1,tabla,audio/song1_tabla.flac,train

``stem`` and ``path`` must be there. Rows with the same ``track`` belong to one song; several rows for one stem of a
song are added. Without the column ``track`` every file is a track of its own. Relative paths start at the CSV's
folder. The stem called ``mixture`` is the song's mixture.
"""

import csv
from pathlib import Path

from stemtune.data.datasets.song_folders import MIXTURE_NAMES
from stemtune.data.tracks import Track, make_track
from stemtune.errors import InputError, UsageError

__all__ = ["read_csv_table"]


def read_csv_table(path: Path, *, split: str | None = None) -> tuple[Track, ...]:
    """The tracks of the table, in the order of their first rows.

    Raises:
        InputError: for a table that cannot be read, lacks a column or names a missing file, with the line.
        UsageError: for a split that no row has.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV table ({error}); expected UTF-8 text") from None
    if missing := {"stem", "path"} - set(columns):
        raise InputError(f"{path}: no column {' and '.join(sorted(missing))}; expected stem,path[,track][,split]")
    if split is not None:
        splits = {row.get("split") or "" for row in rows}
        rows = [row for row in rows if row.get("split") == split]
        if not rows:
            raise UsageError(f"{path}: no row of split {split!r}; the splits are: {', '.join(sorted(splits - {''}))}")
    songs: dict[str, dict[str, tuple[Path, ...]]] = {}
    for number, row in enumerate(rows, start=2):
        stem, name = (row.get("stem") or "").strip().lower(), (row.get("path") or "").strip()
        if not stem or not name:
            raise InputError(f"{path}, line {number}: the stem or the path is empty; expected both")
        file_path = path.parent / name
        if not file_path.is_file():
            raise InputError(f"{path}, line {number}: no such file {file_path}; relative paths start at the table")
        song = songs.setdefault((row.get("track") or "").strip() or f"{stem}/{Path(name).stem}", {})
        song[stem] = (*song.get(stem, ()), file_path)
    if not songs:
        raise InputError(f"{path}: the table has no rows; expected one per audio file")
    return tuple(_track(name, song) for name, song in songs.items())


def _track(name: str, song: dict[str, tuple[Path, ...]]) -> Track:
    mixtures = [paths for stem, paths in song.items() if stem in MIXTURE_NAMES]
    stems = {stem: paths for stem, paths in song.items() if stem not in MIXTURE_NAMES}
    return make_track(name, stems, mixture=mixtures[0][0] if mixtures else None)

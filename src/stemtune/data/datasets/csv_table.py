"""A CSV table that says which file is which stem.

    track,stem,path,split
    Song 1,vocals,audio/song1_voice.flac,train
    Song 1,tabla,audio/song1_tabla.flac,train

``path`` must be there, and ``stem``, which may also be called ``instrum`` or ``type`` (type 3 of MSST). Rows with the
same ``track`` belong to one song; several rows for one stem of a song are added. Without the column ``track`` every
file is a track of its own. Relative paths start at the CSV's folder. The stem called ``mixture`` is the song's mixture.
The columns ``group``, ``licence`` and ``may_release`` (yes or no) say what `Origin` says.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.datasets.drafts import Contents, Draft, Problem
from stemtune.data.datasets.song_folders import MIXTURE_NAMES
from stemtune.data.tracks import MIXTURE, Origin
from stemtune.errors import InputError

__all__ = ["read_csv_table"]

_STEM_COLUMNS = ("stem", "instrum", "type")
_RELEASE_COLUMNS = ("may_release", "may_train_released_weights")


@dataclass(frozen=True)
class _Row:
    number: int
    track: str
    stem: str
    path: Path
    origin: Origin


def read_csv_table(path: Path) -> Contents:
    """The tracks of the table.

    Raises:
        InputError: for a table that cannot be read, lacks a column, or has a wrong line, with its number.
    """
    songs: dict[str, list[_Row]] = {}
    for row in _read_rows(path):
        songs.setdefault(row.track, []).append(row)
    if not songs:
        raise InputError(f"{path}: the table has no rows; expected one per audio file")
    return Contents.joined([_draft(path, name, rows) for name, rows in songs.items()])


def _read_rows(path: Path) -> list[_Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV table ({error}); expected UTF-8 text") from None
    stem_column = next((name for name in _STEM_COLUMNS if name in columns), None)
    missing = [*(["stem"] if stem_column is None else []), *(["path"] if "path" not in columns else [])]
    if stem_column is None or missing:
        raise InputError(f"{path}: no column {' and '.join(missing)}; expected stem,path[,track][,split]")
    return [_row(path, number, row, stem_column) for number, row in enumerate(rows, start=2)]


def _row(table: Path, number: int, row: dict[str, str | None], stem_column: str) -> _Row:
    def cell(*names: str) -> str | None:
        return next((value.strip() for name in names if (value := row.get(name)) and value.strip()), None)

    stem, name = (cell(stem_column) or "").lower(), cell("path") or ""
    if not stem or not name:
        raise InputError(f"{table}, line {number}: the stem or the path is empty; expected both")
    release = cell(*_RELEASE_COLUMNS)
    if release not in (None, "yes", "no"):
        raise InputError(f"{table}, line {number}: may_release is {release!r}; expected yes, no or nothing")
    return _Row(
        number=number,
        track=cell("track") or f"{stem}/{Path(name).stem}",
        stem=stem,
        path=table.parent / name,
        origin=Origin(
            split=cell("split"),
            group=cell("group"),
            licence=cell("licence"),
            may_release=None if release is None else release == "yes",
        ),
    )


def _draft(table: Path, name: str, rows: Sequence[_Row]) -> Contents:
    problems: list[Problem] = []
    stems: dict[str, tuple[Path, ...]] = {}
    mixture: Path | None = None
    for row in rows:
        if not row.path.is_file():
            message = f"{table}, line {row.number}: no such file {row.path}; relative paths start at the table"
            problems.append(Problem("unreadable", name, row.stem, message))
        if row.origin.split != rows[0].origin.split:
            message = (
                f"{table}, line {row.number}: {name} is in the split {row.origin.split or 'none'}, and in "
                f"{rows[0].origin.split or 'none'} by line {rows[0].number}; expected each track in one split"
            )
            problems.append(Problem("leakage", name, row.stem, message))
        if row.stem in MIXTURE_NAMES and mixture is not None:
            message = f"{table}, line {row.number}: a second mixture of {name}; expected one file: remove a line"
            problems.append(Problem("two_files", name, row.stem, message))
        elif row.stem in MIXTURE_NAMES:
            mixture = row.path
        else:
            stems[row.stem] = (*stems.get(row.stem, ()), row.path)
    if mixture is not None and not stems:
        stems = {MIXTURE: (mixture,)}
    return Contents((Draft(name, stems, mixture, origin=rows[0].origin),), tuple(problems))

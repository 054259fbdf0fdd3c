"""Slakh2100: songs of the Lakh MIDI data set, rendered with sampled instruments, one file per MIDI track.

    ROOT/train/Track00001/metadata.yaml           which file is which instrument (also validation, test, omitted)
                          mix.flac                the sum of the stems
                          stems/S00.flac ...

Each file is labelled by its instrument class (``Piano``, ``Guitar``, ``Bass``, ``Drums``, ``Strings (continued)``),
its General MIDI program (``program:30``, and by name) and its plug-in, so a mapping can group by any of them. Where
``audio_rendered`` is false there is no file, and the mixture does not have that part either.

Duplicates: several of the 2100 songs come from one MIDI file, some of them in different splits. The published
"redux" moves all but one of each into a folder ``omitted``. Where there is no such folder, we do the same by rule:

    omitted = {track : an earlier track has the same UUID},

which gives the published list. Omitted tracks are read only when the split ``omitted`` is asked for.

References:
    Manilow, Wichern, Seetharaman and Le Roux, "Cutting Music Source Separation Some Slakh", WASPAA 2019.

Deviations:
    The rule was compared with the published lists of duplicates and omissions for tracks 1-125 and 1979-2100, where
    both agree; not for the others.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, Field

from stemtune.config import parse
from stemtune.data.audio import AUDIO_EXTENSIONS
from stemtune.data.datasets.drafts import Problem
from stemtune.data.datasets.folders import subfolders
from stemtune.data.datasets.sorting import LabelledFile, Listing, Song
from stemtune.errors import ConfigError, InputError

__all__ = ["OMITTED", "read_slakh"]

OMITTED = "omitted"
_NUM_THREADS = 4
_METADATA = "metadata.yaml"
_MIXTURE = "mix"


class _Stem(BaseModel):
    """One MIDI track; further keys are of no interest here."""

    audio_rendered: bool = False
    inst_class: str = ""
    is_drum: bool = False
    midi_program_name: str = ""
    plugin_name: str = ""
    program_num: int | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        program = () if self.program_num is None else (f"program:{self.program_num}",)
        names = ("Drums" if self.is_drum else self.inst_class, self.midi_program_name, *program, self.plugin_name)
        return tuple(dict.fromkeys(name for name in names if name))


class _Metadata(BaseModel):
    """What ``metadata.yaml`` says about a song."""

    uuid: str = Field(alias="UUID")
    audio_dir: str = "stems"
    stems: dict[str, _Stem]


def read_slakh(root: Path) -> Listing:
    """All songs, duplicates in the split ``omitted``.

    Raises:
        InputError: if there are none.
    """
    folders = [folder for folder in _track_folders(root) if (folder / _METADATA).is_file()]
    if not folders:
        raise InputError(f"{root}: expected folders like train/Track00001 with a {_METADATA} in them; there are none")

    def read(folder: Path) -> Song | Problem:
        try:
            return _read_song(folder, root)
        except ConfigError as error:
            return Problem("unreadable", folder.name, "", str(error))

    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        results = list(pool.map(read, folders))
    songs = tuple(result for result in results if isinstance(result, Song))
    problems = tuple(result for result in results if isinstance(result, Problem))
    if any(song.split == OMITTED for song in songs):
        return Listing(songs, problems)
    first: dict[str | None, str] = {}
    for song in sorted(songs, key=lambda song: song.name):
        first.setdefault(song.group, song.name)
    return Listing(
        tuple(song if first[song.group] == song.name else replace(song, split=OMITTED) for song in songs), problems
    )


def _track_folders(root: Path) -> list[Path]:
    """``ROOT/Track*`` and ``ROOT/SPLIT/Track*``."""
    here = subfolders(root)
    return [*here, *(inner for outer in here for inner in subfolders(outer))]


def _read_song(folder: Path, root: Path) -> Song:
    path = folder / _METADATA
    loader = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        tree: object = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506  (a safe loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}); get it again") from None
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{path}: expected the keys UUID and stems; got {type(tree).__name__}: get the file again")
    metadata = parse(_Metadata, cast(object, tree), origin=str(path))
    if Path(metadata.audio_dir).name != metadata.audio_dir or metadata.audio_dir == "..":
        raise ConfigError(f"{path}: audio_dir is {metadata.audio_dir!r}; expected the name of a folder beside it")
    there = {file.stem: file for file in _audio_in(folder / metadata.audio_dir)}
    files = tuple(
        LabelledFile(there.get(name, folder / metadata.audio_dir / f"{name}.flac"), stem.labels)
        for name, stem in metadata.stems.items()
        if stem.audio_rendered
    )
    mixture = tuple(LabelledFile(file, (_MIXTURE,)) for file in _audio_in(folder) if file.stem == _MIXTURE)
    split = None if folder.parent == root else folder.parent.name
    return Song(folder.name, files + mixture, split=split, group=metadata.uuid)


def _audio_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in AUDIO_EXTENSIONS)

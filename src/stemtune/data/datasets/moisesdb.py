"""MoisesDB: 240 songs, every source a file of its own, in a taxonomy of eleven stems.

    ROOT/.../UUID/data.json              artist, song, genre, stems and their tracks
                  vocals/UUID.wav        one folder per stem, one file per track of the stem
                  other_keys/UUID.wav

A file is labelled by its stem (``other_keys``) and by its type (``organ, electric organ``), so a mapping can group by
either. Lengths differ within a song: files end when they fall silent. There is no mixture file; the mixture is the
sum. Tracks recorded with bleed say so, and make their stem `partial`.

References:
    Pereira, Araújo, Korzeniowski and Vogl, "MoisesDB: A dataset for source separation beyond 4-stems", ISMIR 2023.

Deviations:
    The authors' reader cuts the files of a stem to the shortest; here they are continued with silence to the longest.
"""

import json
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from stemtune.config import parse
from stemtune.data.datasets.drafts import Problem
from stemtune.data.datasets.sorting import LabelledFile, Listing, Song
from stemtune.errors import ConfigError, InputError

__all__ = ["read_moisesdb"]

_METADATA = "data.json"


class _Take(BaseModel):
    id: str
    trackType: str  # noqa: N815  (as the file has it)
    extension: str = "wav"
    has_bleed: bool = False


class _Stem(BaseModel):
    stemName: str  # noqa: N815
    tracks: list[_Take]


class _Metadata(BaseModel):
    """What ``data.json`` says about a song; further keys are of no interest here."""

    song: str = ""
    artist: str = ""
    stems: list[_Stem]


def read_moisesdb(root: Path) -> Listing:
    """All songs, named ``ARTIST - SONG (UUID)``.

    Raises:
        InputError: if there are none.
    """
    paths = sorted(root.glob(f"**/{_METADATA}"))
    if not paths:
        raise InputError(f"{root}: expected folders with a {_METADATA} and stems in them; there are none")
    songs: list[Song] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            songs.append(_read_song(path))
        except ConfigError as error:
            problems.append(Problem("unreadable", path.parent.name, "", str(error)))
    return Listing(tuple(songs), tuple(problems))


def _read_song(path: Path) -> Song:
    try:
        tree: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON ({error}); get it again") from None
    metadata = parse(_Metadata, tree, origin=str(path))
    files: list[LabelledFile] = []
    partial: list[str] = []
    for stem in metadata.stems:
        for take in stem.tracks:
            relative = PurePosixPath(stem.stemName) / f"{take.id}.{take.extension}"
            if len(relative.parts) != 2 or relative.is_absolute() or ".." in relative.parts:
                raise ConfigError(f"{path}: names {relative}; expected files STEM/ID.wav inside its own folder")
            files.append(LabelledFile(path.parent / relative, (stem.stemName, take.trackType)))
            if take.has_bleed:
                partial.append(stem.stemName)
    title = " - ".join(word for word in (metadata.artist, metadata.song) if word)
    name = f"{title} ({path.parent.name})" if title else path.parent.name
    return Song(name.replace("/", "_"), tuple(files), partial=tuple(dict.fromkeys(partial)))

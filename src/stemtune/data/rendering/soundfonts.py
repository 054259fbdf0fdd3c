"""Soundfonts: where they are, what they are called, and under which licence they sound.

A corpus is judged on timbres that its model never heard, so every soundfont has a family, and no family may be on
both sides of a split:

    families(train) and families(test) share nothing.

What is known of a soundfont stands in ``soundfonts.json`` beside this file; one that is not in it may be used, has a
family of its own, and makes no weights for release.
"""

import os
import struct
from functools import cache
from pathlib import Path

from pydantic import Field, TypeAdapter

from stemtune.config import Frozen
from stemtune.errors import InputError

__all__ = ["KnownSoundfont", "check_soundfont", "find_soundfont", "is_known_soundfont", "known_soundfont", "presets_of"]

_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts", "/usr/local/share/soundfonts")
_PRESET_BYTES = 38


class KnownSoundfont(Frozen):
    """What is known of a soundfont."""

    file: str = Field(default=..., description="name of the file")
    package: str = Field(default="", description="the Debian package that holds it")
    family: str = Field(default=..., description="soundfonts of one family share recordings")
    licence: str = Field(default="unknown", description="SPDX identifier")
    may_train_released_weights: bool = Field(default=False, description="whether published weights may hear it")
    is_drum_kit: bool = Field(default=False, description="whether its first program is a drum kit")
    note: str = Field(default="", description="what else one should know")


@cache
def _known() -> dict[str, KnownSoundfont]:
    path = Path(__file__).with_name("soundfonts.json")
    rows = TypeAdapter(list[KnownSoundfont]).validate_json(path.read_bytes())
    return {row.file: row for row in rows}


def known_soundfont(path: Path) -> KnownSoundfont:
    """What is known of a soundfont; of an unknown one, that it is of no other family."""
    return _known().get(path.name, KnownSoundfont(file=path.name, family=path.name))


def is_known_soundfont(name: str) -> bool:
    """Whether a soundfont of this name, with or without its ending, is in the project's list."""
    return any(name in (file, Path(file).stem) for file in _known())


def find_soundfont(name: str) -> Path:
    """The file of a soundfont, by its path or by the name of its file in the folders where systems keep them.

    Raises:
        InputError: if there is none, naming the package where it is known.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if os.sep not in name:
        for folder in _FOLDERS:
            for ending in ("", ".sf2", ".sf3"):
                candidate = Path(folder) / (name + ending)
                if candidate.is_file():
                    return candidate
    package = next((row.package for row in _known().values() if name in (row.file, Path(row.file).stem)), "")
    advice = f"apt-get install {package}" if package else "give the path of an .sf2 file"
    raise InputError(f"{name}: no such soundfont here; {advice}")


def check_soundfont(path: Path) -> None:
    """Refuse what is not a soundfont.

    Raises:
        InputError: naming the file and what came instead.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise InputError(f"{path}: expected a soundfont; it cannot be read ({error.strerror})") from None
    if head[:4] != b"RIFF" or head[8:12] != b"sfbk":
        raise InputError(
            f"{path}: expected a soundfont (a RIFF file of type sfbk); it begins with {head!r}: give an .sf2 file"
        )


@cache
def presets_of(path: Path) -> frozenset[tuple[int, int]]:
    """The (bank, program) pairs that a soundfont has; bank 128 holds drum kits.

    Raises:
        InputError: if it is not a soundfont, or ends too early.
    """
    check_soundfont(path)
    data = _chunk(path, (b"pdta", b"phdr"))
    rows = [data[start : start + _PRESET_BYTES] for start in range(0, len(data) - _PRESET_BYTES, _PRESET_BYTES)]
    pairs = [struct.unpack_from("<HH", row, 20) for row in rows]  # the last record marks the end
    if not pairs:
        raise InputError(f"{path}: expected a soundfont with presets; it has none")
    return frozenset((int(bank), int(program)) for program, bank in pairs)


def _chunk(path: Path, names: tuple[bytes, bytes]) -> bytes:
    """The contents of a chunk within a list of the file, read without loading the samples."""
    size_of_file = path.stat().st_size
    with path.open("rb") as file:
        file.seek(12)
        while file.tell() + 8 <= size_of_file:
            name, size = struct.unpack("<4sI", file.read(8))
            if name == b"LIST":
                kind = file.read(4)
                if kind == names[0]:
                    continue  # step into it
                file.seek(size - 4 + size % 2, os.SEEK_CUR)
            elif name == names[1]:
                return file.read(size)
            else:
                file.seek(size + size % 2, os.SEEK_CUR)
    raise InputError(f"{path}: expected a complete soundfont; its list of presets is missing: fetch it again")

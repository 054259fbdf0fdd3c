"""Results of single tracks in a folder, one file each, written whole or not at all.

    FOLDER/TRACK.json

What is there counts only if its fingerprint is the one that is looked for; anything else, damaged files included, is
as good as missing.
"""

import json
from pathlib import Path

from stemtune.config import parse
from stemtune.data.files import write_text_atomically
from stemtune.errors import ConfigError, InputError
from stemtune.evaluation.records import TrackRecord

__all__ = ["RecordStore", "file_name"]


class RecordStore:
    """The records in a folder, by the names of their tracks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, track: str, *, fingerprint: str) -> TrackRecord | None:
        """The record of a track, if it is that of this fingerprint."""
        record = _read(self._path(track))
        return record if record and record.fingerprint == fingerprint and record.track == track else None

    def keep(self, record: TrackRecord) -> Path:
        """Write a record.

        Raises:
            OutputError: if that is impossible.
        """
        return write_text_atomically(self._path(record.track), record.model_dump_json() + "\n")

    def all(self) -> tuple[TrackRecord, ...]:
        """Every record that can be read, by the names of the tracks.

        Raises:
            InputError: if one is damaged, for whoever reads results wants all of them.
        """
        paths = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        records = [(path, _read(path)) for path in paths]
        damaged = [path for path, record in records if record is None]
        if damaged:
            raise InputError(f"{damaged[0]}: not a result of stemtune evaluate, or damaged; evaluate that track again")
        return tuple(sorted((record for _, record in records if record), key=lambda record: record.track))

    def _path(self, track: str) -> Path:
        return self._folder / f"{file_name(track)}.json"


def file_name(track: str) -> str:
    """A name that any file system takes and that no other track has."""
    return "".join(letter if letter.isalnum() or letter in " ._-()[]&'," else f"%{ord(letter):02x}" for letter in track)


def _read(path: Path) -> TrackRecord | None:
    try:
        return parse(TrackRecord, json.loads(path.read_text(encoding="utf-8")), origin=str(path))
    except (OSError, ValueError, RecursionError, ConfigError):
        return None

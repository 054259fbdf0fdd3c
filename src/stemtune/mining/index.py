"""The index of a mined library: one line of JSON for each song, mined or skipped, and one file that says with what.

    OUT/mining.json     what was asked for, and of which detector
        index.jsonl     a `SongRecord` per line, in the order of the library
        curves/         probabilities per stem each 64 ms, as bytes (p = byte / 255)
        labels/         tracks of labels for Audacity
        pictures/       the same to look at

A line is appended and put on the disk before the next one, so that a kill costs at most the songs under way; a last
line that was cut off is dropped when mining goes on. Excerpts point into the original files: nothing is copied.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import Field

from stemtune.config import Frozen, fingerprint, parse
from stemtune.data.files import output_error, write_text_atomically
from stemtune.errors import ConfigError, InputError, OutputError
from stemtune.mining.excerpts import Excerpt
from stemtune.mining.thresholds import Threshold

__all__ = ["INDEX_FILE", "Index", "MiningSettings", "SongRecord", "copy_index", "read_index", "read_settings"]

INDEX_FILE, SETTINGS_FILE = "index.jsonl", "mining.json"


class MiningSettings(Frozen):
    """What determines an index, besides the songs."""

    version: Literal[1] = 1
    library: str = Field(description="the folder that the records' paths are relative to")
    detector: str = Field(description="its fingerprint")
    stems: tuple[str, ...] = Field(description="along the first axis of the curves")
    thresholds: dict[str, Threshold]
    left_out: tuple[str, ...] = Field(description="stems for which no threshold exists: nothing is mined for them")
    min_seconds: float = Field(default=5.0, gt=0, description="of an excerpt")
    precision: Literal["float32", "bfloat16"] = "float32"


class SongRecord(Frozen):
    """What became of one file."""

    path: str = Field(description="relative to the library, with forward slashes")
    status: Literal["mined", "skipped"]
    reason: str | None = Field(default=None, description="why it was skipped")
    input_bytes: int = 0
    input_mtime_ns: int = 0
    content: str = Field(default="", description="fingerprint of the file's bytes")
    duration_seconds: float = 0.0
    sample_rate: int = 0
    num_channels: int = 0
    curves: str | None = Field(default=None, description="file below the index's folder")
    excerpts: tuple[Excerpt, ...] = ()


class Index:
    """An index that songs are appended to; a context manager.

    Attributes:
        done: the songs in it, with the fingerprints of their content.

    Raises:
        ConfigError: (constructor) if the folder's index was made with other settings.
        OutputError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, settings: MiningSettings) -> None:
        self.folder = folder
        _claim(folder, settings)
        path = folder / INDEX_FILE
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise output_error(path, error) from None
        try:
            self._drop_cut_line(path)
            self.done = {record.path: record.content for record in read_index(folder)}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def append(self, record: SongRecord) -> None:
        """Add a song for good.

        Raises:
            OutputError: if the disk is full, or fails; the index stays as it was.
        """
        line = record.model_dump_json(exclude_defaults=True).encode() + b"\n"
        before = self._file.tell()
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(self._file.fileno(), view) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(before)
            raise output_error(self.folder / INDEX_FILE, error) from None
        self._file.seek(0, os.SEEK_END)
        self.done[record.path] = record.content

    def _drop_cut_line(self, path: Path) -> None:
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            self._file.truncate(data.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)


def read_index(folder: Path) -> Iterator[SongRecord]:
    """All complete records.

    Raises:
        InputError: if there is no index, or a line of it is damaged.
    """
    path = folder / INDEX_FILE
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return  # cut off by a kill: that song was not finished
                try:
                    yield parse(SongRecord, json.loads(line), origin=f"{path}, line {number}")
                except (ValueError, ConfigError) as error:
                    raise InputError(f"{path}, line {number}: damaged ({error}); remove the line") from None
    except OSError as error:
        raise InputError(f"{folder}: holds no mined index ({error.strerror}); make one with: stemtune mine") from None


def copy_index(source: Path, target: Path, *, library: str) -> None:
    """What was found, without the curves, for the same songs in another place; a copy that was cut off is gone on with.

    Args:
        source: an index.
        target: the folder of its copy.
        library: where the songs are for the copy.

    Raises:
        InputError: if there is no index, or it is damaged.
        ConfigError: if the target holds another index.
        OutputError: if it cannot be written.
    """
    settings = read_settings(source).model_copy(update={"library": library})
    with Index(target, settings) as copy:
        for record in read_index(source):
            if record.path not in copy.done:
                copy.append(record.model_copy(update={"curves": None}))


def read_settings(folder: Path) -> MiningSettings:
    """What an index was made with.

    Raises:
        InputError: if the folder has no index.
    """
    path = folder / SETTINGS_FILE
    try:
        return parse(MiningSettings, json.loads(path.read_text(encoding="utf-8")), origin=str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: holds no mined index ({error}); make one with: stemtune mine") from None


def _claim(folder: Path, settings: MiningSettings) -> None:
    path = folder / SETTINGS_FILE
    if path.exists():
        if fingerprint(read_settings(folder)) != fingerprint(settings):
            raise ConfigError(
                f"{folder}: its index was made of another library, with another detector or with other settings; "
                "choose another folder, or remove this one"
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from None
    write_text_atomically(path, settings.model_dump_json(indent=2) + "\n")

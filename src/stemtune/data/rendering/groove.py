"""Performances of human drummers: the Groove MIDI Dataset, or any folder of drum parts.

    hits(excerpt) = {((t - start) / speed, General MIDI note, velocity / 127)}.

Where the folder holds an ``info.csv`` as Groove's does, splits, styles and tempi come from it, and single fills are
left out. Splits follow its table: they were made so that no drummer's take is on two sides.

References: J. Gillick et al., "Learning to groove with inverse sequence transformations", 2019.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.rendering.drum_map import GM_OF_TD11, Hit
from stemtune.data.rendering.plans import Split
from stemtune.data.rendering.scores import DRUM_CHANNEL, notes_of, read_events
from stemtune.data.rendering.sources import midi_files
from stemtune.errors import InputError

__all__ = ["Performance", "list_performances", "read_hits"]

_SPLITS: dict[str, Split] = {"train": "train", "validation": "valid", "valid": "valid", "test": "test"}
_SHORTEST_SECONDS = 8.0


@dataclass(frozen=True)
class Performance:
    """One take.

    Attributes:
        path: of its MIDI file.
        locator: the path relative to its folder.
        split: the side to which the collection assigns it, if it does.
        style: such as ``rock`` or ``jazz/swing``; empty if unknown.
        beats_per_minute: its tempo; 0 if unknown.
        common_time: whether it is in 4/4, or may be.
    """

    path: Path
    locator: str
    split: Split | None = None
    style: str = ""
    beats_per_minute: float = 0.0
    common_time: bool = True


def list_performances(folder: Path) -> tuple[Performance, ...]:
    """Every performance of a folder, in a fixed order.

    Raises:
        InputError: if there is none.
    """
    tables = sorted(folder.rglob("info.csv")) if folder.is_dir() else []
    if not tables:
        root = folder if folder.is_dir() else folder.parent
        return tuple(Performance(path, path.relative_to(root).as_posix()) for path in midi_files(folder))
    found: list[Performance] = []
    with tables[0].open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = tables[0].parent / row["midi_filename"]
            if row["beat_type"] == "beat" and float(row["duration"]) >= _SHORTEST_SECONDS and path.is_file():
                found.append(
                    Performance(
                        path, path.relative_to(folder).as_posix(), _SPLITS.get(row["split"]), row["style"],
                        float(row["bpm"]), row["time_signature"] == "4-4",
                    )
                )  # fmt: skip
    if not found:
        raise InputError(f"{tables[0]}: expected performances of at least {_SHORTEST_SECONDS:.0f} s; it lists none")
    return tuple(sorted(found, key=lambda performance: performance.locator))


def read_hits(path: Path, *, from_first: bool = True) -> list[Hit]:
    """The strokes of a performance, in General MIDI.

    Args:
        path: of the MIDI file.
        from_first: whether time begins with the first stroke, or where the file does.

    Raises:
        InputError: if it cannot be read, or holds no strokes.
    """
    notes = notes_of(read_events(path))
    strokes = [note for note in notes if note.channel == DRUM_CHANNEL] or list(notes)
    if not strokes:
        raise InputError(f"{path}: expected a drum part; it has no notes")
    first = strokes[0].start_seconds if from_first else 0.0
    return [
        Hit(note.start_seconds - first, GM_OF_TD11.get(note.pitch, note.pitch), note.velocity / 127) for note in strokes
    ]

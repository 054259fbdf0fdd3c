"""What a folder holds: a described data set, a known one, songs, or stems; told by names alone."""

from pathlib import Path
from typing import Literal

from stemtune.data.datasets.folders import audio_files
from stemtune.data.datasets.mapping_files import MAPPING_NAMES, known_mappings
from stemtune.data.datasets.song_folders import KNOWN_STEMS
from stemtune.errors import ConfigError, InputError, UsageError

__all__ = ["CORPUS_FILE", "find_mapping", "recognise_layout"]

CORPUS_FILE = "corpus.json"
"""At the root of a corpus that was rendered here; its splits hold songs, whatever the names of their stems."""


def find_mapping(folder: Path) -> str | Path | None:
    """The mapping that lies beside the data, or the name of the known data set that this is; None if neither.

    Raises:
        ConfigError: if there are two mappings.
        UsageError: if it could be two known data sets.
    """
    beside = [folder / name for name in MAPPING_NAMES if (folder / name).is_file()]
    if len(beside) > 1:
        raise ConfigError(f"{folder}: two mappings, {beside[0].name} and {beside[1].name}; expected one, remove one")
    if beside:
        return beside[0]
    known = [
        name
        for name, mapping in known_mappings().items()
        if any(next(folder.glob(pattern), None) is not None for pattern in mapping.recognise)
    ]
    if len(known) > 1:
        raise UsageError(f"{folder}: could be {' or '.join(known)}; say which one as the mapping")
    return known[0] if known else None


def recognise_layout(folder: Path) -> Literal["songs", "stems"]:
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
            "or STEM/*.wav (for example vocals/1.wav); for anything else write a mapping (docs/datasets.md)"
        )
    names = {path.stem.lower() for paths in inside.values() for path in paths}
    is_rendered = any((place / CORPUS_FILE).is_file() for place in (folder, folder.absolute().parent))
    if is_rendered or names & KNOWN_STEMS:
        return "songs"
    if {child.name.lower() for child in children} & KNOWN_STEMS:
        return "stems"
    stems_of = [{path.stem.lower() for path in paths} for paths in inside.values()]
    repeated = sum(1 for name in names if sum(name in stems for stems in stems_of) > 1)
    if len(children) > 1 and repeated == len(names) and len(names) < len(children):
        return "songs"
    raise UsageError(
        f"{folder}: cannot tell whether its sub-folders ({', '.join(child.name for child in children[:4])}, ...) are "
        'songs or stems; say layout="songs" (SONG/STEM.wav) or layout="stems" (STEM/*.wav)'
    )

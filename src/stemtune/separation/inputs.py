"""Which files a batch consists of, and what their outputs are called.

Files are taken as they are named, folders are searched with all that lies in them. A track is called what its file is
called, and no two tracks are called the same: song.wav and song.mp3 become ``song`` and ``song.mp3``,

    name(a) = name(b)  only if  a = b.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.audio import AUDIO_EXTENSIONS
from stemtune.errors import InputError
from stemtune.separation.manifest import MANIFEST_FILE

__all__ = ["Found", "find_inputs", "name_tracks"]


@dataclass(frozen=True)
class Found:
    """A file to separate, or a name that leads to none.

    Attributes:
        path: absolute.
        name: what the track would like to be called; within a folder, with the folders between.
        problem: why there is nothing to separate; None if there is.
    """

    path: Path
    name: str
    problem: InputError | None = None


def find_inputs(paths: Sequence[Path]) -> list[Found]:
    """All files that are meant, each once, in the order in which they were given.

    Folders within folders are searched, but neither hidden ones nor those that hold the stems of an earlier batch.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        for item in _expand(path):
            found.setdefault(item.path, item)
    return list(found.values())


def name_tracks(found: Sequence[Found], known: Mapping[Path, str]) -> dict[Path, str]:
    """A name for every track, all different, also where case does not count.

    Args:
        found: the tracks of this run; the first one that wants a name gets it.
        known: the names of earlier runs; those tracks keep theirs.
    """
    names = {item.path: known[item.path] for item in found if item.path in known}
    taken = {name.casefold() for name in known.values()}
    for item in found:
        if item.path in names:
            continue
        candidates = _candidates(item)
        name = next(candidate for candidate in candidates if candidate.casefold() not in taken)
        taken.add(name.casefold())
        names[item.path] = name
    return names


def _candidates(item: Found) -> Iterator[str]:
    yield item.name
    longer = item.name + item.path.suffix
    yield longer
    number = 2
    while True:
        yield f"{longer} ({number})"
        number += 1


def _expand(path: Path) -> Iterator[Found]:
    absolute = Path(os.path.normpath(path.absolute()))
    if not absolute.is_dir():
        problem = None if absolute.exists() else InputError(f"{path}: there is no such file; check the name")
        yield Found(absolute, _without_ending(Path(absolute.name)), problem)
        return
    empty = True
    for file in _walk(absolute):
        empty = False
        yield Found(file, _without_ending(file.relative_to(absolute)))
    if empty:
        problem = InputError(
            f"{path}: no audio in this folder; expected files that end in "
            f"{', '.join(sorted(ending[1:] for ending in AUDIO_EXTENSIONS))}"
        )
        yield Found(absolute, absolute.name, problem)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not (here / name / MANIFEST_FILE).exists()
        )
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_EXTENSIONS:
                yield here / name


def _without_ending(path: Path) -> str:
    """``a/song.wav`` is ``a/song``, and MUSDB18's ``song.stem.mp4`` is ``song``."""
    name = path.with_suffix("") if path.suffix else path
    return (name.with_suffix("") if name.suffix == ".stem" else name).as_posix()

"""The score archives of the default corpus: unpacked once, and under which licence they come.

files = sorted(every MIDI file of ``data/midi/<name>.tar.xz``).
"""

import tarfile
from pathlib import Path

from stemtune.errors import InputError

__all__ = ["ARCHIVES", "extract_scores"]

ARCHIVES = {
    "freedoom": "BSD-3-Clause",
    "simutrans": "Artistic-1.0",
    "mma": "CC0-1.0",
    "pop909": "MIT",
    "groove": "CC-BY-4.0",
}
"""The score archives that may train weights for release, with their licences (MMA's output is the project's own)."""


def extract_scores(data: Path, scratch: Path, name: str) -> tuple[Path, ...]:
    """Unpack one archive of ``data/midi`` once, and list its MIDI files in a fixed order.

    Raises:
        InputError: if the archive is not one of `ARCHIVES`, or is not there.
    """
    if name not in ARCHIVES:
        raise InputError(f"expected one of the score archives {', '.join(ARCHIVES)}; got {name!r}")
    folder = scratch / name
    if not folder.is_dir():
        archive = data / "midi" / f"{name}.tar.xz"
        if not archive.is_file():
            raise InputError(f"expected scores at {archive}; there is no such file: pass the data folder with --data")
        partial = scratch / f".{name}"
        with tarfile.open(archive) as file:
            file.extractall(partial, filter="data")
        partial.rename(folder)
    return tuple(sorted(folder.rglob("*.mid")))

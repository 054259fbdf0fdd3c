"""One audio stream of a file with several, written as a path: ``song.stem.mp4#3``.

Containers such as MUSDB18's ``.stem.mp4`` hold a whole song, one stem per audio stream. Everything that takes the
path of an audio file (tracks, the audit, tables, messages) can name such a stream with a fragment, as web addresses do:

    stream_path(file, k) = file#k,   split_stream(file#k) = (file, k),   streams counted from 0.

A file whose own name ends like that is meant itself.
"""

import re
from pathlib import Path

__all__ = ["split_stream", "stream_path"]

_ADDRESS = re.compile(r"(?P<name>.+)#(?P<stream>\d{1,3})")


def stream_path(path: Path, stream: int) -> Path:
    """The path of one audio stream of a file."""
    return path.with_name(f"{path.name}#{stream}")


def split_stream(path: Path) -> tuple[Path, int | None]:
    """The file that a path names, and which of its streams; None if the path says nothing about streams."""
    match = _ADDRESS.fullmatch(path.name)
    if match is None or path.exists():
        return path, None
    return path.with_name(match["name"]), int(match["stream"])

"""A library of finished songs, of which no stems are known.

    ROOT/any folders/A song.ogg

Each file is a track with the single stem ``mixture``.
"""

from collections import Counter
from pathlib import Path

from stemtune.data.datasets.drafts import Contents, Draft
from stemtune.data.datasets.patterns import find_audio
from stemtune.data.tracks import MIXTURE, Origin

__all__ = ["read_unlabelled"]


def read_unlabelled(root: Path, *, prefix: str = "", split: str | None = None) -> Contents:
    """One track per file at any depth, named by its path without the ending."""
    found = [(Path(relative).with_suffix("").as_posix(), path) for relative, path in find_audio(root, depth=None)]
    counts = Counter(name for name, _ in found)
    return Contents(
        tuple(
            Draft(
                prefix + (name if counts[name] == 1 else name + path.suffix),
                {MIXTURE: (path,)},
                path,
                origin=Origin(split=split),
            )
            for name, path in found
        )
    )

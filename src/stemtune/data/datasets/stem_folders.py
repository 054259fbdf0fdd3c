"""One folder per stem, any recordings in it: remix packs, sample libraries, solo recordings, and type 2 of MSST.

    ROOT/[SPLIT/]vocals/*.wav
                 drums/*.flac
                 tabla/*.mp3

The recordings do not belong together: each is a track of its own with a single stem, and mixtures are made by
drawing one recording of each stem (incoherent mixing).
"""

from collections import Counter
from pathlib import Path

from stemtune.data.datasets.drafts import Contents, Draft
from stemtune.data.datasets.folders import audio_files, subfolders
from stemtune.data.tracks import Origin

__all__ = ["read_stem_folders"]


def read_stem_folders(root: Path, *, prefix: str = "", split: str | None = None) -> Contents:
    """One single-stem track per file, named ``STEM/FILE``; ``prefix`` goes before that."""
    drafts: list[Draft] = []
    for folder in subfolders(root):
        paths = audio_files(folder)
        counts = Counter(path.stem for path in paths)
        for path in paths:
            name = path.stem if counts[path.stem] == 1 else path.name  # a.wav and a.flac are two recordings
            stems = {folder.name.lower(): (path,)}
            drafts.append(Draft(f"{prefix}{folder.name}/{name}", stems, origin=Origin(split=split)))
    return Contents(tuple(drafts))

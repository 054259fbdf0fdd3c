"""One folder per stem, any recordings in it: remix packs, sample libraries, solo recordings.

    ROOT/vocals/*.wav
         drums/*.flac
         tabla/*.mp3

The recordings do not belong together: each is a track of its own with a single stem, and mixtures are made by
drawing one recording of each stem (incoherent mixing).
"""

from pathlib import Path

from stemtune.data.datasets.folders import audio_files, subfolders
from stemtune.data.tracks import Track, make_track

__all__ = ["read_stem_folders"]


def read_stem_folders(root: Path, *, prefix: str = "") -> tuple[Track, ...]:
    """One single-stem track per file, named ``STEM/FILE``; ``prefix`` goes before that."""
    return tuple(
        make_track(f"{prefix}{folder.name}/{path.stem}", {folder.name.lower(): (path,)})
        for folder in subfolders(root)
        for path in audio_files(folder)
    )

"""One folder per song, one file per stem: the layout of MUSDB18-HQ.

    ROOT/SPLIT/A song/mixture.wav   (optional: without it the mixture is the sum of the stems)
                      vocals.wav  drums.wav  bass.wav  other.wav

MUSDB18-HQ itself: 150 songs (86 train, 14 validation by a fixed list, 50 test), 44.1 kHz stereo, 16 bits; for
research only. The stems of a song start together; songs may lack stems, and other stem names are welcome.

References:
    Rafii, Liutkus, Stoeter, Mimilakis and Bittner, "MUSDB18-HQ", 2019, doi 10.5281/zenodo.3338373.
"""

from pathlib import Path

from stemtune.data.datasets.folders import audio_files, subfolders
from stemtune.data.tracks import Track, make_track
from stemtune.errors import InputError

__all__ = ["KNOWN_STEMS", "MIXTURE_NAMES", "read_song_folders"]

MIXTURE_NAMES = frozenset({"mixture", "mix"})
KNOWN_STEMS = MIXTURE_NAMES | {
    *("vocals", "drums", "bass", "other", "accompaniment", "guitar", "piano", "strings", "synth", "keys"),
    *("soprano", "alto", "tenor", "lead", "backing", "percussion", "brass", "wind", "choir", "tabla"),
}


def read_song_folders(root: Path, *, prefix: str = "") -> tuple[Track, ...]:
    """One track per sub-folder; ``prefix`` goes before the folder's name.

    Raises:
        InputError: for a song folder with two files for one stem, or with a mixture but no stem.
    """
    tracks: list[Track] = []
    for folder in subfolders(root):
        stems: dict[str, tuple[Path, ...]] = {}
        mixture: Path | None = None
        for path in audio_files(folder):
            name = path.stem.lower()
            if name in stems or (name in MIXTURE_NAMES and mixture):
                raise InputError(f"{folder}: two files for {name!r}; expected one file per stem, remove one")
            if name in MIXTURE_NAMES:
                mixture = path
            else:
                stems[name] = (path,)
        if stems or mixture:
            tracks.append(make_track(prefix + folder.name, stems, mixture=mixture))
    return tuple(tracks)

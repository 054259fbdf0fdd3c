"""One folder per song, one file per stem: the layout of MUSDB18-HQ, and types 1 and 4 of MSST.

    ROOT/SPLIT/A song/mixture.wav   (optional: without it the mixture is the sum of the stems)
                      vocals.wav  drums.wav  bass.wav  other.wav

The names of the files are the stems, any names are welcome, and songs may lack stems. Type 1 and type 4 differ in how
they are mixed, not in how they lie on the disk.

References:
    MUSDB18-HQ: Rafii, Liutkus, Stoeter, Mimilakis and Bittner, 2019, doi 10.5281/zenodo.3338373.
    MSST: https://github.com/ZFTurbo/Music-Source-Separation-Training, docs/dataset_types.md.
"""

from pathlib import Path

from stemtune.data.datasets.drafts import Contents, Draft, Problem
from stemtune.data.datasets.folders import audio_files, subfolders
from stemtune.data.tracks import Origin

__all__ = ["KNOWN_STEMS", "MIXTURE_NAMES", "read_song_folders"]

MIXTURE_NAMES = frozenset({"mixture", "mix"})
KNOWN_STEMS = MIXTURE_NAMES | {
    *("vocals", "drums", "bass", "other", "accompaniment", "guitar", "piano", "strings", "synth", "keys"),
    *("soprano", "alto", "tenor", "lead", "backing", "percussion", "brass", "wind", "choir", "tabla"),
}


def read_song_folders(root: Path, *, prefix: str = "", split: str | None = None) -> Contents:
    """One track per sub-folder; ``prefix`` goes before the folder's name."""
    parts = [_read_song(folder, prefix + folder.name, split) for folder in subfolders(root)]
    return Contents.joined(parts)


def _read_song(folder: Path, name: str, split: str | None) -> Contents:
    stems: dict[str, tuple[Path, ...]] = {}
    mixture: Path | None = None
    problems: list[Problem] = []
    for path in audio_files(folder):
        stem = path.stem.lower()
        if stem in stems or (stem in MIXTURE_NAMES and mixture):
            message = f"{folder}: two files for {stem!r}; expected one file per stem, remove one: {path.name}?"
            problems.append(Problem("two_files", name, stem, message))
        elif stem in MIXTURE_NAMES:
            mixture = path
        else:
            stems[stem] = (path,)
    if mixture and not stems:
        message = f"{mixture}: expected a file for at least one stem beside the mixture; there is none: add the stems"
        return Contents((), (Problem("missing_stem", name, "", message),))
    drafts = (Draft(name, stems, mixture, origin=Origin(split=split)),) if stems else ()
    return Contents(drafts, tuple(problems))

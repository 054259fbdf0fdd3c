"""What is heard: songs with vocals, drums, bass and other, of which some are kept for validation and for the test.

              laptop                                                    paper
    train     17 rendered songs, Sodium and Rubidium (real)             86 songs of MUSDB18
    valid     Beatles and Punk of MusicDelta, two rendered songs        its 14 validation songs
    test      80sRock, Grunge, Rockabilly; Lithium; four rendered songs of other scores, soundfonts and kits; 50 songs

Of `eir_stems` the two songs are those that have a bass stem, but for the test's. The laptop's songs are brought to its
rate and to one channel once, before the first cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.segments import Corpus
from stemtune.recipes.bugler2020.preparing import Part
from stemtune.training.phase import Validation

__all__ = ["LAPTOP_SETS", "Songs", "laptop_songs", "paper_songs"]

LAPTOP_SETS: Mapping[str, tuple[Part, ...]] = {
    "train": (
        Part("corpora", "pop", ("train",)),
        Part("data", "eir_stems", (None,), pattern="[35].*"),
    ),
    "valid": (
        Part("data", "musicdelta", (None,), pattern="[BP]*"),
        Part("corpora", "pop", ("valid",)),
    ),
    "test": (
        Part("data", "musicdelta", (None,), pattern="[8GR]*"),
        Part("data", "eir_stems", (None,), pattern="2.*"),
        Part("corpora", "pop", ("test",)),
    ),
}


@dataclass(frozen=True)
class Songs:
    """Where the songs of a scale are."""

    train: tuple[Corpus, ...]
    valid: Corpus
    test: Corpus

    def validation(self, *, every_steps: int, max_seconds: float | None) -> Validation:
        """The validation songs, every so many steps."""
        return Validation(
            path=self.valid.path, split=self.valid.split, every_steps=every_steps, max_seconds=max_seconds
        )


def laptop_songs(folder: Path) -> Songs:
    """The songs that were prepared below a folder."""
    train, valid, test = (Corpus(path=(folder / name).as_posix(), layout="songs") for name in LAPTOP_SETS)
    return Songs((train,), valid, test)


def paper_songs(data: Path) -> Songs:
    """MUSDB18, as published."""
    path = (data / "musdb18").as_posix()
    return Songs((Corpus(path=path, split="train"),), Corpus(path=path, split="valid"), Corpus(path=path, split="test"))

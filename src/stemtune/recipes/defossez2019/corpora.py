"""Which songs are learnt from, which choose thresholds, which lie in the library as if nobody knew them, which test.

                 laptop                                                   paper
    labelled     nine rendered pop songs, two real ones                   MUSDB18's training songs
    stem set     five rendered pop songs, four of MusicDelta              100 songs of the authors'
    hidden       five rendered pop songs, three real ones                 (none: 2,000 songs that nobody labelled)
    recordings   those in ``unlabelled``                                  those 2,000
    test         four rendered pop songs, three of MusicDelta, Lithium    MUSDB18's test songs

The rendered songs are those of ``stemtune data render pop``, whose tests have a soundfont of their own. All four kinds
of rendered singers are among the labelled ones: a detector that never heard a kind takes it for silence. No song plays
two parts.
"""

from dataclasses import dataclass
from pathlib import Path

from stemtune.data.segments import Corpus
from stemtune.recipes.reproduce import StudyRoots

__all__ = ["Songs", "laptop_songs", "paper_songs"]


@dataclass(frozen=True)
class Songs:
    """See the module's description; ``recordings`` is a folder."""

    labelled: tuple[Corpus, ...]
    stem_set: tuple[Corpus, ...]
    hidden: tuple[Corpus, ...]
    recordings: Path
    test: tuple[Corpus, ...]


def laptop_songs(roots: StudyRoots) -> Songs:
    """Small public corpora, and pop songs that stemtune rendered."""
    pop, eir, delta = str(roots.corpora / "pop"), str(roots.data / "eir_stems"), str(roots.data / "musicdelta")
    return Songs(
        labelled=(
            Corpus(path=pop, split="train", pattern="pop909-[0-27]*", weight=2.0),
            Corpus(path=eir, split="train", pattern="[35].*", weight=1.0),
        ),
        stem_set=(
            Corpus(path=pop, split="train", pattern="pop909-3*"),
            Corpus(path=pop, split="valid"),
            Corpus(path=delta, split="valid"),
        ),
        hidden=(
            Corpus(path=pop, split="train", pattern="pop909-[4-689]*"),
            Corpus(path=eir, split="train", pattern="[16].*"),
            Corpus(path=str(roots.data / "trackswitch_song")),
        ),
        recordings=roots.data / "unlabelled",
        test=(
            Corpus(path=pop, split="test"),
            Corpus(path=delta, split="test"),
            Corpus(path=eir, split="test"),
        ),
    )


def paper_songs(roots: StudyRoots) -> Songs:
    """MUSDB18, and what has to be brought along: a stem set and a library."""
    musdb = str(roots.data / "musdb18hq")
    return Songs(
        labelled=(Corpus(path=f"{musdb}/train"),),
        stem_set=(Corpus(path=str(roots.data / "stem-set")),),
        hidden=(),
        recordings=roots.data / "unlabelled",
        test=(Corpus(path=f"{musdb}/test"),),
    )

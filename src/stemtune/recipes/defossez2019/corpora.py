"""Which songs are learnt from, which choose thresholds, which lie in the library as if nobody knew them, which test.

                 laptop                                                   paper
    labelled     eight rendered pop songs, two real ones                  MUSDB18's training songs
    singers      264 clips of MIR-1K, for the detector only               (none)
    stem set     nine rendered pop songs, four of MusicDelta, 160 clips   100 songs of the authors'
    hidden       seven rendered pop songs, three real ones                (none: 2,000 songs that nobody labelled)
    recordings   those in ``unlabelled``                                  those 2,000
    test         four rendered pop songs, three of MusicDelta, Lithium    MUSDB18's test songs

The rendered songs are those of ``stemtune data render pop --hours 1.3``, whose tests have a soundfont of their own. A
detector that never heard a kind of singer takes it for silence, so all kinds of rendered ones are among the labelled
songs, and amateurs over karaoke, of which only the vocals are known, teach it besides. No song plays two parts.
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
    singers: tuple[Corpus, ...]
    stem_set: tuple[Corpus, ...]
    hidden: tuple[Corpus, ...]
    recordings: Path
    test: tuple[Corpus, ...]


def laptop_songs(roots: StudyRoots) -> Songs:
    """Small public corpora, and pop songs that stemtune rendered."""
    pop, eir, delta = str(roots.corpora / "pop"), str(roots.data / "eir_stems"), str(roots.data / "musicdelta")
    karaoke = str(roots.data / "mir1k")
    return Songs(
        labelled=(
            Corpus(path=pop, split="train", pattern="pop909-[0-2]*", weight=2.0),
            Corpus(path=eir, split="train", pattern="[35].*", weight=1.0),
        ),
        singers=(Corpus(path=karaoke, split="train"),),
        stem_set=(
            Corpus(path=pop, split="train", pattern="pop909-[37]*"),
            Corpus(path=pop, split="valid"),
            Corpus(path=delta, split="valid"),
            Corpus(path=karaoke, split="valid"),
            Corpus(path=karaoke, split="test"),
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
        singers=(),
        stem_set=(Corpus(path=str(roots.data / "stem-set")),),
        hidden=(),
        recordings=roots.data / "unlabelled",
        test=(Corpus(path=f"{musdb}/test"),),
    )

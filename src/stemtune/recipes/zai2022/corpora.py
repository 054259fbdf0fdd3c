"""What is heard: much music, songs with stems, and other songs to be judged by.

               paper                                         laptop
    music      1.2 million songs, by Jukebox's public weights 2 hours: songs, karaoke, choirs, metal, all as mixtures
    songs      MUSDB18-HQ's 100 training songs                9 songs with drums, 6 with vocals
    tests      MUSDB18-HQ's 50 test songs                     4 songs of another record, which nothing learns from

References:
    Zai El Amri et al., section 2.2.

Deviations:
    Stereo becomes mono as the mean of the channels, where the code draws the channels' weights for every example (and,
    by mistake, other ones for the mixture than for its stem). What of the laptop's songs is neither drums nor vocals is
    one stem, "rest". Stems alone are drawn where they sound.
"""

from dataclasses import dataclass
from pathlib import Path

from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus
from stemtune.recipes.zai2022.scales import MUSIC, Scale

__all__ = ["Corpora", "hear_mixtures", "hear_stem", "laptop_corpora", "paper_corpora"]


@dataclass(frozen=True)
class Corpora:
    """Where things are.

    Attributes:
        songs: with stems, to learn from.
        stems: of the songs.
        music: songs with the one stem "music"; none if the network that knows much music is public.
        test: the folder of the test songs.
        test_split: of that folder, if it has any.
    """

    songs: tuple[Corpus, ...]
    stems: tuple[str, ...]
    music: tuple[Corpus, ...]
    test: Path
    test_split: str | None = None


def laptop_corpora(folder: Path) -> Corpora:
    """The corpora that `preparing` made."""
    return Corpora(
        songs=(Corpus(path=(folder / "songs").as_posix(), layout="songs"),),
        stems=("drums", "vocals", "rest"),
        music=(Corpus(path=(folder / "music").as_posix(), layout="songs"),),
        test=folder / "test",
    )


def paper_corpora(folder: Path) -> Corpora:
    """The published data set."""
    path = folder / "musdb18hq"
    return Corpora(
        songs=tuple(
            Corpus(path=path.as_posix(), split=split, weight=weight)
            for split, weight in (("train", 86.0), ("valid", 14.0))
        ),
        stems=("drums", "bass", "other", "vocals"),
        music=(),
        test=path,
        test_split="test",
    )


def hear_stem(scale: Scale, corpora: Corpora, stem: str) -> MixingConfig:
    """One stem alone (or music), where it sounds."""
    return MixingConfig(
        corpora=corpora.music if stem == MUSIC else corpora.songs,
        stems=(stem,),
        sample_rate=scale.sample_rate,
        channels=1,
        segment_seconds=scale.segment_seconds,
        coherent_probability=0.0,
    )


def hear_mixtures(scale: Scale, corpora: Corpora) -> MixingConfig:
    """Mixtures of all stems."""
    return MixingConfig(
        corpora=corpora.songs,
        stems=corpora.stems,
        sample_rate=scale.sample_rate,
        channels=1,
        segment_seconds=scale.segment_seconds,
        coherent_probability=scale.coherent_probability,
        min_active=1,
    )

"""What is heard: three corpora to pre-train on, four ways to mix them, three tasks with little data.

    pre-training     laptop                                paper
    first            real: vocals, accompaniment           MUSDB18: vocals, accompaniment
    second           pop, rendered: drums, bass, other     Slakh2100: drums, bass, piano and guitar
    both             songs of either, with their stems     bass, drums, other of both
    drums            kick, snare, cymbals                  remix packs, mixed incoherently in training and test
    choir            female, male                          Dagstuhl ChoirSet, coherent
    chorales         violin, clarinet, saxophone, bassoon  Bach10, incoherent in training, coherent in the test

References:
    Bugler, Pardo and Seetharaman, section 3.1 and Table 1.

Deviations:
    Table 1's sources of Slakh and of both corpora are garbled in print; they are read as above. The paper does not
    publish its splits of Bach10 and of ChoirSet: one of ten chorales, and one of two pieces, are the tests. The
    laptop's "both" keeps each song's own stems, two or three, since deep clustering does not ask which is which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stemtune.data.augment import AugmentationConfig
from stemtune.data.mixing import MixingConfig
from stemtune.data.segments import Corpus

__all__ = ["AUGMENTATIONS", "TASKS", "Corpora", "Task", "augmented", "laptop_corpora", "paper_corpora"]

SAMPLE_RATE = 16000
AUGMENTATIONS = ("none", "incoherent", "pitch", "stretch")
TASKS: Mapping[str, tuple[str, ...]] = {
    "drums": ("cymbals", "kick", "snare"),
    "choir": ("female", "male"),
    "chorales": ("bassoon", "clarinet", "saxophone", "violin"),
}
_COHERENT_IN_TRAINING = {"drums": 0.0, "choir": 1.0, "chorales": 0.0}
_COHERENT_IN_TEST = {"drums": 0.0, "choir": 1.0, "chorales": 1.0}


@dataclass(frozen=True)
class Task:
    """A separation task with little data."""

    training: MixingConfig
    test: MixingConfig


@dataclass(frozen=True)
class Corpora:
    """All that is heard; pre-training corpora are mixed coherently here, see `augmented`."""

    pretraining: Mapping[str, MixingConfig]
    tasks: Mapping[str, Task]


def augmented(data: MixingConfig, augmentation: str) -> MixingConfig:
    """The same corpora, mixed coherently with or without a change of pitch or of duration, or mixed incoherently."""
    changes: Mapping[str, Mapping[str, object]] = {
        "none": {},
        "incoherent": {"coherent_probability": 0.0},
        "pitch": {"augmentation": AugmentationConfig(pitch_semitones=(-3.0, 3.0))},
        "stretch": {"augmentation": AugmentationConfig(stretch=(0.8, 1.2))},
    }
    return data.model_copy(update=changes[augmentation])


def laptop_corpora(folder: Path) -> Corpora:
    """The corpora that `preparing` made."""
    songs = Corpus(path=_at(folder, "real/songs"), layout="songs")
    karaoke = Corpus(path=_at(folder, "real/karaoke"), layout="songs")
    pop = Corpus(path=_at(folder, "pop"), layout="songs", weight=2.0)
    return Corpora(
        pretraining={
            "real": _coherent((songs, karaoke), ("accompaniment", "vocals")),
            "pop": _coherent((pop,), ("bass", "drums", "other")),
            "both": _coherent((songs, karaoke, pop), "any"),
        },
        tasks={
            task: _task(
                task,
                (Corpus(path=_at(folder, f"{task}/train"), layout="songs"),),
                (Corpus(path=_at(folder, f"{task}/test"), layout="songs"),),
            )
            for task in TASKS
        },
    )


def paper_corpora(folder: Path) -> Corpora:
    """The published data sets, each in a folder of its own."""
    singing: dict[str, str | None] = {"drums": "accompaniment", "bass": "accompaniment", "other": "accompaniment"}
    musdb = tuple(
        Corpus(path=_at(folder, "musdb18"), split=split, mapping=singing, weight=weight)
        for split, weight in (("train", 86.0), ("valid", 14.0))
    )
    slakh = Corpus(path=_at(folder, "slakh2100"), split="train", mapping={"other": None})
    joined = Corpus(path=folder.as_posix(), split="train", mapping="musdb18_slakh2100")
    packs = {
        split: (Corpus(path=_at(folder, "remixpacks"), split=split, layout="stems"),) for split in ("train", "test")
    }
    bach = _at(folder, "bach10")
    choir = _at(folder, "dagstuhl_choirset")
    return Corpora(
        pretraining={
            "musdb": _coherent(musdb, ("accompaniment", "vocals")),
            "slakh": _coherent((slakh,), ("bass", "drums", "piano_guitar")),
            "both": _coherent((joined,), ("bass", "drums", "other")),
        },
        tasks={
            "drums": _task("drums", packs["train"], packs["test"]),
            "choir": _task("choir", (Corpus(path=choir, pattern="[!T]*"),), (Corpus(path=choir, pattern="TP*"),)),
            "chorales": _task("chorales", (Corpus(path=bach, pattern="0*"),), (Corpus(path=bach, pattern="1*"),)),
        },
    )


def _coherent(corpora: tuple[Corpus, ...], stems: tuple[str, ...] | str) -> MixingConfig:
    return MixingConfig.model_validate(
        {
            "corpora": corpora,
            "stems": stems,
            "max_stems": 3,
            "sample_rate": SAMPLE_RATE,
            "channels": 1,
            "coherent_probability": 1.0,
            "min_active": 2,
        }
    )


def _task(name: str, training: tuple[Corpus, ...], test: tuple[Corpus, ...]) -> Task:
    heard = _coherent(training, TASKS[name])
    return Task(
        training=heard.model_copy(update={"coherent_probability": _COHERENT_IN_TRAINING[name]}),
        test=heard.model_copy(update={"corpora": test, "coherent_probability": _COHERENT_IN_TEST[name]}),
    )


def _at(folder: Path, name: str) -> str:
    return (folder / name).as_posix()

"""Train the listener, examine it on sounds from other sources, and write it with its card.

    python -m stemtune.recipes.listener.release --data ../shared/data --corpus corpora/listener --run runs/listener

Start it again to go on after a kill or a time limit. None of the sounds of the examination comes from where the corpus
comes from: real solos and dry stems of MedleyDB's songs, amateur singers over karaoke tracks, synthetic choirs of
another synthesiser. What is recognised is what the head says; the classes of a task are compared with each other only:

    answer = argmax over classes of (max over the class's labels of the mean logit over the item's patches).
"""

import argparse
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.datasets import open_dataset
from stemtune.data.excerpts import ExcerptReader
from stemtune.data.segments import level_db
from stemtune.data.tracks import Track
from stemtune.hub.cards import TrainingData
from stemtune.hub.listeners import DEFAULT_LISTENER, ListenerCard, Recognition, save_listener
from stemtune.recipes.default_model.pieces import read_sources
from stemtune.recipes.listener.corpus import HEARD_RATE, LABELS
from stemtune.recipes.listener.training import ListenerTraining, Recogniser, train_listener, whitened

__all__ = ["Task", "examine", "main", "training_data"]

_OUT = Path(__file__).parents[2] / "hub" / "shipped" / DEFAULT_LISTENER
_FAINTEST_DB = -45.0
_LONGEST_SECONDS = 60.0
_OTHER = tuple(label for label in LABELS if label not in {"vocals", "drums", "bass"})


@dataclass(frozen=True)
class Task:
    """A question to the listener: of which of some classes an item is.

    Attributes:
        name: what is to be recognised.
        dataset: a folder below the data folder.
        classes: by the stem's name in the data set, the labels that mean it.
        item_patches: patches that are judged together; None for a whole file.
        max_files: of each class, in the order of their names.
    """

    name: str
    dataset: str
    classes: Mapping[str, tuple[str, ...]]
    item_patches: int | None = None
    max_files: int | None = None


TASKS = (
    Task(
        "which of eight instruments plays a real solo of 3 s",
        "medley_solos",
        {
            "clarinet": ("clarinet",),
            "distorted_guitar": ("distorted_guitar",),
            "female_singer": ("vocals",),
            "flute": ("flute",),
            "piano": ("piano",),
            "tenor_saxophone": ("saxophone",),
            "trumpet": ("trumpet",),
            "violin": ("violin", "strings"),
        },
    ),
    Task(
        "which of four stems of a pop song a second belongs to",
        "musicdelta",
        {"vocals": ("vocals",), "drums": ("drums",), "bass": ("bass",), "other": _OTHER},
        item_patches=1,
    ),
    Task(
        "singing or karaoke accompaniment, in a clip of 3 to 12 s",
        "mir1k",
        {"vocals": ("vocals",), "accompaniment": tuple(label for label in LABELS if label != "vocals")},
        max_files=100,
    ),
)


@torch.no_grad()
def examine(network: Recogniser, data: Path, tasks: Sequence[Task] = TASKS) -> tuple[Recognition, ...]:
    """How often the network is right, as the mean over the classes of each task.

    Raises:
        InputError: if a data set is missing.
    """
    network.eval()
    found: list[Recognition] = []
    for task in tasks:
        hits: dict[str, list[bool]] = {name: [] for name in task.classes}
        for name, waveform in _items(task, data):
            logits = network(waveform.unsqueeze(0))[0]
            scores = {other: float(logits[_places(labels)].mean(dim=1).max()) for other, labels in task.classes.items()}
            hits[name].append(max(scores, key=lambda other: scores[other]) == name)
        rates = [float(np.mean(values)) for values in hits.values() if values]
        found.append(
            Recognition(
                task=task.name,
                measure="accuracy, mean over classes",
                value=round(float(np.mean(rates)), 3),
                chance=round(1 / len(task.classes), 3),
                data=task.dataset,
                num_items=sum(len(values) for values in hits.values()),
            )
        )
    return tuple(found)


def training_data(corpus: Path) -> tuple[TrainingData, ...]:
    """The corpus by origin and licence, in minutes of sound."""
    groups: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for source in read_sources(corpus):
        first = source.origin.split(",")[0]
        name = (
            "/".join(first.split("/")[:2])
            if "midi/" in first or first.startswith("instruments")
            else first.split("/")[0]
        )
        font = ", rendered on FluidR3 GM" if "FluidR3" in source.origin else ""
        groups.setdefault((f"{name}{font}", source.licence), []).append((source.stem, source.seconds))
    return tuple(
        TrainingData(
            corpus=name,
            licence=licence,
            minutes=round(sum(seconds for _, seconds in heard) / 60, 1),
            stems=tuple(sorted({stem for stem, _ in heard})),
        )
        for (name, licence), heard in sorted(groups.items())
    )


def _items(task: Task, data: Path) -> Iterator[tuple[str, Float[Tensor, "channel time"]]]:
    """The class and the sound of each item; what is nearly silent is left out."""
    reader = ExcerptReader(sample_rate=HEARD_RATE, channels=1)
    counts = dict.fromkeys(task.classes, 0)
    for track in open_dataset(data / task.dataset):
        for name in (name for name in task.classes if name in track.stems):
            if task.max_files is not None and counts[name] >= task.max_files:
                continue
            counts[name] += 1
            whole = _read(reader, track, name)
            size = whole.shape[1] if task.item_patches is None else task.item_patches * 15600
            for start in range(0, whole.shape[1] - size + 1, size):
                piece = whole[:, start : start + size]
                if level_db(piece) >= _FAINTEST_DB:
                    yield name, piece


def _read(reader: ExcerptReader, track: Track, stem: str) -> Float[Tensor, "channel time"]:
    seconds = min(track.duration_seconds, _LONGEST_SECONDS)
    return reader.read(track.stems[stem], start_seconds=0.0, num_samples=int(seconds * HEARD_RATE))


def _places(labels: Sequence[str]) -> list[int]:
    return [LABELS.index(label) for label in labels]


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of data sets")
    parser.add_argument("--corpus", type=Path, default=Path("corpora/listener"))
    parser.add_argument("--run", type=Path, default=Path("runs/listener"))
    parser.add_argument("--steps", type=int, default=ListenerTraining().steps)
    parser.add_argument("--max-minutes", type=float, default=float("inf"), help="stop after so long, to be continued")
    parser.add_argument("--commit", default="", help="of stemtune, with which the run was made")
    parser.add_argument("--out", type=Path, default=_OUT)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    training = ListenerTraining(corpus=str(arguments.corpus), steps=arguments.steps)
    deadline = time.monotonic() + 60 * arguments.max_minutes
    torch.set_num_threads(1)
    network = train_listener(training, arguments.run, stopped=lambda: time.monotonic() > deadline)
    if network is None:
        logging.info("stopped; start the same command again to go on")
        return
    heard = training_data(arguments.corpus)
    card = ListenerCard(
        name=arguments.out.name,
        licence="MIT",
        description=f"VGGish's front end and a small network that tells {len(LABELS)} kinds of sounds apart.",
        labels=LABELS,
        training_data=heard,
        recipe="python -m stemtune.recipes.listener.corpus, then python -m stemtune.recipes.listener.release "
        f"--steps {arguments.steps}",
        commit=arguments.commit,
        created=datetime.now(tz=UTC).date().isoformat(),
        recognition=examine(network, arguments.data),
        limits=(
            "Look at what it recognises before relying on it; what is near chance it cannot tell apart.",
            "Most of what it learnt from is rendered or synthesised; all real singing with words is by one artist.",
            "It is meant to guide separators in training, not to label recordings.",
            "Features are whitened, but axes that hardly vary are damped; steps of 4/255 stand for the eight bits.",
            "Sonatina samples are CC Sampling Plus 1.0: not for use in advertising, as their authors ask.",
        ),
        config=training.listener,
    )
    complete = save_listener(whitened(training, network), arguments.out, card)
    logging.info("%s: %s bytes; %s", arguments.out, complete.weights_bytes, complete.recognition)


if __name__ == "__main__":
    main()

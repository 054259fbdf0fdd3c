"""What a detector learns from, computed once: scattering frames, relative volumes, and which of them count.

One safetensors file for each song or made-up mixture, so that preparing can be killed and continued, and uses all
cores. Frames are stored in half precision, times 1024 (they are small).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from stemtune.config import fingerprint
from stemtune.data.mixing import MixingConfig
from stemtune.data.tracks import Track, read_excerpt
from stemtune.errors import InputError, OutputError
from stemtune.models.silence_detector import DETECTOR_RATE, OUTPUT_HOP_SAMPLES, WINDOW_SAMPLES
from stemtune.signal.relative_volume import relative_volumes
from stemtune.signal.scattering import scatter

__all__ = ["DetectorExample", "MixtureTask", "TrackTask", "prepare", "read_example"]

_SCALE = 1024.0


@dataclass(frozen=True)
class DetectorExample:
    """A mixture as the detector hears it, and the truth.

    Attributes:
        features: scattering frames, half precision, times 1024.
        volumes_db: of each stem.
        audible: where the mixture is.
        known: of which stems the labels tell.
    """

    features: Float[Tensor, "order frequency frame"]
    volumes_db: Float[Tensor, "stem output"]
    audible: Bool[Tensor, "output"]
    known: Bool[Tensor, "stem"]

    def frames(self, first: int, last: int) -> Float[Tensor, "order frequency _frame"]:
        """Some of the frames, as they were computed."""
        return self.features[..., first:last].float() / _SCALE


@dataclass(frozen=True)
class TrackTask:
    """A whole labelled song; stems that are none of the detector's belong to the mixture all the same."""

    track: Track
    stems: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in self.track.name)
        return f"track-{safe}"

    def sources(self) -> tuple[Tensor, Tensor]:
        """All sources, the detector's stems first, and which of these are known, if only to be silent."""
        others = tuple(stem for stem in self.track.stems if stem not in self.stems)
        length = round(self.track.duration_seconds * DETECTOR_RATE)
        sources = [
            read_excerpt(
                self.track.stems[stem], start_seconds=0.0, num_samples=length, sample_rate=DETECTOR_RATE, channels=1
            )[0]
            if stem in self.track.stems
            else torch.zeros(length)
            for stem in (*self.stems, *others)
        ]
        known = [stem in self.track.stems or stem in self.track.silent for stem in self.stems]
        return torch.stack(sources), torch.tensor(known)


@dataclass(frozen=True)
class MixtureTask:
    """A made-up mixture: example ``number`` of a mixing configuration, in which every stem is known."""

    mixing: MixingConfig
    seed: int
    number: int

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return f"mixture-{fingerprint(self.mixing)}-{self.seed}-{self.number:06d}"

    def sources(self) -> tuple[Tensor, Tensor]:
        """The sources, and which are known."""
        sources = self.mixing.build().example(seed=self.seed, step=self.number, position=0).mean(dim=1)
        return sources, torch.ones(len(self.mixing.stems), dtype=torch.bool)


def prepare(
    tasks: Sequence[TrackTask | MixtureTask],
    folder: Path,
    *,
    num_workers: int = 1,
    on_done: Callable[[int], None] | None = None,
) -> list[Path]:
    """The files of all tasks, computed where they are not there yet.

    Raises:
        InputError: if a song cannot be read.
        OutputError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from None
    paths = [folder / f"{task.name}.safetensors" for task in tasks]
    missing = [(task, path) for task, path in zip(tasks, paths, strict=True) if not path.exists()]
    for number, _ in enumerate(_map(missing, num_workers), start=1):
        if on_done:
            on_done(number)
    return paths


def read_example(path: Path) -> DetectorExample:
    """Load a prepared file.

    Raises:
        InputError: if it is damaged.
    """
    try:
        tensors = load_file(path)
        return DetectorExample(**{name: tensors[name] for name in ("features", "volumes_db", "audible", "known")})
    except (OSError, KeyError, SafetensorError) as error:
        raise InputError(f"{path}: damaged ({error}); remove it and prepare again") from None


def _map(work: list[tuple[TrackTask | MixtureTask, Path]], num_workers: int) -> Iterator[None]:
    if num_workers <= 1 or len(work) <= 1:
        yield from map(_prepare_one, work)
        return
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=torch.set_num_threads,
                             initargs=(1,)) as pool:  # fmt: skip
        results: Iterable[None] = pool.map(_prepare_one, work)
        yield from results


def _prepare_one(item: tuple[TrackTask | MixtureTask, Path]) -> None:
    task, path = item
    sources, known = task.sources()
    found = relative_volumes(sources, hop_samples=OUTPUT_HOP_SAMPLES, window_samples=WINDOW_SAMPLES)
    tensors = {
        "features": (scatter(sources.sum(dim=0)) * _SCALE).half().contiguous(),
        "volumes_db": found.volumes_db[: known.shape[0]].contiguous(),
        "audible": found.audible.contiguous(),
        "known": known,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, temporary)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error}); free space or choose another folder") from None

"""From examples to batches: a data set that any loader can shard, indexed by ``step * per_step + position``.

There is no sampler state: the index alone says which example it is, whichever process asks.
"""

import signal
from collections.abc import Sequence, Sized
from typing import TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stemtune.data.memory import keep_freed_memory
from stemtune.data.mixing import Mixer
from stemtune.types import Batch

__all__ = ["Examples", "collate", "loader"]

T = TypeVar("T")


class Examples(Dataset[Tensor]):
    """The examples of a training run, ``per_step`` for each of its ``steps``."""

    def __init__(self, mixer: Mixer, *, seed: int, per_step: int, steps: int) -> None:
        self._mixer = mixer
        self._seed = seed
        self._per_step = per_step
        self._steps = steps

    def __len__(self) -> int:
        return self._steps * self._per_step

    def __getitem__(self, index: int) -> Float[Tensor, "stem channel time"]:
        step, position = divmod(index, self._per_step)
        return self._mixer.example(seed=self._seed, step=step, position=position)


class _From(Sampler[int]):
    def __init__(self, first: int, last: int) -> None:
        self._range = range(first, last)

    def __iter__(self):
        return iter(self._range)

    def __len__(self) -> int:
        return len(self._range)


def loader(examples: Dataset[T], *, batch_size: int, first_index: int, num_workers: int) -> DataLoader[T]:
    """Batches of what `Examples`, or another data set of a known length, gives, from example ``first_index`` on."""
    return DataLoader(
        examples,
        batch_size=batch_size,
        sampler=_From(first_index, len(cast("Sized", examples))),
        num_workers=num_workers,
        prefetch_factor=4 if num_workers else None,
        worker_init_fn=_prepare_worker,
    )


def _prepare_worker(worker: int) -> None:
    """One thread each; and Ctrl-C, which goes to the workers as well, is the trainer's to handle."""
    del worker
    keep_freed_memory()
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def collate(sources: Float[Tensor, "batch stem channel time"], *, stems: Sequence[str], sample_rate: int) -> Batch:
    """Name the axes of stacked examples, add the mixture, and note which sources are more than silence."""
    return Batch(
        mixture=sources.sum(dim=1),
        sources=sources,
        stems=tuple(stems),
        sample_rate=sample_rate,
        present=(sources.amax(dim=(2, 3)) != 0) | (sources.amin(dim=(2, 3)) != 0),
    )

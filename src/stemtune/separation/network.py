"""Chunks through the network, in batches, with every core busy.

A batch is always the same chunks, and each batch is computed by one thread; only how many batches are under way at
once depends on the machine. So the result does not:

    separate(threads = 1)  =  separate(threads = n),     bit for bit.

Recurrent networks also gain speed: two threads on two batches finish sooner than two threads on one.
"""

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

import torch
from torch import Tensor

from stemtune.errors import UsageError, WeightsError
from stemtune.models.base import Separator
from stemtune.nn.precision import autocast, granted_precision
from stemtune.separation.channels import channel_index, gather_channels, scatter_channels
from stemtune.separation.memory import release_freed_memory
from stemtune.separation.options import SeparationOptions
from stemtune.signal.level import all_finite
from stemtune.signal.overlap_add import Chunk

__all__ = [
    "available_cores",
    "choose_batch_size",
    "device_of",
    "one_thread",
    "require_evaluation_mode",
    "separate_chunks",
    "worker_threads",
]

_Place = tuple[int, bool]  # a chunk's start, and whether it is the last


def separate_chunks(
    separator: Separator,
    chunks: Iterable[Chunk],
    *,
    num_channels: int,
    options: SeparationOptions,
    pool: ThreadPoolExecutor,
    workers: int,
) -> Iterator[Chunk]:
    """Chunks ``channel time`` of a mixture in, the same chunks ``stem channel time`` of its stems out, in order.

    Raises:
        WeightsError: if the network answers with values that are not finite.
    """
    index = channel_index(num_channels=num_channels, model_channels=separator.channels)
    batch_size = choose_batch_size(separator, options)
    chunks_per_batch = max(1, batch_size // index.shape[0])
    under_way: deque[tuple[list[_Place], Future[list[Tensor]]]] = deque()
    waiting = iter(chunks)
    try:
        while True:
            batch = list(islice(waiting, chunks_per_batch))
            is_end = not batch
            if batch:
                mixtures = [chunk.samples for chunk in batch]
                places = [(chunk.start, chunk.last) for chunk in batch]
                future = pool.submit(
                    _separate_batch, separator, mixtures, index, batch_size=batch_size, precision=options.precision
                )
                under_way.append((places, future))
                del mixtures  # they belong to the pool now, and memory is what this is about
            del batch
            if not under_way:
                return
            if len(under_way) > workers or is_end:
                places, future = under_way.popleft()
                answers = future.result()
                release_freed_memory()
                del future
                for start, last in places:
                    yield Chunk(answers.pop(0), start=start, last=last)
    finally:
        for _, future in under_way:
            future.cancel()


@contextmanager
def worker_threads(workers: int) -> Generator[ThreadPoolExecutor, None, None]:
    """Threads that each compute with one core, as does the calling thread meanwhile."""
    with one_thread():
        initializer = torch.set_num_threads  # in part a setting of the thread that calls it, in part one of the process
        pool = ThreadPoolExecutor(workers, thread_name_prefix="separate", initializer=initializer, initargs=(1,))
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_thread() -> Generator[None, None, None]:
    """Let torch compute with one thread for a while; threads that wait for each other on busy cores stall."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_batch_size(separator: Separator, options: SeparationOptions) -> int:
    """What is asked for, or else what suits the device.

    A core of a CPU is busy with one chunk, and more only take memory; a GPU is not.
    """
    return options.batch_size or (1 if device_of(separator).type == "cpu" else 8)


def available_cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def device_of(separator: Separator) -> torch.device:
    """Where a separator computes."""
    tensors = (*separator.parameters(), *separator.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


def require_evaluation_mode(separator: Separator) -> None:
    """Refuse a separator that is set to train, because its results are random.

    Raises:
        UsageError: in that case.
    """
    if separator.training:
        raise UsageError("the separator is in training mode, where results are random; call separator.eval() first")


def _separate_batch(
    separator: Separator, mixtures: list[Tensor], index: Tensor, *, batch_size: int, precision: str
) -> list[Tensor]:
    """One pass through the network; chunks of unequal length (a single short one) are never in one batch."""
    items = torch.cat([gather_channels(mixture, index) for mixture in mixtures])
    audible = items.abs().amax(dim=(1, 2)) > 0
    if not audible.any():
        return [mixture.new_zeros(len(separator.stems), *mixture.shape) for mixture in mixtures]
    device = device_of(separator)
    low = granted_precision(device.type, precision) == "bfloat16"
    parts = torch.split(items, batch_size)
    with torch.inference_mode(), autocast(device.type, precision):
        answers = [separator.separate(part.to(device)).float().cpu() for part in parts]
    sources = torch.cat(answers) if len(answers) > 1 else answers[0]
    expected = (items.shape[0], len(separator.stems), *items.shape[1:])
    if sources.shape != expected:
        raise RuntimeError(f"{type(separator).__name__} answered {tuple(sources.shape)}, expected {expected}")
    if not audible.all():  # silence in, silence out, whatever the network makes of it
        sources = torch.where(audible[:, None, None, None], sources, 0.0)
    if not all_finite(sources):
        advice = "try --precision float32" if low else "its weights are damaged or it was not trained to the end"
        raise WeightsError(f"the model answered with values that are not finite; {advice}")
    return [scatter_channels(part, index) for part in torch.split(sources, index.shape[0])]

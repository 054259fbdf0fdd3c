"""Tracks one after the other in this process, or several at once in processes of their own; the same results.

    records(tracks)  =  {score(track) : track in tracks},    in the order in which they are finished

Processes are spawned, since forking a process with threads may hang it; the longest tracks come first, so that none
is left alone at the end. Whoever stops, by Ctrl-C or by an error, does not wait for half a track.
"""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

import torch

from stemtune.data.tracks import Track
from stemtune.errors import StemtuneError
from stemtune.evaluation.excerpts import middle_of
from stemtune.evaluation.gathering import HeardWithTruth
from stemtune.evaluation.model_systems import ModelSystem
from stemtune.evaluation.records import EvaluationRequest, TrackRecord, assemble
from stemtune.evaluation.report import draw_excerpt, save_picture
from stemtune.evaluation.report_store import file_name
from stemtune.evaluation.scoring import score_track
from stemtune.evaluation.systems import System
from stemtune.separation.network import available_cores

__all__ = ["Finished", "Planned", "in_processes", "one_by_one", "picture_of"]

PICTURE_SECONDS = 30.0  # more would be too narrow to read

Planned = tuple[int, Track, str]
"""A track with its number and the fingerprint of what is asked of it."""
Finished = Generator[tuple[int, TrackRecord], None, None]


def one_by_one(
    system: System,
    todo: Sequence[Planned],
    request: EvaluationRequest,
    pictures: Path | None,
    jobs: int,
    tell: Callable[[Track, float], None],
) -> Finished:
    """In this process; ``tell`` is told how many seconds of a track were heard."""
    del jobs
    for number, track, mark in todo:

        def on_progress(seconds: float, track: Track = track) -> None:
            tell(track, seconds)

        yield number, _score(system, track, request, mark, pictures, on_progress)


def in_processes(
    system: System,
    todo: Sequence[Planned],
    request: EvaluationRequest,
    pictures: Path | None,
    jobs: int,
    tell: Callable[[Track, float], None],
) -> Finished:
    """Several at once; ``tell`` is not told anything, since processes do not tell how far they are."""
    del tell
    workers = min(jobs, len(todo))
    threads = max(1, available_cores() // workers)
    if isinstance(system, ModelSystem):
        options = system.options.model_copy(update={"threads": system.options.threads or threads})
        system = ModelSystem(system.folder, system.name, options)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker, initargs=(threads,))
    try:
        order = sorted(todo, key=lambda item: -item[1].duration_seconds)
        with _uninterrupted():
            futures: dict[Future[TrackRecord], int] = {
                pool.submit(_score, system, track, request, mark, pictures): number for number, track, mark in order
            }
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise StemtuneError(
            "a worker process died, perhaps for want of memory; finished tracks are kept where a folder was given: "
            "start it again with fewer --jobs"
        ) from None
    finally:
        for worker in set(multiprocessing.active_children()) - others:  # whoever stops does not wait for half a track
            worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Generator[None, None, None]:
    """Processes that are started meanwhile never hear of Ctrl-C; whoever starts them hears of it behind the block."""
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # where it is not, spawning starts it, and unblocks the signal again
    heard: list[int] = []
    # Blocked for the processes, which inherit that; and kept for later, since another thread may receive it.
    handler = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler if handler is not None else signal.SIG_DFL)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _begin_worker(threads: int) -> None:
    torch.set_num_threads(threads)


def _score(
    system: System,
    track: Track,
    request: EvaluationRequest,
    mark: str,
    pictures: Path | None,
    on_progress: Callable[[float], None] | None = None,
) -> TrackRecord:
    keeper = middle_of(track, seconds=PICTURE_SECONDS)

    def on_block(block: HeardWithTruth) -> None:
        if pictures:
            keeper.update(block)
        if on_progress:
            on_progress((block.start + block.mixture.shape[1]) / track.sample_rate)

    record = score_track(system, track, request, fingerprint=mark, on_block=on_block)
    if pictures:
        excerpt = keeper.excerpt(tuple(record.energies))
        if excerpt is not None:
            rows = assemble([record], subject=system.name).rows
            save_picture(draw_excerpt(excerpt, subject=system.name, scores=rows), picture_of(track, pictures))
    return record


def picture_of(track: Track, folder: Path) -> Path:
    """Where the picture of a track goes."""
    return folder / f"{file_name(track.name)}.png"

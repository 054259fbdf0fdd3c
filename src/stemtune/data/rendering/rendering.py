"""Rendering a corpus: what is missing of it is made, by as many processes as are wanted, and nothing is made twice.

corpus = {song : song is planned}, in any order, and after any interruption the rest of it.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import torch

from stemtune.data.rendering.choosing import Amount, choose_songs
from stemtune.data.rendering.fluidsynth import fluidsynth_version
from stemtune.data.rendering.kinds import producer_of
from stemtune.data.rendering.plans import SPLITS, Producer, RenderConfig, SongPlan
from stemtune.data.rendering.records import (
    CorpusRecord,
    Skipped,
    SongRecord,
    claim_folder,
    corpus_record,
    read_song,
    write_corpus,
)
from stemtune.data.rendering.writing import clear_partial, song_folder, write_song
from stemtune.errors import InputError

__all__ = ["render_corpus"]

_KEEP_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1073741824"
"""For workers: they need buffers of the same size for every song, and page faults cost a third of their time."""

_WORTH_A_PROCESS_SECONDS = 600.0  # of music, which a process of its own renders faster, for it keeps its memory

OnSong = Callable[[SongPlan, int, int], None]


def render_corpus(
    config: RenderConfig,
    out: Path,
    *,
    amount: Amount,
    num_workers: int = 1,
    on_plan: Callable[[str], None] = lambda _: None,
    on_song: OnSong = lambda _plan, _done, _total: None,
) -> CorpusRecord:
    """Make a corpus, or what is missing of it.

    Args:
        config: everything that its sound depends on.
        out: its folder; new, empty, or with a part of this very corpus.
        amount: how much is wanted.
        num_workers: processes that work side by side; where one has little to do, it is this one.
        on_plan: hears the name of every score that is looked at.
        on_song: hears of every finished song, how many are done, and how many there will be.

    Returns:
        The record of everything that is there now, also stored as ``corpus.json``.

    Raises:
        InputError: if FluidSynth, a soundfont or the scores are missing or unusable.
        OutputError: if the folder holds something else, or cannot be written; finished songs stay.
    """
    producer = _producer(config)
    versions = _versions()
    claim_folder(out, config)
    clear_partial(out)
    finished = {record.name: record for record in _finished(out)}
    plans, skipped = choose_songs(producer, config, amount, finished=finished, on_plan=on_plan)
    write_corpus(out, corpus_record(config, list(finished.values()), skipped, versions=versions, complete=False))
    missing = [plan for plan in plans if plan.name not in finished]
    done = len(plans) - len(missing)
    for plan, result in _results(config, missing, out, num_workers):
        if isinstance(result, Skipped):
            skipped.append(result)
        else:
            finished[result.name] = result
        done += 1
        on_song(plan, done, len(plans))
    if not finished:
        raise InputError(f"{config.sources[0].path}: no song of it could be rendered: {skipped[0].reason}")
    record = corpus_record(config, list(finished.values()), skipped, versions=versions, complete=True)
    write_corpus(out, record)
    clear_partial(out)
    return record


def _finished(out: Path) -> Iterator[SongRecord]:
    for split in SPLITS:
        for folder in sorted((out / split).iterdir()) if (out / split).is_dir() else ():
            record = read_song(folder) if folder.is_dir() else None
            if record is not None:
                yield record


def _results(
    config: RenderConfig, plans: Sequence[SongPlan], out: Path, num_workers: int
) -> Iterator[tuple[SongPlan, SongRecord | Skipped]]:
    """Every plan with what became of it, as they are finished."""
    if len(plans) < 2 or (num_workers == 1 and sum(plan.seconds for plan in plans) < _WORTH_A_PROCESS_SECONDS):
        with _one_thread():
            yield from ((plan, _render_song(config, plan, out)) for plan in plans)
        return
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_begin_worker)
    os.environ.setdefault("GLIBC_TUNABLES", _KEEP_MEMORY)
    try:
        waiting = iter(plans)
        running: dict[Future[SongRecord | Skipped], SongPlan] = {}
        while True:
            for plan in waiting:
                running[pool.submit(_render_song, config, plan, out)] = plan
                if len(running) >= 2 * num_workers:
                    break
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool:
        raise InputError(
            "a worker was killed while it rendered (too little memory?); what is finished stays: "
            "run the same command again, with fewer workers"
        ) from None
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _render_song(config: RenderConfig, plan: SongPlan, out: Path) -> SongRecord | Skipped:
    finished = read_song(song_folder(out, plan))
    if finished is not None:
        return finished
    try:
        return write_song(out, plan, _producer(config).render(plan), config)
    except InputError as error:
        return Skipped(name=plan.name, reason=str(error))


@contextmanager
def _one_thread() -> Generator[None]:
    """Keep torch, which only converts samples here, from waking threads that spin for nothing."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


@lru_cache(maxsize=1)
def _producer(config: RenderConfig) -> Producer:
    """The producer of this process, which keeps what it has read."""
    return producer_of(config)


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, who ends the workers, and keep to one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _versions() -> dict[str, str]:
    packages = ("stemtune", "numpy", "scipy", "mido")
    return {"fluidsynth": fluidsynth_version(), **{package: version(package) for package in packages}}

"""Mining a library: a stream of files in, an index out; in parallel, resumable, in an order that does not change.

    walk (sorted) -> not in the index yet -> bytes not heard before -> workers, a bounded number under way -> index

Songs enter the index in the order of the library however long each of them took, so a run that was killed and continued
gives the same index, to the byte, as one that was not. Workers are processes of one thread each, or Ray's tasks.
"""

import hashlib
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch

from stemtune.data.audio import AUDIO_EXTENSIONS
from stemtune.errors import InputError
from stemtune.mining.detector import TrainedDetector, load_detector
from stemtune.mining.index import Index, MiningSettings, SongRecord
from stemtune.mining.song import SongTask, mine_song, skipped

__all__ = ["MiningSummary", "Runner", "Worker", "mine", "settings_for", "walk"]

_HASH_BYTES = 1 << 20


@dataclass
class MiningSummary:
    """What a run did; ``seconds`` of sound are those of the songs that it mined itself."""

    mined: int = 0
    skipped: int = 0
    already_done: int = 0
    seconds: float = 0.0
    excerpt_seconds: dict[str, float] | None = None

    def add(self, record: SongRecord) -> None:
        """Count a song."""
        self.mined += record.status == "mined"
        self.skipped += record.status == "skipped"
        self.seconds += record.duration_seconds
        totals = self.excerpt_seconds = self.excerpt_seconds or {}
        for excerpt in record.excerpts:
            totals[excerpt.stem] = totals.get(excerpt.stem, 0.0) + excerpt.duration_seconds


@dataclass(frozen=True)
class Worker:
    """What a worker needs to know: small enough to travel.

    Attributes:
        detector: its folder.
        settings: of the index.
        folder: of the index.
        pictures: whether to draw.
    """

    detector: Path
    settings: MiningSettings
    folder: Path
    pictures: bool

    def __call__(self, task: SongTask) -> SongRecord:
        """Mine a song, with the detector that this process has loaded before if it has."""
        return mine_song(
            task, _detector_here(self.detector).network, self.settings, self.folder, pictures=self.pictures
        )


@runtime_checkable
class Runner(Protocol):
    """Applies a worker to tasks somewhere, and yields the answers in the order of the tasks."""

    def __call__(self, worker: Worker, tasks: Iterable[SongTask]) -> Iterator[SongRecord]:
        """See the class."""
        ...


def settings_for(detector: TrainedDetector, library: Path, **changes: Any) -> MiningSettings:
    """What a detector mines a library with.

    Raises:
        InputError: if it has a threshold for no stem.
    """
    if not detector.thresholds:
        raise InputError(
            "the detector has a threshold for none of its stems, so nothing can be mined; "
            "train it on more labelled songs in which stems fall silent"
        )
    return MiningSettings(
        library=str(library.resolve()),
        detector=detector.fingerprint,
        stems=detector.stems,
        thresholds=dict(detector.thresholds),
        left_out=tuple(stem for stem in detector.stems if stem not in detector.thresholds),
    ).override(changes)


def mine(
    library: Path,
    detector_folder: Path,
    folder: Path,
    settings: MiningSettings,
    *,
    num_workers: int = 1,
    pictures: bool = True,
    runner: Runner | None = None,
    on_song: Callable[[SongRecord], None] | None = None,
) -> MiningSummary:
    """Mine a library, or go on with it.

    Args:
        library: a folder of audio files.
        detector_folder: as `load_detector` reads it.
        folder: of the index.
        settings: from `settings_for`.
        num_workers: processes.
        pictures: whether to draw one for each song.
        runner: where to compute, if not in processes here.
        on_song: is told of each song that enters the index.

    Raises:
        InputError: if the library has no audio files.
        ConfigError: if the folder has an index made with other settings.
        OutputError: if something cannot be written; what was finished is kept, and mining can go on.
    """
    summary = MiningSummary()
    worker = Worker(detector_folder.resolve(), settings, folder.resolve(), pictures)
    run: Runner = runner or _Processes(num_workers)
    with Index(folder, settings) as index:
        ready: deque[SongRecord | None] = deque()  # in the order of the library; None: the next of the workers' answers
        found_any = False

        def tasks() -> Iterator[SongTask]:
            nonlocal found_any
            heard: dict[str, str] = {}
            for name, content in index.done.items():
                heard.setdefault(content, name)
            for path in walk(library):
                found_any = True
                name = path.relative_to(library).as_posix()
                if name in index.done:
                    summary.already_done += 1
                    continue
                task = SongTask(path.resolve(), name, _content(path))
                twin = heard.get(task.content) if task.content else None
                if twin is not None:
                    ready.append(skipped(task, f"has the same content as {twin}"))
                    continue
                if task.content:
                    heard[task.content] = name
                ready.append(None)
                yield task

        def finish(record: SongRecord) -> None:
            index.append(record)
            summary.add(record)
            if on_song:
                on_song(record)

        with closing(cast("Generator[SongRecord]", run(worker, tasks()))) as answers:
            for record in answers:
                while ready and (before := ready.popleft()) is not None:
                    finish(before)
                finish(record)
        for record in ready:
            if record is not None:
                finish(record)
        if not found_any:
            raise InputError(f"{library}: no audio files in this folder; expected songs such as wav, flac, mp3, m4a")
    return summary


def walk(library: Path) -> Iterator[Path]:
    """All audio files by their endings, in an order that depends on names alone, one folder at a time.

    Raises:
        InputError: if there is no such folder.
    """
    if not library.is_dir():
        raise InputError(f"{library}: is not a folder; give the folder of the songs")
    for root, folders, files in os.walk(library):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_EXTENSIONS:
                yield Path(root) / name


class _Processes:
    """Worker processes here, each with one thread; two songs for each of them are under way."""

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers

    def __call__(self, worker: Worker, tasks: Iterable[SongTask]) -> Iterator[SongRecord]:
        if self._num_workers <= 1:
            before = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                yield from map(worker, tasks)
            finally:
                torch.set_num_threads(before)
            return
        under_way: deque[tuple[SongTask, Future[SongRecord]]] = deque()
        pool = self._pool()
        try:
            for task in tasks:
                under_way.append((task, pool.submit(worker, task)))
                if len(under_way) >= 2 * self._num_workers:
                    record, pool = self._next(worker, under_way, pool)
                    yield record
            while under_way:
                record, pool = self._next(worker, under_way, pool)
                yield record
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._num_workers, mp_context=context, initializer=_one_thread)

    def _next(
        self, worker: Worker, under_way: "deque[tuple[SongTask, Future[SongRecord]]]", pool: ProcessPoolExecutor
    ) -> tuple[SongRecord, ProcessPoolExecutor]:
        """The oldest answer; if a worker died, its pool is replaced and each song under way gets one more chance."""
        task, future = under_way.popleft()
        try:
            return future.result(), pool
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)
        alone = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread)
        with alone:
            try:
                record = alone.submit(worker, task).result()
            except BrokenProcessPool:
                record = skipped(task, "the process that listened to it died, twice")
        pool = self._pool()
        for number, (other, _) in enumerate(list(under_way)):
            under_way[number] = (other, pool.submit(worker, other))
        return record, pool


_LOADED: dict[Path, TrainedDetector] = {}


def _detector_here(folder: Path) -> TrainedDetector:
    if folder not in _LOADED:
        _LOADED[folder] = load_detector(folder)
    return _LOADED[folder]


def _one_thread() -> None:
    """For a worker process; Ctrl-C, which goes to it as well, is its parent's to handle."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _content(path: Path) -> str:
    """A fingerprint of a file's bytes; empty if it cannot be read, which mining will say better."""
    if not path.is_file():
        return ""  # a pipe would be waited for
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(_HASH_BYTES):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()

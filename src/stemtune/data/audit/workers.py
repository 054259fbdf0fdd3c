"""Several processes that each take one track at a time, and a decoder's crash that costs one track, not the audit.

Results come in the order of the tracks. The time that has been listened to is counted in shared memory, so that a
progress bar moves within long tracks, too:

    done seconds = sum over processes of the seconds of sound that they have heard.
"""

import multiprocessing
import multiprocessing.context
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from typing import Any, TypeVar

import torch

__all__ = ["Crashed", "run_all"]

T = TypeVar("T")
U = TypeVar("U")

_POLL_SECONDS = 0.1
_heard: "Synchronized[float] | None" = None


class Crashed(Exception):  # noqa: N818 - it is a result, not raised
    """A process died over a task, as decoders do over some damaged files."""


def run_all(
    task: Callable[..., U],
    items: Sequence[T],
    *,
    jobs: int,
    on_seconds: Callable[[float], None] | None = None,
) -> Generator[U | Crashed]:
    """Apply ``task(item, on_seconds=...)`` to every item, in order.

    Args:
        task: a function of a module (it is sent by its name).
        items: what it is applied to.
        jobs: how many processes; with 1, everything happens in this one.
        on_seconds: hears the seconds done so far, now and then.

    Yields:
        the results in the order of the items; `Crashed` for an item whose process died.
    """
    if jobs <= 1 or len(items) <= 1:
        done = 0.0

        def add(seconds: float) -> None:
            nonlocal done
            done += seconds
            if on_seconds:
                on_seconds(done)

        for item in items:
            yield task(item, on_seconds=add)
        return
    yield from _run_in_processes(task, items, min(jobs, len(items)), on_seconds)


def _run_in_processes(
    task: Callable[..., U], items: Sequence[T], jobs: int, on_seconds: Callable[[float], None] | None
) -> Generator[U | Crashed]:
    context = _context()
    heard: Synchronized[float] = context.Value("d", 0.0)
    start = partial(ProcessPoolExecutor, mp_context=context, initializer=_initialise, initargs=(heard,))
    position = 0
    while position < len(items):
        with start(jobs) as pool:
            futures = [pool.submit(_call, task, item) for item in items[position:]]
            try:
                for future in futures:
                    yield _wait(future, heard, on_seconds)
                    position += 1
            except BrokenProcessPool:
                pass
            finally:
                for future in futures:
                    future.cancel()
        if position < len(items):  # one of the tracks at hand ended its process: find out by giving each its own
            if not _can_start(start):
                yield from run_all(task, items[position:], jobs=1, on_seconds=on_seconds)
                return
            for item in items[position : position + jobs]:
                yield _run_alone(task, item, start)
                position += 1


def _can_start(start: "partial[ProcessPoolExecutor]") -> bool:
    """Whether processes run at all, which a program that starts them without ``if __name__ == ...`` prevents."""
    with start(1) as pool:
        try:
            return pool.submit(abs, -1).result() == 1
        except BrokenProcessPool:
            return False


def _context() -> multiprocessing.context.BaseContext:
    """How processes are started: not by copying this one, whose threads would be missing in the copy and hang it."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stemtune.data.audit"])  # imported once, for all processes
    return context


def _run_alone(task: Callable[..., U], item: object, start: "partial[ProcessPoolExecutor]") -> U | Crashed:
    with start(1) as pool:
        try:
            return pool.submit(_call, task, item).result()
        except BrokenProcessPool:
            return Crashed()


def _wait(future: "Future[U]", heard: "Synchronized[float]", on_seconds: Callable[[float], None] | None) -> U:
    while not future.done():
        time.sleep(_POLL_SECONDS)
        if on_seconds:
            on_seconds(heard.value)
    return future.result()


def _initialise(heard: "Synchronized[float]") -> None:
    global _heard  # noqa: PLW0603 - the only way to hand shared memory to a process of a pool
    _heard = heard
    torch.set_num_threads(1)


def _call(task: Callable[..., U], item: Any) -> U:
    return task(item, on_seconds=_add)


def _add(seconds: float) -> None:
    if _heard is not None:
        with _heard.get_lock():
            _heard.value += seconds

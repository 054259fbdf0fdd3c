"""The same function for many blocks, on as many threads as torch may use.

Each block is small and is computed by one thread from beginning to end: no two threads wait for each other, which is
what makes parallel loops inside of operations slow on a machine that has other things to do. Results come in the
order of the blocks, so that sums do not depend on the number of threads.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["in_order"]

T = TypeVar("T")
U = TypeVar("U")


def in_order(function: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """Like `map`; items are drawn in the calling thread, and no more than a few of them are held."""
    num_threads = torch.get_num_threads()
    if num_threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        pending: deque[Future[U]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > 2 * num_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

"""Independent parts of a network on separate cores.

Recurrent layers advance frame by frame, so splitting one step's small product over cores wins little. The stems of
a separator are independent of each other for long stretches; each of them on its own core wins nearly

    min(number of cores, number of stems)

and the result is the same bit for bit as computing them one after the other with one thread.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["map_on_cores"]

T = TypeVar("T")
U = TypeVar("U")


def map_on_cores(function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Apply ``function`` to all items, each on a core of its own as far as torch's thread count allows.

    Meant for inference on the processor: where gradients are recorded, the items are computed in turn. The
    threads live only during the call and see the caller's inference mode and autocast.

    Args:
        function: must not draw random numbers and must not depend on another item.
        items: what to apply it to.

    Returns:
        the results in the order of the items.
    """
    num_threads = torch.get_num_threads()
    num_workers = min(num_threads, len(items))
    if num_workers < 2 or torch.is_grad_enabled():
        return [function(item) for item in items]
    inference = torch.is_inference_mode_enabled()
    autocast, precision = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def work(item: T) -> U:
        with torch.inference_mode(inference), torch.no_grad(), torch.autocast("cpu", dtype=precision, enabled=autocast):
            return function(item)

    try:
        with ThreadPoolExecutor(
            num_workers, initializer=torch.set_num_threads, initargs=(num_threads // num_workers,)
        ) as executor:
            return list(executor.map(work, items))
    finally:
        torch.set_num_threads(num_threads)

"""Mining on all machines of a Ray cluster, with the same worker and the same index.

Ray runs one task per core wherever there is one; the driver alone writes the index, in the order of the library. Songs,
detector and index must lie where every machine finds them under the same path, as on a shared file system.
"""

import importlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from stemtune.errors import UsageError
from stemtune.mining.index import SongRecord
from stemtune.mining.run import Worker
from stemtune.mining.song import SongTask

__all__ = ["RayRunner"]


class RayRunner:
    """See the module's description.

    Args:
        num_workers: tasks at once; None for as many as the cluster has cores.

    Raises:
        UsageError: if Ray is not installed.
    """

    def __init__(self, num_workers: int | None = None) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError:
            raise UsageError("Ray is not installed; install it with: pip install 'stemtune[cluster]'") from None
        self._num_workers = num_workers

    def __call__(self, worker: Worker, tasks: Iterable[SongTask]) -> Iterator[SongRecord]:
        """Two songs for each core are under way."""
        ray = self._ray
        if not ray.is_initialized():
            ray.init(num_cpus=None, include_dashboard=False, log_to_driver=False, logging_level="error")
        cores = self._num_workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        remote: Any = ray.remote(num_cpus=1, max_retries=2)(_run_task)
        shared = ray.put(worker)
        under_way: deque[Any] = deque()
        for task in tasks:
            under_way.append(remote.remote(shared, task))
            if len(under_way) >= 2 * cores:
                yield ray.get(under_way.popleft())
        while under_way:
            yield ray.get(under_way.popleft())


def _run_task(worker: Worker, task: SongTask) -> SongRecord:
    import torch

    torch.set_num_threads(1)
    return worker(task)

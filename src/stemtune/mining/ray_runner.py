"""Mining on all machines of a Ray cluster, with the same worker and the same index.

Ray runs one task per core wherever there is one; the driver alone writes the index, in the order of the library. Songs,
detector and index must lie where every machine finds them under the same path, as on a shared file system. A task whose
process or machine dies is tried again, twice; then its song is skipped. A full disk stops the run, as it does here.
"""

import importlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from stemtune.errors import StemtuneError, UsageError
from stemtune.mining.index import SongRecord
from stemtune.mining.run import Worker
from stemtune.mining.song import SongTask, skipped

__all__ = ["RayRunner"]

_MAX_RETRIES = 2


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
            try:
                ray.init(num_cpus=None, include_dashboard=False, log_to_driver=False, logging_level="error")
            except Exception as error:  # whatever Ray raises: it is no defect of ours, and nothing is lost
                raise UsageError(
                    f"Ray cannot be started ({' '.join(str(error).split())}); start again to go on"
                ) from None
        cores = self._num_workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        remote: Any = ray.remote(num_cpus=1, max_retries=_MAX_RETRIES)(_run_task)
        shared = ray.put(worker)
        under_way: deque[tuple[SongTask, Any]] = deque()
        for task in tasks:
            under_way.append((task, remote.remote(shared, task)))
            if len(under_way) >= 2 * cores:
                yield self._answer(*under_way.popleft())
        while under_way:
            yield self._answer(*under_way.popleft())

    def _answer(self, task: SongTask, reference: Any) -> SongRecord:
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except (exceptions.WorkerCrashedError, exceptions.NodeDiedError, exceptions.OutOfMemoryError):
            return skipped(task, f"the process that listened to it died, {_MAX_RETRIES + 1} times")
        except exceptions.RayTaskError as error:  # has our own error inside, and a traceback for its text
            if isinstance(error.cause, StemtuneError):
                raise error.cause from None
            raise


def _run_task(worker: Worker, task: SongTask) -> SongRecord:
    import torch

    torch.set_num_threads(1)
    return worker(task)

"""One process at a time: a folder's work is claimed by a lock that goes with the process that holds it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stemtune.data.files import output_error

__all__ = ["claimed"]


@contextmanager
def claimed(lock: Path) -> Generator[bool]:
    """Whether no other process holds a lock; if so, it is ours until the end of the block or of the process.

    Args:
        lock: its file, made if need be, with its folder; it may stay.

    Raises:
        OutputError: if it cannot be written.
    """
    claim = FileLock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        claim.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise output_error(lock, error) from None
    try:
        yield True
    finally:
        claim.release()

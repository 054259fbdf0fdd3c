"""Giving memory back: the allocator keeps what was freed in pieces too scattered to be used again.

Over an hour those pieces add up to several large buffers for each thread. Asked now and then, the GNU C library
returns them to the system; what is in use stays, so that

    resident memory = what is in use + what a short while scatters,

whatever the length of the recording. Other C libraries need no such request, and get none.
"""

import ctypes
import sys
from functools import cache

__all__ = ["release_freed_memory"]


def release_freed_memory() -> None:
    """Return to the system what this process has freed; quick if that is little."""
    trim = _find_trim()
    if trim is not None:
        trim(0)


@cache
def _find_trim() -> "ctypes._NamedFuncPointer | None":  # pyright: ignore[reportPrivateUsage]
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if function is not None:
        function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_int
    return function

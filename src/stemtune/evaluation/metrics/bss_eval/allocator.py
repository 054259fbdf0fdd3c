"""Large temporaries, without asking the operating system for them again and again.

glibc's allocator begins by mapping every block above 128 KiB from the operating system and unmapping it as soon as it
is freed, so that each temporary array is paid for with a page fault per 4 KiB: five times what computing with it
takes, where blocks are small. It learns: once a mapped block has been freed, blocks of its size are kept for the next
one. So one block of nearly 32 MiB, the largest from which it learns, is taken and given back before the work begins.
Elsewhere this does nothing.
"""

import torch

__all__ = ["reuse_freed_memory"]

_NEARLY_32_MIB = (32 << 20) - (1 << 16)


def reuse_freed_memory() -> None:
    """Let arrays of up to 32 MiB be made from memory that others left; costs no memory and a few microseconds."""
    torch.empty(_NEARLY_32_MIB, dtype=torch.uint8)

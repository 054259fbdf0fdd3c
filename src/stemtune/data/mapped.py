"""Tensors that live on the disk: as large as a whole track, without its memory.

    memory = what the system likes to keep of the file, not num_samples

The file has no name any more once it is mapped, so nothing is left behind even by `kill -9`; small tensors stay in
memory, where they are quicker.
"""

import math
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from stemtune.data.files import output_error

__all__ = ["MAPPED_BYTES", "zeros_on_disk"]

MAPPED_BYTES = 64 << 20  # from here on


def zeros_on_disk(*shape: int, mapped_bytes: int = MAPPED_BYTES) -> Tensor:
    """Zeros of type float32 in the folder for temporary files (``TMPDIR``), or in memory if they are few.

    Args:
        shape: of the tensor.
        mapped_bytes: the size from which on it is on the disk.

    Raises:
        OutputError: if the disk is full.
    """
    count = math.prod(shape)
    if 4 * count < mapped_bytes:
        return torch.zeros(shape)
    folder = Path(tempfile.gettempdir())
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".stemtune-") as file:
            _reserve(file.fileno(), 4 * count)
            return torch.from_file(file.name, shared=True, size=count, dtype=torch.float32).reshape(shape)
    except OSError as error:
        raise output_error(folder, error) from None


def _reserve(file: int, num_bytes: int) -> None:
    """Now, for a mapped file that finds the disk full later kills the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, num_bytes)
    else:
        os.truncate(file, num_bytes)

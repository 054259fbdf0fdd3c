"""A place on the disk for more samples than fit into memory, until it is known what to do with them.

Rows of float32 go in, block by block, and come out again in the same blocks:

    read(write(x)) = x.

The file has no name where the system allows that, so that nothing is left behind even by `kill -9`.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.files import output_error

__all__ = ["Spool"]


class Spool:
    """A nameless temporary file of samples; a context manager, at whose end the file is gone."""

    def __init__(self, folder: Path) -> None:
        """Open the file in ``folder``, which exists.

        Raises:
            OutputError: if no file can be made there.
        """
        self._folder = folder
        self._shapes: list[tuple[int, int]] = []
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".stemtune-")  # noqa: SIM115
        except OSError as error:
            raise output_error(folder, error) from None

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._file.close()
        except OSError:  # what was buffered did not fit on the disk; it is not wanted any more
            if kind is None:
                raise

    def write(self, block: Float[Tensor, "row time"]) -> None:
        """Append a block.

        Raises:
            OutputError: if the disk is full, or fails.
        """
        array = np.ascontiguousarray(block.numpy(), dtype=np.float32)
        try:
            self._file.write(array.data)
        except OSError as error:
            raise output_error(self._folder, error) from None
        self._shapes.append((block.shape[0], block.shape[1]))

    def blocks(self) -> Iterator[Float[Tensor, "row time"]]:
        """All blocks, in the order in which they were written.

        Raises:
            OutputError: if what was written cannot be read back.
        """
        try:
            self._file.seek(0)  # and with it the last bytes go to the disk
            for rows, time in self._shapes:
                block = np.frombuffer(self._file.read(4 * rows * time), dtype=np.float32)
                yield torch.from_numpy(block.reshape(rows, time).copy())
        except OSError as error:
            raise output_error(self._folder, error) from None

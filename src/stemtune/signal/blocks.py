"""Sound that arrives in pieces: a queue of samples, and the cutting of a stream into pieces of one size.

However a stream is cut, it is the same sound; whatever works on blocks must give the same for

    x[0:a], x[a:b], x[b:] ...  =  x.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SampleQueue", "delayed", "reblock"]


class SampleQueue:
    """First in, first out, in any sizes; the last axis is time."""

    def __init__(self) -> None:
        self._blocks: deque[Tensor] = deque()
        self._num_samples = 0

    def __len__(self) -> int:
        return self._num_samples

    def push(self, block: Float[Tensor, "*axes time"]) -> None:
        """Append samples; they are kept, not copied."""
        if block.shape[-1]:
            self._blocks.append(block)
            self._num_samples += block.shape[-1]

    def peek(self, num_samples: int) -> Float[Tensor, "*axes time"]:
        """The first ``num_samples`` samples, which stay in the queue."""
        if not 0 < num_samples <= self._num_samples:
            raise ValueError(f"{num_samples} samples wanted of a queue that holds {self._num_samples}")
        if self._blocks[0].shape[-1] < num_samples:
            joined: list[Tensor] = []
            missing = num_samples
            while missing > 0:
                joined.append(self._blocks.popleft())
                missing -= joined[-1].shape[-1]
            self._blocks.appendleft(torch.cat(joined, dim=-1))
        return self._blocks[0][..., :num_samples]

    def drop(self, num_samples: int) -> None:
        """Forget the first ``num_samples`` samples."""
        if not 0 <= num_samples <= self._num_samples:
            raise ValueError(f"{num_samples} samples to drop from a queue that holds {self._num_samples}")
        self._num_samples -= num_samples
        while num_samples:
            first = self._blocks.popleft()
            if first.shape[-1] > num_samples:
                self._blocks.appendleft(first[..., num_samples:])
                return
            num_samples -= first.shape[-1]

    def take(self, num_samples: int) -> Float[Tensor, "*axes time"]:
        """Remove and return the first ``num_samples`` samples."""
        samples = self.peek(num_samples)
        self.drop(num_samples)
        return samples


def reblock(blocks: Iterable[Tensor], block_samples: int) -> Iterator[Tensor]:
    """The same stream in blocks of ``block_samples``; only the last one may be shorter, none is empty."""
    queue = SampleQueue()
    for block in blocks:
        queue.push(block)
        while len(queue) >= block_samples:
            yield queue.take(block_samples)
    if len(queue):
        yield queue.take(len(queue))


def delayed(blocks: Iterable[Tensor], num_samples: int) -> Iterator[Tensor]:
    """The same stream ``num_samples`` later, behind zeros."""
    waiting = num_samples
    for block in blocks:
        if waiting:
            yield block.new_zeros(*block.shape[:-1], waiting)
            waiting = 0
        yield block

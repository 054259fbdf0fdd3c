"""Overlap-add: a stream of any length is cut into overlapping chunks, which are joined again by cross-fades.

Each chunk counts less towards its ends, where a network lacks context, and the weights are divided out:

    y[t] = sum_c w_c[t] y_c[t]  /  sum_c w_c[t].

If nothing happens between `split` and `join`, they are the identity. The first and the last sample of the stream have
full weight, and samples that only one chunk covers pass untouched. The last chunk is moved back to end where the
stream ends, so that it is as long as the others and hears as much; a stream shorter than one chunk is one short chunk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.signal.blocks import SampleQueue

__all__ = ["Chunk", "fade_in", "hop_samples", "join", "split"]


@dataclass(frozen=True)
class Chunk:
    """A piece of a stream, any leading axes, and where it belongs.

    Attributes:
        samples: the piece.
        start: the position of its first sample in the stream.
        last: whether it ends where the stream ends.
    """

    samples: Float[Tensor, "*axes time"]
    start: int
    last: bool


def hop_samples(*, chunk_samples: int, overlap: float) -> int:
    """From the start of one chunk to the start of the next, for neighbours that share the fraction ``overlap``."""
    if chunk_samples < 1 or not 0 <= overlap < 1:
        raise ValueError(f"expected chunks of at least one sample and an overlap in [0, 1): {chunk_samples}, {overlap}")
    return max(1, chunk_samples - round(chunk_samples * overlap))


def split(blocks: Iterable[Tensor], *, chunk_samples: int, hop_samples: int) -> Iterator[Chunk]:
    """Cut a stream (blocks of any size, last axis time) into chunks that start ``hop_samples`` apart."""
    queue, start = SampleQueue(), 0  # the queue begins at `start`
    for block in blocks:
        queue.push(block)
        while len(queue) >= chunk_samples + hop_samples:
            yield Chunk(queue.peek(chunk_samples), start=start, last=False)
            queue.drop(hop_samples)
            start += hop_samples
    if len(queue) > chunk_samples:
        yield Chunk(queue.peek(chunk_samples), start=start, last=False)
        start += len(queue) - chunk_samples
        queue.drop(len(queue) - chunk_samples)
    if len(queue):
        yield Chunk(queue.take(len(queue)), start=start, last=True)


def join(chunks: Iterable[Chunk], *, fade_samples: int) -> Iterator[Tensor]:
    """Cross-fade chunks into one stream; samples are handed out as soon as no later chunk can change them.

    Args:
        chunks: as `split` made them, in order; their leading axes may have changed since.
        fade_samples: how long chunks fade in and out; their overlap, or half a chunk if that is less.
    """
    total: Tensor | None = None  # the weighted sum and the sum of weights, from `position` on
    weight: Tensor | None = None
    position = 0
    for chunk in chunks:
        if total is not None and weight is not None and chunk.start > position:
            finished = chunk.start - position
            yield total[..., :finished] / weight[:finished]
            total, weight = total[..., finished:], weight[finished:]
        position = chunk.start
        own = _weights(chunk, fade_samples)
        if total is None or weight is None:
            total, weight = chunk.samples * own, own
        else:
            shared = weight.shape[0]
            fresh = chunk.samples * own
            fresh[..., :shared] += total
            total = fresh
            own[:shared] += weight
            weight = own
    if total is not None and weight is not None:
        yield total / weight


def fade_in(num_samples: int) -> Float[Tensor, "time"]:
    """The rising half of a sine-squared window; it and its mirror image sum to one, and it is nowhere zero."""
    phase = (torch.arange(num_samples, dtype=torch.float64) + 0.5) / max(num_samples, 1)
    return torch.sin(phase * (torch.pi / 2)).square().float()


def _weights(chunk: Chunk, fade_samples: int) -> Float[Tensor, "time"]:
    length = chunk.samples.shape[-1]
    fade = fade_in(min(fade_samples, length // 2)).to(chunk.samples.device)
    weights = torch.ones(length, device=chunk.samples.device)
    if fade.numel() and chunk.start > 0:
        weights[: fade.numel()] = fade
    if fade.numel() and not chunk.last:
        weights[-fade.numel() :] = fade.flip(0)
    return weights

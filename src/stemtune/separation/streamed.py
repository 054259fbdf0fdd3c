"""Networks that hear a mixture block by block: no chunks, no overlap, nothing computed twice.

Every stem has a stream of its own, which remembers what it still needs of the past, so that

    stems of (x1 x2 ...)  =  answers to x1, to x2, ..., and to the end,

whatever the blocks; stems are computed on separate cores. What comes out lags behind by what the network must hear
of the future, and by nothing else.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.models.base import Separator, StemStream
from stemtune.nn.precision import autocast, granted_precision
from stemtune.separation.channels import channel_index, gather_channels, scatter_channels
from stemtune.separation.network import device_of
from stemtune.separation.options import SeparationOptions
from stemtune.signal.blocks import SampleQueue, reblock
from stemtune.signal.level import all_finite

__all__ = ["STREAM_BLOCK_SAMPLES", "separate_streamed"]

STREAM_BLOCK_SAMPLES = 1 << 14
"""What networks are given at a time, at their own rate."""


def separate_streamed(
    streams: Sequence[StemStream],
    blocks: Iterable[Tensor],
    separator: Separator,
    *,
    num_channels: int,
    options: SeparationOptions,
    pool: ThreadPoolExecutor,
    block_samples: int = STREAM_BLOCK_SAMPLES,
) -> Iterator[Float[Tensor, "stem channel time"]]:
    """The stems of a mixture of ``channel time`` blocks, as they become certain.

    Args:
        streams: one per stem, fresh.
        blocks: the mixture at the network's rate.
        separator: whose streams they are.
        num_channels: of the mixture.
        options: how precisely to compute.
        pool: of threads that compute with one core each.
        block_samples: pushed at a time.

    Raises:
        WeightsError: if the network answers with values that are not finite.
    """
    index = channel_index(num_channels=num_channels, model_channels=separator.channels)
    device = device_of(separator)
    low = granted_precision(device.type, options.precision) == "bfloat16"
    finished = [SampleQueue() for _ in streams]

    def answer(stream: StemStream, items: Tensor | None) -> Tensor:
        with torch.inference_mode(), autocast(device.type, options.precision):
            return (stream.finish() if items is None else stream.push(items)).float().cpu()

    def advance(items: Tensor | None) -> Iterator[Tensor]:
        answers = pool.map(answer, streams, [items] * len(streams))
        for queue, samples in zip(finished, answers, strict=True):
            queue.push(samples)
        if ready := min(len(queue) for queue in finished):
            stems = torch.stack([queue.take(ready) for queue in finished], dim=1)
            if not all_finite(stems):
                advice = (
                    "try --precision float32" if low else "its weights are damaged or it was not trained to the end"
                )
                raise WeightsError(f"the model answered with values that are not finite; {advice}")
            yield scatter_channels(stems, index)

    heard = False
    for block in reblock(blocks, block_samples):
        heard = True
        yield from advance(gather_channels(block, index).to(device))
    if heard:
        yield from advance(None)

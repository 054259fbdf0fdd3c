"""Separation in constant memory: blocks of a mixture in, blocks of its stems out, whatever the length.

    blocks -> model's rate -> chunks -> network -> cross-fade -> own rate -> consistency -> blocks

Every step is a generator that holds no more than it needs, so a ten-hour recording takes the memory of a short one.
The stems have the mixture's rate and channels, begin with it, and end with it to the sample. How the mixture was cut
into blocks makes no difference to a single bit, and neither does the number of threads.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import tee

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.errors import InputError
from stemtune.models.base import Separator
from stemtune.separation.network import (
    available_cores,
    require_evaluation_mode,
    separate_chunks,
    worker_threads,
)
from stemtune.separation.options import SeparationOptions
from stemtune.separation.streamed import STREAM_BLOCK_SAMPLES, separate_streamed
from stemtune.signal.blocks import SampleQueue, delayed, reblock
from stemtune.signal.level import all_finite
from stemtune.signal.masking import mixture_consistency
from stemtune.signal.overlap_add import hop_samples, join, split
from stemtune.signal.resample import resample_blocks

__all__ = ["Progress", "SeparatedBlock", "separate_blocks", "separate_stream", "separate_waveform"]

Progress = Callable[[int], None]
"""Is told, about once for each second of sound, how many samples are finished; may raise to stop."""

_BLOCK_SAMPLES = 1 << 14  # whatever is computed sample by sample is quickest in pieces that fit the cache
_SHIFT_SECONDS = 0.5  # the longest shift, as in Demucs


@dataclass(frozen=True)
class SeparatedBlock:
    """A piece of the mixture, and what its stems are there."""

    mixture: Float[Tensor, "channel time"]
    stems: Float[Tensor, "stem channel time"]


def separate_waveform(
    separator: Separator,
    mixture: Float[Tensor, "channel time"],
    *,
    sample_rate: int,
    options: SeparationOptions | None = None,
    on_progress: Progress | None = None,
) -> Float[Tensor, "stem channel time"]:
    """Separate a whole waveform; see `separate_blocks`, of which this is the concatenation.

    Args:
        separator: in evaluation mode, on the device where it shall compute.
        mixture: at any rate, with any number of channels, on the CPU.
        sample_rate: of the mixture, in Hz.
        options: how to separate; None for the defaults.
        on_progress: is told how many samples are finished.

    Returns:
        the stems in the order of ``separator.stems``, at the mixture's rate and of its length.
    """
    blocks = separate_blocks(
        separator,
        [mixture],
        sample_rate=sample_rate,
        num_channels=mixture.shape[0],
        options=options,
        on_progress=on_progress,
    )
    return torch.cat(list(blocks), dim=-1)


def separate_blocks(
    separator: Separator,
    blocks: Iterable[Tensor],
    *,
    sample_rate: int,
    num_channels: int,
    options: SeparationOptions | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Float[Tensor, "stem channel time"]]:
    """Separate a stream in constant memory.

    Args:
        separator: in evaluation mode, on the device where it shall compute.
        blocks: the mixture, ``channel time``, in pieces of any size.
        sample_rate: of the mixture, in Hz.
        num_channels: of the mixture.
        options: how to separate; None for the defaults.
        on_progress: is told how many samples are finished.

    Yields:
        the stems in the order of ``separator.stems``, piece by piece as they are finished, as long as the mixture.

    Raises:
        InputError: if the mixture has no samples, or one that is not a finite number.
        UsageError: if the separator is in training mode.
        WeightsError: if the network answers with values that are not finite.
    """
    stream = separate_stream(
        separator,
        blocks,
        sample_rate=sample_rate,
        num_channels=num_channels,
        options=options,
        on_progress=on_progress,
    )
    with closing(stream):
        for block in stream:
            yield block.stems


def separate_stream(
    separator: Separator,
    blocks: Iterable[Tensor],
    *,
    sample_rate: int,
    num_channels: int,
    options: SeparationOptions | None = None,
    on_progress: Progress | None = None,
    live_block_samples: int | None = None,
) -> Generator[SeparatedBlock, None, None]:
    """As `separate_blocks`, with each piece of the mixture beside its stems.

    Args:
        separator: see `separate_blocks`, as for all but one.
        blocks: of the mixture.
        sample_rate: in Hz.
        num_channels: of the mixture.
        options: how to separate.
        on_progress: is told how many samples are finished.
        live_block_samples: hear the mixture in blocks of so many samples at the network's rate, and hand out what is
            certain after each of them, at the price of fewer cores that are busy at once; None to hand out what is
            quickest to compute.
    """
    options = options or SeparationOptions()
    require_evaluation_mode(separator)
    mixture = SampleQueue()  # what has come in and whose stems have not come out
    workers = options.threads or available_cores()
    consistent = options.mixture_consistency and separator.complete and len(separator.stems) > 1
    finished = reported = 0
    heard_at_once = sample_rate
    if live_block_samples is not None:
        heard_at_once = max(1, live_block_samples * sample_rate // separator.sample_rate)

    def incoming() -> Iterator[Tensor]:
        for block in reblock(_checked(blocks, num_channels), heard_at_once):
            mixture.push(block)
            yield block

    with worker_threads(workers) as pool:
        at_model_rate = resample_blocks(incoming(), source_rate=sample_rate, target_rate=separator.sample_rate)
        way = _Way(num_channels, options, pool, workers, live_block_samples)
        flat: Iterator[Tensor] = (stems.flatten(0, 1) for stems in _shifted_and_averaged(separator, at_model_rate, way))
        if live_block_samples is None:
            flat = reblock(flat, _BLOCK_SAMPLES)
        for rows in resample_blocks(flat, source_rate=separator.sample_rate, target_rate=sample_rate):
            length = min(rows.shape[1], len(mixture))  # resampling adds a few samples at the end
            if not length:
                continue
            heard = mixture.take(length)
            stems = rows[:, :length].reshape(len(separator.stems), num_channels, length)
            if consistent:
                stems = mixture_consistency(estimate=stems, mixture=heard)
            finished += length
            if on_progress and finished - reported >= sample_rate:
                reported = finished
                on_progress(finished)
            yield SeparatedBlock(heard, stems)
    if len(mixture):
        raise RuntimeError(f"{len(mixture)} samples of the mixture were not separated")
    if on_progress and finished > reported:
        on_progress(finished)
    if not finished:
        raise InputError("the input has no samples; there is nothing to separate")


def _checked(blocks: Iterable[Tensor], num_channels: int) -> Iterator[Tensor]:
    position = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[0] != num_channels:
            raise InputError(f"expected blocks of {num_channels} channels, channel first; got {tuple(block.shape)}")
        if not all_finite(block):
            at = position + int((~torch.isfinite(block)).any(dim=0).nonzero()[0])
            raise InputError(f"sample {at} of the input is not a finite number; repair the input or export it anew")
        position += block.shape[1]
        yield block.float()


@dataclass(frozen=True)
class _Way:
    """How a stream is separated."""

    num_channels: int
    options: SeparationOptions
    pool: ThreadPoolExecutor
    workers: int
    live_block_samples: int | None


def _shifted_and_averaged(separator: Separator, blocks: Iterator[Tensor], way: _Way) -> Iterator[Tensor]:
    """The mean over separations whose chunks begin at times spread evenly over half a second."""
    options = way.options
    if options.shifts < 2:
        yield from _overlapped(separator, blocks, way)
        return
    streams: list[Iterator[Tensor]] = []
    for number, copy in enumerate(tee(blocks, options.shifts)):
        shift = round(number * _SHIFT_SECONDS * separator.sample_rate / options.shifts)
        shifted = _overlapped(separator, delayed(copy, shift), way)
        streams.append(reblock(_behind(shifted, shift), separator.sample_rate))
    for estimates in zip(*streams, strict=True):
        yield torch.stack(estimates).mean(dim=0)


def _overlapped(separator: Separator, blocks: Iterator[Tensor], way: _Way) -> Iterator[Tensor]:
    """Split, separate, join; or push through, where the network can do that. At the model's rate."""
    options = way.options
    if (streams := separator.stream()) is not None:
        return separate_streamed(
            streams,
            blocks,
            separator,
            num_channels=way.num_channels,
            options=options,
            pool=way.pool,
            block_samples=way.live_block_samples or STREAM_BLOCK_SAMPLES,
        )
    chunk = separator.chunk_samples
    if options.segment_seconds is not None:
        chunk = max(1, round(options.segment_seconds * separator.sample_rate))
    hop = hop_samples(chunk_samples=chunk, overlap=options.overlap)
    chunks = split(blocks, chunk_samples=chunk, hop_samples=hop)
    ahead = way.workers if way.live_block_samples is None else 0
    stems = separate_chunks(
        separator, chunks, num_channels=way.num_channels, options=options, pool=way.pool, workers=ahead
    )
    return join(stems, fade_samples=chunk - hop)


def _behind(blocks: Iterator[Tensor], num_samples: int) -> Iterator[Tensor]:
    """The stream without its first ``num_samples`` samples."""
    for block in blocks:
        skipped = min(num_samples, block.shape[-1])
        num_samples -= skipped
        if skipped < block.shape[-1]:
            yield block[..., skipped:]

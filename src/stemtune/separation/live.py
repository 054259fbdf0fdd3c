"""Separation of sound that is still being played: blocks in, blocks of stems out, behind by a latency that is known.

    latency = what the network must hear of the future + one block,

and the time that the block takes to compute; where rates differ, another block and the delay of the filters. A network
that hears block by block (`Separator.stream`) must hear as far ahead as its estimates lean; one that is given
overlapping chunks must hear a chunk and the beginnings of the next two.

The stems are those of the same sound in a file, bit for bit as long as the block is the usual one; with other blocks
sums are rounded elsewhere, and where two codes are equally near another one may be chosen.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from stemtune.data.pipe import PipeWriter
from stemtune.errors import UsageError
from stemtune.models.base import Separator
from stemtune.separation.files import against_the_rest, output_stems
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_stream
from stemtune.separation.streamed import STREAM_BLOCK_SAMPLES
from stemtune.separation.writing import StemSink
from stemtune.signal.level import full_scale, quantise, quantise_jointly
from stemtune.signal.overlap_add import hop_samples

__all__ = ["LiveOptions", "StemPipe", "latency_seconds", "live_stems", "separate_live"]

_RESAMPLING_SAMPLES = 1800  # at the lower rate, which filters there and back keep for themselves; measured


@dataclass(frozen=True)
class LiveOptions:
    """What is heard live, and what of it is handed out.

    Attributes:
        sample_rate: of the mixture, in Hz.
        num_channels: of the mixture.
        separation: how to separate.
        block_seconds: heard at a time; None for the usual 16,384 samples at the network's rate.
        two_stems: hand out only this stem and all that is not it.
        stem: hand out only this stem.
    """

    sample_rate: int
    num_channels: int
    separation: SeparationOptions = field(default_factory=SeparationOptions)
    block_seconds: float | None = None
    two_stems: str | None = None
    stem: str | None = None

    def block_samples(self, separator: Separator) -> int:
        """Heard at a time, at the network's rate."""
        if self.block_seconds is None:
            return STREAM_BLOCK_SAMPLES
        return max(1, round(self.block_seconds * separator.sample_rate))


def live_stems(separator: Separator, options: LiveOptions) -> tuple[str, ...]:
    """The names of what is handed out.

    Raises:
        UsageError: if the model has no such stem.
    """
    if options.stem is None:
        return output_stems(separator.stems, options.two_stems)
    if options.two_stems is not None:
        raise UsageError("--stem and --two-stems exclude each other; give one of them")
    return output_stems(separator.stems, options.stem)[:1]


def latency_seconds(separator: Separator, options: LiveOptions) -> float:
    """How far a sample of a stem comes behind the mixture's, without the time that computing takes."""
    rate, separation = separator.sample_rate, options.separation
    if separator.stream() is not None:
        ahead = separator.context_samples
    else:
        chunk = separator.chunk_samples
        if separation.segment_seconds is not None:
            chunk = max(1, round(separation.segment_seconds * rate))
        ahead = chunk + 2 * hop_samples(chunk_samples=chunk, overlap=separation.overlap)
    shifts = 0.5 if separation.shifts > 1 else 0.0
    seconds = (ahead + options.block_samples(separator)) / rate + shifts
    if options.sample_rate != rate:  # blocks are not quite as long then, so that the network waits for another one
        seconds += _RESAMPLING_SAMPLES / min(rate, options.sample_rate) + options.block_samples(separator) / rate
    return seconds


def separate_live(separator: Separator, blocks: Iterable[Tensor], sink: StemSink, options: LiveOptions) -> int:
    """Separate what comes until it ends.

    Args:
        separator: in evaluation mode, on the device where it shall compute.
        blocks: of the mixture, ``channel time``, best as long as `LiveOptions.block_samples`.
        sink: gets what `live_stems` names.
        options: see `LiveOptions`.

    Returns:
        how many samples (of each channel) there were.

    Raises:
        UsageError: for unknown stems.
        InputError: if nothing comes, or something that is not a finite number.
        WeightsError: if the network answers with values that are not finite.
    """
    names = live_stems(separator, options)
    separated = separate_stream(
        separator,
        blocks,
        sample_rate=options.sample_rate,
        num_channels=options.num_channels,
        options=options.separation,
        live_block_samples=options.block_samples(separator),
    )
    num_samples = 0
    with closing(separated):
        for block in separated:
            stems = block.stems
            if options.two_stems is not None:
                stems = against_the_rest(block, separator.stems.index(options.two_stems)).stems
            elif options.stem is not None:
                stems = stems[separator.stems.index(names[0])][None]
            sink.write(stems, block.mixture)
            num_samples += block.mixture.shape[1]
    return num_samples


class StemPipe:
    """All stems beside each other in one pipe: the channels of the first stem, then those of the second, ...

    Args:
        writer: of a pipe with as many channels.
        bits: of integers; None for floats. What is too loud is clipped: nothing that was played can be turned down.
        sums_to_mixture: whether the stems add up to the mixture, so that their integers shall, too.
    """

    def __init__(self, writer: PipeWriter, *, bits: int | None, sums_to_mixture: bool) -> None:
        self._writer, self._bits, self._joint = writer, bits, sums_to_mixture

    def write(self, stems: Float[Tensor, "stem channel time"], mixture: Float[Tensor, "channel time"]) -> None:
        """See `StemSink`."""
        if self._bits is None:
            self._writer.write(stems.flatten(0, 1))
            return
        limit = full_scale(self._bits)
        integers = (
            quantise_jointly(stems, mixture, bits=self._bits) if self._joint else quantise(stems, bits=self._bits)
        )
        self._writer.write(torch.clamp(integers, -limit, limit - 1).flatten(0, 1))

    def finish(self) -> float:
        """See `StemSink`; all has been sent already."""
        return 1.0

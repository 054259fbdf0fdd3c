"""The convolutional encoder and decoder of Jukebox's auto-encoders: few frames that each hear about two seconds.

A stage halves (or doubles) the rate with a strided convolution and then (or before) widens the view with residual
blocks whose dilation grows by a constant factor:

    x + project(relu(dilate_d(relu(x)))),   d = growth^0, growth^1, ..., growth^(blocks - 1).

Every part can also be computed block by block with the same result (`stream`).

References:
    Dhariwal et al., "Jukebox: a generative model for music", 2020 (appendix B.1); the numbers in the tests are those
    of its level 0.
"""

from itertools import pairwise
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from stemtune.nn.parallel import map_on_cores
from stemtune.nn.streamed import (
    Streamed,
    StreamedConv,
    StreamedGrowth,
    StreamedPipeline,
    StreamedResidual,
)

__all__ = ["DilatedDecoder", "DilatedEncoder", "dilations", "stream_whole"]

M = TypeVar("M", bound=nn.Module)


def dilations(*, blocks: int, growth: int) -> tuple[int, ...]:
    """growth^0 ... growth^(blocks - 1)."""
    return tuple(growth**exponent for exponent in range(blocks))


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilate = nn.Conv1d(width, width, 3, dilation=dilation, padding=dilation)
        self.project = nn.Conv1d(width, width, 1)

    def forward(self, frames: Float[Tensor, "batch feature frame"]) -> Float[Tensor, "batch feature frame"]:
        return frames + self.project(functional.relu(self.dilate(functional.relu(frames))))

    def stream(self) -> Streamed:
        return StreamedResidual(self.dilate, self.project)


class DilatedEncoder(nn.Module):
    """``batch channel time`` to ``batch feature frame``, 2^stages samples to a frame.

    Args:
        channels: of the input.
        width: of all that lies between.
        features: of the output.
        stages: how often the rate is halved.
        blocks: residual blocks in a stage.
        growth: of their dilations.
    """

    def __init__(self, *, channels: int, width: int, features: int, stages: int, blocks: int, growth: int) -> None:
        super().__init__()
        self.shrink = nn.ModuleList(
            nn.Conv1d(width if stage else channels, width, 4, stride=2, padding=1) for stage in range(stages)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_Residual(width, d) for d in dilations(blocks=blocks, growth=growth)))
            for _ in range(stages)
        )
        self.out = nn.Conv1d(width, features, 3, padding=1)
        self.hop_length = 2**stages

    def forward(self, waveform: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch feature frame"]:
        """The features of a waveform whose length is a multiple of 2^stages."""
        frames = waveform
        for shrink, blocks in zip(self.shrink, self.blocks, strict=True):
            frames = blocks(shrink(frames))
        return self.out(frames)

    def stream(self) -> Streamed:
        """The same, block by block."""
        parts: list[Streamed] = []
        for shrink, blocks in zip(self.shrink, self.blocks, strict=True):
            parts.append(StreamedConv(_as(nn.Conv1d, shrink)))
            parts += _stream_blocks(blocks)
        return StreamedPipeline([*parts, StreamedConv(self.out)])


class DilatedDecoder(nn.Module):
    """The way back: ``batch feature frame`` to ``batch channel time``, with dilations from wide to narrow."""

    def __init__(self, *, channels: int, width: int, features: int, stages: int, blocks: int, growth: int) -> None:
        super().__init__()
        self.entrance = nn.Conv1d(features, width, 3, padding=1)
        widths = dilations(blocks=blocks, growth=growth)[::-1]
        self.blocks = nn.ModuleList(nn.Sequential(*(_Residual(width, d) for d in widths)) for _ in range(stages))
        self.grow = nn.ModuleList(
            nn.ConvTranspose1d(width, features if stage == stages - 1 else width, 4, stride=2, padding=1)
            for stage in range(stages)
        )
        self.out = nn.Conv1d(features, channels, 3, padding=1)
        self.hop_length = 2**stages

    def forward(self, features: Float[Tensor, "batch feature frame"]) -> Float[Tensor, "batch channel time"]:
        """The waveform of some features, without any bound on its amplitude."""
        frames = self.entrance(features)
        for blocks, grow in zip(self.blocks, self.grow, strict=True):
            frames = grow(blocks(frames))
        return self.out(frames)

    def stream(self) -> Streamed:
        """The same, block by block."""
        parts: list[Streamed] = [StreamedConv(self.entrance)]
        for blocks, grow in zip(self.blocks, self.grow, strict=True):
            parts += _stream_blocks(blocks)
            parts.append(StreamedGrowth(_as(nn.ConvTranspose1d, grow)))
        return StreamedPipeline([*parts, StreamedConv(self.out)])


def _stream_blocks(blocks: nn.Module) -> list[Streamed]:
    return [_as(_Residual, block).stream() for block in blocks.children()]


def _as(kind: type[M], module: nn.Module) -> M:
    if not isinstance(module, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(module).__name__}")
    return module


def stream_whole(
    part: DilatedEncoder | DilatedDecoder,
    frames: Float[Tensor, "batch feature frame"],
    *,
    block_frames: int,
    reach_frames: int,
) -> Float[Tensor, "batch its_feature its_frame"]:
    """The part's answer to a signal that is at hand, in blocks that fit the processor's cache, on all cores.

    Where one signal is computed on several cores, each hears ``reach_frames`` beyond its own piece, so that the
    pieces fit together exactly.

    Args:
        part: called without recording gradients.
        frames: what it shall hear; for an encoder, a whole number of its hops.
        block_frames: pushed at a time.
        reach_frames: at least as far as an output hears to either side.
    """
    down, up = (part.hop_length, 1) if isinstance(part, DilatedEncoder) else (1, part.hop_length)
    length = frames.shape[2]
    num_pieces = max(1, min(-(-torch.get_num_threads() // frames.shape[0]), length // (4 * reach_frames)))
    edges = [length * piece // num_pieces // down * down for piece in range(num_pieces + 1)]
    margin = -(-reach_frames // down) * down

    def answer(place: tuple[int, int, int]) -> Tensor:
        item, begin, end = place
        first, last = max(0, begin - margin), min(length, end + margin)
        streamed = part.stream()
        heard = torch.split(frames[item : item + 1, :, first:last], block_frames, dim=2)
        whole = torch.cat([*(streamed.push(block) for block in heard), streamed.finish()], dim=2)
        return whole[:, :, (begin - first) * up // down : (end - first) * up // down]

    places = [(item, *edge) for item in range(frames.shape[0]) for edge in pairwise(edges)]
    answers = map_on_cores(answer, places)
    rows = [torch.cat(answers[row : row + num_pieces], dim=2) for row in range(0, len(answers), num_pieces)]
    return torch.cat(rows)

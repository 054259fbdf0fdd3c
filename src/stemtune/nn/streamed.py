"""Convolutions that hear a waveform block by block and answer as if they had heard it at once.

A convolution whose input is padded with p zeros at both ends is a valid convolution of a signal that begins and ends
with p zeros. Keeping the samples that later outputs still need is therefore all it takes to be exact:

    push(x1), push(x2), ..., finish()  concatenated  =  convolve(x1 x2 ...).

Outputs come as early as they can: each layer waits only for the samples to the right that it really sees. Memory does
not grow, and short blocks stay in the processor's cache, so that long signals are also computed faster this way.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Streamed", "StreamedConv", "StreamedGrowth", "StreamedPipeline", "StreamedResidual"]

_Heard = Float[Tensor, "batch feature frame"]
_Said = Float[Tensor, "batch its_feature its_frame"]


class Streamed(ABC):
    """Something that turns blocks into blocks; good for one signal."""

    @abstractmethod
    def push(self, block: _Heard) -> _Said:
        """All that can be said after hearing ``block``; may have no frames."""

    @abstractmethod
    def finish(self) -> _Said:
        """The rest, when the signal has ended."""


class StreamedPipeline(Streamed):
    """One after the other."""

    def __init__(self, parts: Sequence[Streamed]) -> None:
        self._parts = tuple(parts)

    def push(self, block: _Heard) -> _Said:
        """See `Streamed.push`."""
        for part in self._parts:
            block = part.push(block)
        return block

    def finish(self) -> _Said:
        """See `Streamed.finish`."""
        rest: Tensor | None = None
        for part in self._parts:
            last = part.finish() if rest is None else torch.cat([part.push(rest), part.finish()], dim=2)
            rest = last
        if rest is None:
            raise ValueError("a pipeline needs at least one part")
        return rest


class _Windowed(Streamed):
    """What sees ``reach`` frames at a time and moves on by ``stride``, with zeros around the signal."""

    def __init__(self, *, padding: int, reach: int, stride: int) -> None:
        if stride > reach:
            raise ValueError(f"a convolution that skips samples (stride {stride}, reach {reach}) cannot be streamed")
        self._padding, self._reach, self._stride = padding, reach, stride
        self._heard: Tensor | None = None

    def push(self, block: _Heard) -> _Said:
        """See `Streamed.push`."""
        if self._heard is None:
            self._heard = block.new_zeros(block.shape[0], block.shape[1], self._padding)
        heard = torch.cat([self._heard, block], dim=2)
        count = max(0, (heard.shape[2] - self._reach) // self._stride + 1)
        self._heard = heard[:, :, count * self._stride :].clone()
        if count == 0:
            return self._nothing(heard)
        return self._answer(heard[:, :, : (count - 1) * self._stride + self._reach])

    def finish(self) -> _Said:
        """See `Streamed.finish`."""
        if self._heard is None:
            raise ValueError("the signal has no frames at all; push something first")
        return self.push(self._heard.new_zeros(*self._heard.shape[:2], self._padding))

    @abstractmethod
    def _answer(self, heard: Tensor) -> Tensor: ...

    @abstractmethod
    def _nothing(self, heard: Tensor) -> Tensor: ...


class StreamedConv(_Windowed):
    """A convolution with any kernel, stride, dilation and zero padding."""

    def __init__(self, convolution: nn.Conv1d) -> None:
        (kernel,), (stride,), (dilation,) = convolution.kernel_size, convolution.stride, convolution.dilation
        (padding,) = convolution.padding
        super().__init__(padding=int(padding), reach=dilation * (kernel - 1) + 1, stride=stride)
        self._convolution = convolution

    def _answer(self, heard: Tensor) -> Tensor:
        layer = self._convolution
        return functional.conv1d(heard, layer.weight, layer.bias, stride=layer.stride, dilation=layer.dilation)

    def _nothing(self, heard: Tensor) -> Tensor:
        return heard.new_zeros(heard.shape[0], self._convolution.out_channels, 0)


class StreamedResidual(_Windowed):
    """x + project(relu(dilate(relu(x)))) for a dilated convolution and a pointwise one."""

    def __init__(self, dilate: nn.Conv1d, project: nn.Conv1d) -> None:
        (dilation,) = dilate.dilation
        super().__init__(padding=dilation, reach=2 * dilation + 1, stride=1)
        self._dilate, self._project, self._dilation = dilate, project, dilation

    def _answer(self, heard: Tensor) -> Tensor:
        inner = functional.relu(heard)
        inner = functional.conv1d(inner, self._dilate.weight, self._dilate.bias, dilation=self._dilation)
        middle, weight = heard[:, :, self._dilation : -self._dilation], self._project.weight
        result = torch.baddbmm(middle, weight[:, :, 0].expand(heard.shape[0], -1, -1), functional.relu_(inner))
        return result if self._project.bias is None else result.add_(self._project.bias[:, None])

    def _nothing(self, heard: Tensor) -> Tensor:
        return heard.new_zeros(heard.shape[0], self._project.out_channels, 0)


class StreamedGrowth(Streamed):
    """A transposed convolution that makes ``stride`` frames of one; what its blocks share is added up."""

    def __init__(self, convolution: nn.ConvTranspose1d) -> None:
        (kernel,), (stride,), (padding,) = convolution.kernel_size, convolution.stride, convolution.padding
        self._convolution, self._stride, self._overlap = convolution, stride, kernel - stride
        self._padding = int(padding)
        self._skip = self._padding
        self._tail: Tensor | None = None

    def push(self, block: _Heard) -> _Said:
        """See `Streamed.push`."""
        layer = self._convolution
        if self._tail is None:
            self._tail = block.new_zeros(block.shape[0], layer.out_channels, self._overlap)
        if block.shape[2] == 0:
            return block.new_zeros(block.shape[0], layer.out_channels, 0)
        grown = functional.conv_transpose1d(block, layer.weight, None, stride=layer.stride)
        tail = self._tail.to(grown.dtype)
        grown[:, :, : self._overlap] += tail
        ready = grown.shape[2] - self._overlap
        self._tail = grown[:, :, ready:].clone()
        return self._with_bias(grown[:, :, :ready])

    def finish(self) -> _Said:
        """See `Streamed.finish`."""
        if self._tail is None:
            raise ValueError("the signal has no frames at all; push something first")
        return self._with_bias(self._tail)[:, :, : max(0, self._overlap - self._padding)]

    def _with_bias(self, frames: Tensor) -> Tensor:
        skipped = min(self._skip, frames.shape[2])
        self._skip -= skipped
        bias = self._convolution.bias
        frames = frames[:, :, skipped:]
        return frames if bias is None else frames + bias[:, None].to(frames.dtype)

"""Hearing a signal in blocks is hearing it at once."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from stemtune.nn.dilated import DilatedDecoder, DilatedEncoder, stream_whole
from stemtune.nn.streamed import Streamed, StreamedConv, StreamedGrowth, StreamedPipeline, StreamedResidual

SIZES = {"channels": 2, "width": 6, "features": 5, "stages": 2, "blocks": 3, "growth": 3}


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def in_blocks(streamed: Streamed, signal: Tensor, lengths: list[int]) -> Tensor:
    answers, start = [], 0
    for length in [*lengths, signal.shape[2]]:
        answers.append(streamed.push(signal[:, :, start : start + length]))
        start = min(signal.shape[2], start + length)
    return torch.cat([*answers, streamed.finish()], dim=2)


@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 5),
    padding=st.integers(0, 6),
    time=st.integers(30, 90),
    lengths=st.lists(st.integers(0, 30), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_any_convolution(kernel: int, stride: int, dilation: int, padding: int, time: int, lengths: list[int]) -> None:
    assume(stride <= dilation * (kernel - 1) + 1)
    layer = nn.Conv1d(2, 3, kernel, stride=stride, dilation=dilation, padding=padding)
    signal = noise(2, 2, time)
    with torch.no_grad():
        assert torch.allclose(in_blocks(StreamedConv(layer), signal, lengths), layer(signal), atol=1e-6)


@given(
    stride=st.integers(1, 4), extra=st.integers(0, 4), padding=st.integers(0, 2), lengths=st.lists(st.integers(0, 9))
)
@settings(max_examples=60, deadline=None)
def test_any_transposed_convolution(stride: int, extra: int, padding: int, lengths: list[int]) -> None:
    if padding > extra:
        padding = extra
    layer = nn.ConvTranspose1d(2, 3, stride + extra, stride=stride, padding=padding)
    signal = noise(2, 2, 23)
    with torch.no_grad():
        assert torch.allclose(in_blocks(StreamedGrowth(layer), signal, lengths), layer(signal), atol=1e-6)


@given(dilation=st.integers(1, 9), lengths=st.lists(st.integers(0, 9)))
@settings(max_examples=30, deadline=None)
def test_residual_blocks(dilation: int, lengths: list[int]) -> None:
    dilate, project = nn.Conv1d(4, 4, 3, dilation=dilation, padding=dilation), nn.Conv1d(4, 4, 1)
    signal = noise(1, 4, 40)
    with torch.no_grad():
        whole = signal + project(dilate(signal.relu()).relu())
        assert torch.allclose(in_blocks(StreamedResidual(dilate, project), signal, lengths), whole, atol=1e-6)


@pytest.mark.parametrize("num_threads", [1, 2, 3])
@pytest.mark.parametrize("hops", [1, 7, 100, 1001])
def test_encoder_and_decoder_as_a_whole(hops: int, num_threads: int) -> None:
    encoder, decoder = DilatedEncoder(**SIZES).eval(), DilatedDecoder(**SIZES).eval()
    signal = noise(2, 2, 4 * hops)
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        with torch.no_grad():
            features = encoder(signal)
            assert features.shape == (2, 5, hops)
            assert torch.allclose(stream_whole(encoder, signal, block_frames=64, reach_frames=96), features, atol=1e-6)
            waveform = decoder(features)
            answer = stream_whole(decoder, features, block_frames=16, reach_frames=24)
            assert torch.allclose(answer, waveform, atol=1e-6)
    finally:
        torch.set_num_threads(before)


def test_too_short_a_reach_would_be_noticed() -> None:
    encoder = DilatedEncoder(**SIZES).eval()
    signal = noise(1, 2, 4000)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            assert not torch.allclose(
                stream_whole(encoder, signal, block_frames=64, reach_frames=8), encoder(signal), atol=1e-6
            )
    finally:
        torch.set_num_threads(before)


def test_samples_cannot_be_skipped() -> None:
    with pytest.raises(ValueError, match="cannot be streamed"):
        StreamedConv(nn.Conv1d(1, 1, 2, stride=3))


def test_a_stream_needs_a_signal() -> None:
    with pytest.raises(ValueError, match="push something first"):
        StreamedConv(nn.Conv1d(1, 1, 3)).finish()
    with pytest.raises(ValueError, match="push something first"):
        StreamedGrowth(nn.ConvTranspose1d(1, 1, 3)).finish()
    with pytest.raises(ValueError, match="at least one part"):
        StreamedPipeline([]).finish()

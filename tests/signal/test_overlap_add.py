import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stemtune.signal.blocks import SampleQueue, delayed, reblock
from stemtune.signal.overlap_add import Chunk, fade_in, hop_samples, join, split


def cut(waveform, size):
    return [waveform[..., at : at + size] for at in range(0, waveform.shape[-1], size)]


@settings(max_examples=80, deadline=None)
@given(
    time=st.integers(1, 3000),
    chunk=st.integers(1, 700),
    overlap=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.94]),
    block=st.integers(1, 2000),
)
def test_split_and_join_are_the_identity(time, chunk, overlap, block):
    waveform = torch.randn(2, time, generator=torch.Generator().manual_seed(time))
    hop = hop_samples(chunk_samples=chunk, overlap=overlap)
    chunks = list(split(cut(waveform, block), chunk_samples=chunk, hop_samples=hop))
    joined = torch.cat(list(join(chunks, fade_samples=chunk - hop)), dim=-1)
    torch.testing.assert_close(joined, waveform, rtol=1e-6, atol=1e-7)
    assert torch.equal(joined[:, [0, -1]], waveform[:, [0, -1]])
    assert [c.last for c in chunks] == [False] * (len(chunks) - 1) + [True]
    if time >= chunk:
        assert {c.samples.shape[-1] for c in chunks} == {chunk}
    else:
        assert len(chunks) == 1
    assert chunks[0].start == 0
    assert chunks[-1].start + chunks[-1].samples.shape[-1] == time
    for chunk_ in chunks:
        stop = chunk_.start + chunk_.samples.shape[-1]
        assert torch.equal(chunk_.samples, waveform[:, chunk_.start : stop])


def test_disagreeing_chunks_are_joined_without_a_jump():
    chunks = list(split([torch.zeros(1, 5000)], chunk_samples=1000, hop_samples=750))
    levels = [Chunk(torch.full((1, 1000), float(i % 2)), c.start, c.last) for i, c in enumerate(chunks)]
    joined = torch.cat(list(join(levels, fade_samples=250)), dim=-1)
    assert joined.shape == (1, 5000)
    assert joined.diff().abs().max() < 0.01
    assert joined.min() >= 0
    assert joined.max() <= 1


def test_samples_come_out_before_the_stream_ends():
    fed = 0

    def blocks():
        nonlocal fed
        for _ in range(100):
            fed += 100
            yield torch.zeros(1, 100)

    out = join(split(blocks(), chunk_samples=400, hop_samples=300), fade_samples=100)
    next(out)
    assert fed <= 1100


def test_fades_are_complementary():
    rising = fade_in(1000)
    torch.testing.assert_close(rising + rising.flip(0), torch.ones(1000))
    assert rising.min() > 0
    assert fade_in(0).numel() == 0


def test_hop():
    assert hop_samples(chunk_samples=1000, overlap=0.25) == 750
    assert hop_samples(chunk_samples=1, overlap=0.9) == 1
    with pytest.raises(ValueError, match="overlap"):
        hop_samples(chunk_samples=1000, overlap=1.0)


@given(sizes=st.lists(st.integers(0, 50), max_size=20), block=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_reblock_keeps_the_stream(sizes, block):
    waveform = torch.arange(float(sum(sizes))).reshape(1, -1)
    pieces = list(reblock(waveform.split(sizes, dim=-1), block)) if sizes else []
    assert torch.equal(torch.cat([waveform[:, :0], *pieces], dim=-1), waveform)
    assert all(piece.shape[-1] == block for piece in pieces[:-1])
    assert all(0 < piece.shape[-1] <= block for piece in pieces)


def test_queue_refuses_what_it_does_not_hold():
    queue = SampleQueue()
    queue.push(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="holds 3"):
        queue.take(4)
    with pytest.raises(ValueError, match="holds 3"):
        queue.drop(4)


def test_delayed():
    assert torch.cat(list(delayed([torch.ones(1, 2), torch.ones(1, 1)], 2)), dim=-1).tolist() == [[0, 0, 1, 1, 1]]

"""The scattering transform beyond its parity: streams, ends, and what it makes of simple sounds."""

import pytest
import torch

from stemtune.signal.scattering import scatter, scatter_blocks, wavelets


def test_there_are_as_many_bands_as_the_paper_has_rows_and_channels() -> None:
    assert len(wavelets(scale=8, per_octave=8)) == 54
    frames = scatter(torch.randn(80000, generator=torch.Generator().manual_seed(0)))
    assert frames.shape == (7, 54, 313)
    assert [int((channel.amax(dim=1) > 0).sum()) for channel in frames] == [54, 10, 18, 26, 34, 42, 49]


@pytest.mark.parametrize("num_samples", [1, 2, 255, 256, 257, 5000, 61440, 65536, 70001, 200000])
def test_streams_give_what_the_whole_gives(num_samples: int) -> None:
    x = torch.randn(num_samples, generator=torch.Generator().manual_seed(1))
    whole = scatter(x)
    assert whole.shape == (7, 54, -(-num_samples // 256))
    for size in (997, 65536, 131072):
        pieces = torch.cat(list(scatter_blocks(x.split(size))), dim=-1)
        assert torch.equal(pieces, whole)


def test_blocks_leave_no_seam() -> None:
    x = torch.randn(200000, generator=torch.Generator().manual_seed(2))
    shifted = scatter(x[256 * 100 :])
    torch.testing.assert_close(scatter(x)[..., 120:], shifted[..., 20:], rtol=1e-3, atol=2e-5)


def test_a_tone_is_as_loud_in_every_band() -> None:
    time = torch.arange(60000, dtype=torch.float64)
    for wavelet in wavelets(scale=8, per_octave=8)[::9]:
        frames = scatter(torch.cos(2 * torch.pi * wavelet.centre * time).float())
        assert float(frames[0, :, 100:130].amax()) == pytest.approx(0.5, rel=0.1)


def test_nothing_gives_nothing() -> None:
    assert list(scatter_blocks([])) == []
    assert scatter(torch.zeros(3000)).abs().max() == 0

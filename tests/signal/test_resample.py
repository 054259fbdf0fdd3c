import pytest
import torch

from stemtune.signal.resample import fit_length, resample, resample_blocks, resampled_length

RATES = (8000, 11025, 22050, 44100, 48000, 96000, 192000)


def sine(sample_rate, *, hertz=440.0, seconds=0.32, channels=2):
    time = torch.arange(round(sample_rate * seconds), dtype=torch.float64) / sample_rate
    return (0.5 * torch.sin(2 * torch.pi * hertz * time)).float().expand(channels, -1)


@pytest.mark.parametrize("source_rate", RATES)
@pytest.mark.parametrize("target_rate", RATES)
def test_a_sine_stays_where_it_is(source_rate, target_rate):
    result = resample(sine(source_rate), source_rate=source_rate, target_rate=target_rate)
    expected = sine(target_rate)
    assert abs(result.shape[1] - expected.shape[1]) <= 1
    inner = slice(target_rate // 50, target_rate // 50 * 15)
    assert (result[:, inner] - expected[:, inner]).abs().max() < 1e-4


@pytest.mark.parametrize(("source_rate", "target_rate"), [(44100, 48000), (8000, 44100), (192000, 44100)])
def test_blocks_make_no_difference(source_rate, target_rate):
    waveform = torch.randn(3, 50_000, generator=torch.Generator().manual_seed(0))
    whole, small = (
        torch.cat(
            list(resample_blocks(waveform.split(size, dim=1), source_rate=source_rate, target_rate=target_rate)), dim=1
        )
        for size in (50_000, 777)
    )
    assert torch.equal(whole, small)


@pytest.mark.parametrize("num_samples", [0, 1, 2, 3, 1000])
def test_length_of_short_ones(num_samples):
    for target_rate in RATES:
        result = resample(torch.ones(2, num_samples), source_rate=44100, target_rate=target_rate)
        length = resampled_length(num_samples, source_rate=44100, target_rate=target_rate)
        assert result.shape == (2, length)
        assert bool(length) == bool(num_samples)


def test_equal_rates_pass_through_and_axes_stay():
    waveform = torch.randn(2, 3, 100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resample(waveform, source_rate=44100, target_rate=44100), waveform)
    assert resample(waveform, source_rate=44100, target_rate=22050).shape == (2, 3, 50)


def test_fit_length():
    blocks = [torch.ones(1, 3), torch.ones(1, 3)]
    assert torch.cat(list(fit_length(blocks, 4)), dim=1).tolist() == [[1, 1, 1, 1]]
    assert torch.cat(list(fit_length(blocks, 8)), dim=1).tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]]

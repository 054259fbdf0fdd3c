"""The stream against the same thing written down naively, over a whole array."""

import pytest
import torch

from stemtune.errors import InputError, UsageError, WeightsError
from stemtune.nn import precision as precision_module
from stemtune.separation.memory import release_freed_memory
from stemtune.separation.options import SeparationOptions
from stemtune.separation.stream import separate_blocks, separate_waveform
from stemtune.signal.masking import mixture_consistency
from stemtune.signal.overlap_add import fade_in

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000)


def naive(separator, mixture, *, overlap, batch_size, chunk):
    """Pad nothing, list the chunks, one pass, one weighted sum: at the model's own rate and channels."""
    time = mixture.shape[-1]
    hop = chunk - round(chunk * overlap)
    starts = list(range(0, max(time - chunk, 0) + 1, hop))
    if starts[-1] + chunk < time:
        starts.append(time - chunk)
    chunk = min(chunk, time)
    chunks = torch.stack([mixture[:, start : start + chunk] for start in starts])
    with torch.inference_mode():
        estimates = torch.cat([separator(batch).sources for batch in chunks.split(batch_size)])
    total = torch.zeros(len(separator.stems), *mixture.shape)
    weight = torch.zeros(time)
    ramp = fade_in(min(chunk - hop, chunk // 2)) if len(starts) > 1 else fade_in(0)
    for start, estimate in zip(starts, estimates, strict=True):
        own = torch.ones(chunk)
        if start > 0:
            own[: len(ramp)] = ramp
        if start != starts[-1]:
            own[chunk - len(ramp) :] = ramp.flip(0)
        total[..., start : start + chunk] += own * estimate
        weight[start : start + chunk] += own
    return mixture_consistency(estimate=total / weight, mixture=mixture)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("time", [1, 3999, 4000, 4001, 7000, 30_001])
@pytest.mark.parametrize("threads", [1, 2])
def test_stream_equals_the_naive_form_bit_for_bit(toy, noise, overlap, time, threads):
    separator, mixture = toy(), noise(2, time)
    expected = naive(separator, mixture, overlap=overlap, batch_size=3, chunk=4000)
    options = SeparationOptions(overlap=overlap, batch_size=3, threads=threads)
    stems = separate_waveform(separator, mixture, sample_rate=44100, options=options)
    assert torch.equal(stems, expected)


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize("block_samples", [1000, 44100, 10**6])
def test_blocks_make_no_difference(toy, noise, sample_rate, block_samples):
    separator, mixture = toy(), noise(2, 100_003)
    whole = separate_waveform(separator, mixture, sample_rate=sample_rate)
    blocks = mixture.split(block_samples, dim=1)
    stream = list(separate_blocks(separator, blocks, sample_rate=sample_rate, num_channels=2))
    assert torch.equal(torch.cat(stream, dim=-1), whole)
    assert len(stream) > 5


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("num_channels", range(1, 9))
def test_same_length_for_every_rate_and_channel_count(toy, noise, sample_rate, num_channels):
    for model_channels in (1, 2):
        separator = toy(what="copy", channels=model_channels)
        for num_samples in (1, 2, 1000):
            mixture = noise(num_channels, num_samples)
            stems = separate_waveform(separator, mixture, sample_rate=sample_rate)
            assert stems.shape == (2, num_channels, num_samples)
            torch.testing.assert_close(stems.sum(dim=0), mixture, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sample_rate", RATES)
def test_lag_is_zero(toy, noise, sample_rate):
    """A copying separator must return what the model's band holds of the mixture, in place."""
    separator = toy(what="copy", channels=2)
    num_samples = 44_101
    mixture = noise(3, num_samples)
    spectrum = torch.fft.rfft(mixture)
    band = torch.fft.rfftfreq(num_samples, 1 / sample_rate) < 0.85 * min(sample_rate, 44100) / 2
    mixture = torch.fft.irfft(spectrum * band, n=num_samples)
    options = SeparationOptions(mixture_consistency=False)
    stems = separate_waveform(separator, mixture, sample_rate=sample_rate, options=options)
    assert stems.shape == (2, 3, num_samples)
    inner = slice(2000, num_samples - 2000)
    tolerance = 1e-6 if sample_rate == 44100 else 4e-4  # soxr lets the highest frequencies fall by .01 dB
    assert (stems[..., inner] - mixture[..., inner]).abs().max() < tolerance


def test_a_mono_network_hears_each_channel_and_a_stereo_network_pairs(toy, noise):
    mixture = noise(5, 9000)
    stereo, mono = toy(chunk_samples=5000), toy(channels=1, chunk_samples=5000)
    options = SeparationOptions(threads=1, batch_size=4)
    by_pairs = separate_waveform(stereo, mixture, sample_rate=44100, options=options)
    one_by_one = separate_waveform(mono, mixture, sample_rate=44100, options=options)
    torch.testing.assert_close(by_pairs, one_by_one, rtol=1e-5, atol=1e-6)
    assert stereo.heard == [(3, 2, 5000)] * 3
    assert {shape[1] for shape in mono.heard} == {1}
    assert max(shape[0] for shape in mono.heard) <= options.batch_size


def test_stems_sum_to_the_mixture_unless_told_not_to(toy, noise):
    mixture = noise(2, 20_000)
    stems = separate_waveform(toy(), mixture, sample_rate=48000)
    assert (stems.sum(dim=0) - mixture).abs().max() < 1e-6
    free = separate_waveform(toy(), mixture, sample_rate=48000, options=SeparationOptions(mixture_consistency=False))
    assert (free.sum(dim=0) - mixture).abs().max() > 1e-2


def test_one_stem_is_not_made_to_be_the_mixture(toy, noise):
    mixture = noise(2, 20_000)

    class Half(type(toy())):
        def forward(self, mixture):
            estimate = super().forward(mixture)
            return type(estimate)(estimate.sources * 0.5)

    separator = Half(toy(what="copy", stems=("vocals",)).config)
    stems = separate_waveform(separator, mixture, sample_rate=44100)
    torch.testing.assert_close(stems[0], mixture * 0.5)


def test_silence_gives_silence_even_from_a_network_that_fails_on_it(toy, noise):
    assert not separate_waveform(toy(what="nan"), torch.zeros(2, 9000), sample_rate=44100).any()
    half = torch.cat((torch.zeros(1, 9000), noise(1, 9000)))
    stems = separate_waveform(toy(channels=1), half, sample_rate=44100)
    assert not stems[:, 0].any()
    assert torch.isfinite(stems).all()


def test_values_that_are_not_finite(toy, noise):
    with pytest.raises(WeightsError, match="not finite"):
        separate_waveform(toy(what="nan"), noise(2, 9000), sample_rate=44100)
    mixture = noise(2, 9000)
    mixture[1, 1234] = float("nan")
    with pytest.raises(InputError, match="sample 1234"):
        separate_waveform(toy(), mixture, sample_rate=44100)


def test_nothing_and_the_wrong_shape(toy):
    with pytest.raises(InputError, match="no samples"):
        separate_waveform(toy(), torch.zeros(2, 0), sample_rate=44100)
    with pytest.raises(InputError, match="2 channels"):
        list(separate_blocks(toy(), [torch.zeros(3, 10)], sample_rate=44100, num_channels=2))


def test_training_mode_is_refused(toy, noise):
    with pytest.raises(UsageError, match="eval"):
        separate_waveform(toy().train(), noise(2, 10), sample_rate=44100)


def test_shifts_are_averaged_and_deterministic(toy, noise):
    mixture = noise(2, 30_000)
    options = SeparationOptions(shifts=3)
    once, twice = (separate_waveform(toy(), mixture, sample_rate=48000, options=options) for _ in range(2))
    assert torch.equal(once, twice)
    plain = separate_waveform(toy(), mixture, sample_rate=48000)
    assert once.shape == plain.shape
    torch.testing.assert_close(once, plain, rtol=0, atol=0.02)
    copied = separate_waveform(
        toy(what="copy"),
        mixture,
        sample_rate=44100,
        options=SeparationOptions(shifts=3, mixture_consistency=False),
    )
    torch.testing.assert_close(copied, torch.stack((mixture, mixture)), rtol=0, atol=1e-6)


def test_bfloat16_is_near(toy, noise, monkeypatch):
    monkeypatch.setattr(precision_module, "computes_bfloat16", lambda _: True)  # on any machine, if slowly
    mixture = noise(2, 20_000)
    exact, rough = (
        separate_waveform(toy(), mixture, sample_rate=44100, options=SeparationOptions(precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert rough.dtype == torch.float32
    error = (rough - exact).norm() / exact.norm()
    assert 0 < error < 0.01


def test_progress_and_stopping(toy, noise):
    seen = []
    separate_waveform(toy(), noise(2, 50_000), sample_rate=44100, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 50_000

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        separate_waveform(toy(), noise(2, 50_000), sample_rate=44100, on_progress=stop)


def test_memory_can_be_released_anywhere():
    release_freed_memory()


def test_thread_settings_are_left_as_they_were(toy, noise):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        separate_waveform(toy(), noise(2, 50_000), sample_rate=44100, options=SeparationOptions(threads=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_memory_does_not_grow_with_the_length(toy):
    """What is waiting inside is bounded: the input runs ahead of the output by a few batches only."""
    fed = 0

    def blocks():
        nonlocal fed
        for _ in range(1000):
            fed += 1000
            yield torch.ones(2, 1000)

    out, ahead = 0, 0
    for stems in separate_blocks(
        toy(sample_rate=8000), blocks(), sample_rate=8000, num_channels=2, options=SeparationOptions(threads=2)
    ):
        out += stems.shape[-1]
        ahead = max(ahead, fed - out)
    assert out == 1_000_000
    assert ahead < 100_000

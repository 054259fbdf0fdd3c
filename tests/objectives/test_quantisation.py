"""The objectives of auto-encoders, against plain arithmetic."""

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from stemtune.errors import ConfigError, InputError
from stemtune.objectives.base import taught
from stemtune.objectives.quantisation import (
    AutoEncoding,
    AutoEncodingConfig,
    LatentMatch,
    LatentMatchConfig,
    measure_bandwidths,
)
from stemtune.types import Batch, Estimate

RESOLUTIONS = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch() -> Batch:
    sources = noise(2, 1, 1, 9000)
    return Batch(mixture=sources[:, 0], sources=sources, stems=("drums",), sample_rate=44100)


def magnitudes(waveform: np.ndarray, n_fft: int, hop_length: int, window_length: int) -> np.ndarray:
    """Frames of a signal that is reflected at its ends; the window lies in the middle of the transform."""
    window = np.zeros(n_fft)
    begin = (n_fft - window_length) // 2
    window[begin : begin + window_length] = scipy.signal.get_window("hann", window_length)
    padded = np.pad(waveform, n_fft // 2, mode="reflect")
    frames = np.stack([padded[i : i + n_fft] for i in range(0, len(padded) - n_fft + 1, hop_length)])
    return np.abs(np.fft.rfft(frames * window))


def test_auto_encoding_is_its_equation() -> None:
    truth = batch()
    said = truth.sources + noise(2, 1, 1, 9000, seed=1) * torch.tensor([1.0, 3.0])[:, None, None, None]
    config = AutoEncodingConfig(waveform_bandwidth=0.5, spectral_bandwidth=3.0, loudest_samples=100)
    loss = AutoEncoding(config)(Estimate(sources=said, commitment=torch.tensor(0.7)), truth)
    heard, answer = (t.double().numpy().reshape(2, -1) for t in (truth.sources, said))
    errors = (heard - answer) ** 2
    waveform = errors.mean() / 0.5 + 0.02 * np.sort(errors, axis=1)[:, -100:].mean() / 0.5
    spectral = np.mean(
        [
            np.mean(
                [
                    np.linalg.norm(magnitudes(a, *sizes) - magnitudes(h, *sizes))
                    for h, a in zip(heard, answer, strict=True)
                ]
            )
            for sizes in RESOLUTIONS
        ]
    )
    assert loss.parts["waveform"] == pytest.approx(waveform, rel=1e-4)
    assert loss.parts["spectral"] == pytest.approx(spectral / 3, rel=1e-4)
    assert float(loss.total) == pytest.approx(waveform + spectral / 3 + 0.02 * 0.7, rel=1e-4)


@pytest.mark.parametrize("num_samples", [1, 300, 1500])
def test_auto_encoding_is_lowest_for_the_truth_and_survives_it(num_samples: int) -> None:
    sources = noise(1, 1, 1, num_samples)
    truth = Batch(mixture=sources[:, 0], sources=sources, stems=("drums",), sample_rate=44100)
    said = sources.clone().requires_grad_()
    loss = AutoEncoding(AutoEncodingConfig())(Estimate(sources=said, commitment=torch.zeros(())), truth)
    assert loss.total.item() == 0.0
    loss.total.backward()
    assert not said.grad.any()
    silent = torch.zeros_like(said).requires_grad_()
    loss = AutoEncoding(AutoEncodingConfig())(Estimate(sources=silent, commitment=torch.zeros(())), truth)
    loss.total.backward()
    assert torch.isfinite(silent.grad).all()
    assert silent.grad.abs().sum() > 0


def test_bandwidths_are_variance_and_norm() -> None:
    excerpts = [noise(2, 9000, seed=seed) + 0.05 for seed in range(3)]
    bandwidths = measure_bandwidths(excerpts)
    samples = torch.cat([e.flatten() for e in excerpts]).double().numpy()
    norms = [np.linalg.norm(magnitudes(e.double().numpy().mean(axis=0), 2048, 256, 1536)) for e in excerpts]
    assert bandwidths.waveform == pytest.approx(samples.var(), rel=1e-4)
    assert bandwidths.spectral == pytest.approx(np.mean(norms), rel=1e-4)


@pytest.mark.parametrize("excerpts", [[], [torch.zeros(1, 5000)]])
def test_silence_has_no_bandwidth(excerpts: list[Tensor]) -> None:
    with pytest.raises(InputError, match="are silent"):
        measure_bandwidths(excerpts)


def teacher(waveform: Tensor) -> Tensor:
    return waveform.reshape(waveform.shape[0], 4, -1)


def find(name: str):
    return {"auto-encoder": teacher}[name]


TEACHERS = dict.fromkeys("abc", "auto-encoder") | {"drums": "auto-encoder"}


def test_latents_are_compared_with_the_teachers() -> None:
    truth = Batch(mixture=noise(2, 1, 40), sources=noise(2, 3, 1, 40), stems=("a", "b", "c"), sample_rate=8000)
    latents = noise(2, 3, 4, 10, seed=9).requires_grad_()
    estimate = Estimate(sources=truth.sources, latents=latents)
    errors = (latents.detach() - torch.stack([teacher(truth.sources[:, stem]) for stem in range(3)], dim=1)).square()
    loss = LatentMatch(LatentMatchConfig(teachers=TEACHERS)).taught(find)(estimate, truth)
    assert loss.total.item() == pytest.approx(errors.mean().item(), rel=1e-5)
    assert loss.parts == pytest.approx({s: errors[:, i].mean().item() for i, s in enumerate("abc")}, rel=1e-5)
    config = LatentMatchConfig(teachers=TEACHERS, measure="lmix", loudest_values=7)
    largest = errors.flatten(0, 1).flatten(1).sort(dim=1).values[:, -7:].mean()
    mixed = taught(config.build(), find)(estimate, truth)
    assert mixed.total.item() == pytest.approx((errors.mean() + 0.02 * largest).item(), rel=1e-5)


def test_what_cannot_be_compared_is_refused() -> None:
    truth = batch()
    with pytest.raises(ConfigError, match="there is none for drums"):
        LatentMatch(LatentMatchConfig())(Estimate(sources=truth.sources, latents=noise(2, 1, 4, 10)), truth)
    pupil = LatentMatch(LatentMatchConfig(teachers=TEACHERS)).taught(find)
    with pytest.raises(ConfigError, match="same hop and width"):
        pupil(Estimate(sources=truth.sources, latents=noise(2, 1, 4, 10)), truth)


@pytest.mark.parametrize(("codes", "perplexity"), [([[0, 0, 0, 0]], 1.0), ([[5, 5, 9, 9]], 2.0), ([[0, 1, 2, 3]], 4.0)])
def test_a_collapse_is_seen_in_the_log(codes: list[list[int]], perplexity: float) -> None:
    sources = torch.zeros(1, 1, 1, 64)
    estimate = Estimate(sources=sources, codes=torch.tensor([codes]), commitment=torch.zeros(()))
    batch = Batch(mixture=sources[:, 0], sources=sources, stems=("drums",), sample_rate=8000)
    parts = AutoEncodingConfig().build()(estimate, batch).parts
    assert parts["perplexity"] == pytest.approx(perplexity)

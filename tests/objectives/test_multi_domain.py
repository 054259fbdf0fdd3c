"""X-UMX's objective against loops over sets of stems."""

from itertools import combinations

import numpy as np
import pytest
import torch

from stemtune.objectives.multi_domain import MultiDomainConfig, stem_sets
from stemtune.objectives.spectral import MagnitudeMSEConfig
from stemtune.signal.stft import stft
from stemtune.types import Batch, Estimate

STEMS = ("a", "b", "c", "d")


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def material() -> tuple[Estimate, Batch]:
    sources = noise(2, 4, 2, 1500, seed=0)
    estimate = Estimate(sources=noise(2, 4, 2, 1500, seed=1), magnitudes=noise(2, 4, 2, 129, 24, seed=2).abs())
    return estimate, Batch(mixture=sources.sum(dim=1), sources=sources, stems=STEMS, sample_rate=8000)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def test_there_are_fourteen_sets_of_four_stems() -> None:
    sets = stem_sets(4, combine=True)
    assert sets.shape == (14, 4)
    assert sets.sum(dim=1).tolist() == [1.0] * 4 + [2.0] * 6 + [3.0] * 4
    assert torch.equal(stem_sets(4, combine=False), torch.eye(4))
    assert torch.equal(stem_sets(1, combine=True), torch.ones(1, 1))


@pytest.mark.parametrize("combine", [False, True])
def test_it_equals_the_sum_over_sets(combine: bool) -> None:
    estimate, batch = material()
    assert estimate.magnitudes is not None
    truth = stft(batch.sources, n_fft=256, hop_length=64, window=torch.hann_window(256)).abs().numpy()
    sets = [chosen for size in range(1, 4 if combine else 2) for chosen in combinations(range(4), size)]
    frequency, time = [], []
    for chosen in map(list, sets):
        error = estimate.magnitudes.numpy()[:, chosen].sum(axis=1) - truth[:, chosen].sum(axis=1)
        frequency.append(np.mean(error**2))
        for example in range(2):
            for channel in range(2):
                s = batch.sources.numpy()[example, chosen, channel].sum(axis=0)
                e = estimate.sources.numpy()[example, chosen, channel].sum(axis=0)
                x = batch.mixture.numpy()[example, channel]
                a = (s @ s) / (s @ s + (x - s) @ (x - s))
                time.append(-a * cosine(s, e) - (1 - a) * cosine(x - s, x - e))
    config = MultiDomainConfig(combine=combine, n_fft=256, hop_length=64)
    loss = config.build()(estimate, batch)
    assert loss.parts["frequency"] == pytest.approx(np.mean(frequency), rel=1e-4)
    assert loss.parts["time"] == pytest.approx(np.mean(time), rel=1e-4)
    assert float(loss.total) == pytest.approx(np.mean(frequency) + 10 * (1 + np.mean(time)), rel=1e-4)


def test_with_both_off_it_is_the_plain_mean_square() -> None:
    estimate, batch = material()
    plain = MagnitudeMSEConfig(n_fft=256, hop_length=64).build()(estimate, batch)
    off = MultiDomainConfig(combine=False, time_weight=0.0, n_fft=256, hop_length=64).build()(estimate, batch)
    assert float(off.total) == pytest.approx(float(plain.total), rel=1e-6)
    assert set(off.parts) == {"frequency"}


def test_the_truth_is_best_and_silence_is_defined() -> None:
    _, batch = material()
    truth = stft(batch.sources, n_fft=256, hop_length=64, window=torch.hann_window(256)).abs()
    objective = MultiDomainConfig(n_fft=256, hop_length=64).build()
    assert float(objective(Estimate(sources=batch.sources, magnitudes=truth), batch).total) == pytest.approx(
        0, abs=1e-4
    )
    silent = torch.zeros_like(batch.sources).requires_grad_()
    nothing = Batch(mixture=batch.mixture * 0, sources=batch.sources * 0, stems=STEMS, sample_rate=8000)
    objective(Estimate(sources=silent, magnitudes=truth), nothing).total.backward()
    assert silent.grad is not None
    assert torch.isfinite(silent.grad).all()

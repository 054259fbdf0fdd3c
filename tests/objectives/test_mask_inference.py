"""Mask inference in fixed order or in the best one, and sums of objectives."""

import pytest
import torch
from torch import Tensor

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.objectives.base import Objective
from stemtune.objectives.choice import WeightedObjective, WeightedSumConfig
from stemtune.objectives.clustering import ClusteringConfig
from stemtune.objectives.spectral import MagnitudeL1, MagnitudeL1Config
from stemtune.objectives.waveform import WaveformL1Config
from stemtune.signal.scaled_stft import scaled_stft, sqrt_hann
from stemtune.types import Batch, Estimate

TRANSFORM = {"n_fft": 64, "hop_length": 16}


def sources(num_stems: int = 3) -> Tensor:
    return 0.1 * torch.randn(2, num_stems, 1, 800, generator=torch.Generator().manual_seed(0))


def magnitudes(waveform: Tensor) -> Tensor:
    return scaled_stft(waveform, hop_length=16, window=sqrt_hann(64)).abs()


def batch(truth: Tensor) -> Batch:
    names = tuple("abcd"[: truth.shape[1]])
    return Batch(mixture=truth.sum(dim=1), sources=truth, stems=names, sample_rate=16000)


def test_the_truth_costs_nothing() -> None:
    truth = sources()
    objective = MagnitudeL1(MagnitudeL1Config(**TRANSFORM))
    assert objective(Estimate(sources=truth, magnitudes=magnitudes(truth)), batch(truth)).total == 0
    half = objective(Estimate(sources=truth, magnitudes=magnitudes(truth) / 2), batch(truth)).total
    assert half.item() == pytest.approx(magnitudes(truth).mean().item() / 2, rel=1e-5)


def test_order_matters_unless_it_is_told_not_to() -> None:
    truth = sources()
    shuffled = torch.stack((magnitudes(truth)[0, [1, 2, 0]], magnitudes(truth)[1, [2, 1, 0]]))
    estimate = Estimate(sources=truth, magnitudes=shuffled)
    assert MagnitudeL1(MagnitudeL1Config(**TRANSFORM))(estimate, batch(truth)).total > 1e-3
    free = MagnitudeL1(MagnitudeL1Config(**TRANSFORM, permutation_invariant=True))
    assert free(estimate, batch(truth)).total == 0


def test_one_order_holds_for_a_whole_example() -> None:
    truth = sources(2)
    half_way = magnitudes(truth).clone()
    middle = half_way.shape[-1] // 2
    half_way[..., middle:] = half_way[:, [1, 0]][..., middle:]
    free = MagnitudeL1(MagnitudeL1Config(**TRANSFORM, permutation_invariant=True))
    assert free(Estimate(sources=truth, magnitudes=half_way), batch(truth)).total > 1e-4


@pytest.mark.parametrize("permutation_invariant", [False, True])
def test_silence_gives_no_nan(permutation_invariant: bool) -> None:
    truth = sources()
    truth[0] = 0
    truth[1, 1] = 0
    masked = (magnitudes(truth) * 0.5).requires_grad_()
    objective = MagnitudeL1(MagnitudeL1Config(**TRANSFORM, permutation_invariant=permutation_invariant))
    loss = objective(Estimate(sources=truth, magnitudes=masked), batch(truth)).total
    loss.backward()
    assert torch.isfinite(loss)
    assert masked.grad is not None
    assert torch.isfinite(masked.grad).all()


def test_a_sum_weighs_its_parts_and_watches_those_without_weight() -> None:
    truth = sources(2)
    estimate = Estimate(sources=0.5 * truth.clone().requires_grad_(), magnitudes=magnitudes(truth) / 2)
    parts = (
        WeightedObjective(weight=0.25, objective=WaveformL1Config()),
        WeightedObjective(weight=2.0, objective=MagnitudeL1Config(**TRANSFORM)),
        WeightedObjective(weight=0.0, objective=ClusteringConfig(**TRANSFORM)),
    )
    objective = WeightedSumConfig(parts=parts[:2]).build()
    loss = objective(estimate, batch(truth))
    assert loss.total.item() == pytest.approx(0.25 * loss.parts["waveform_l1"] + 2 * loss.parts["magnitude_l1"])
    assert loss.total.requires_grad
    assert isinstance(objective, Objective) or callable(objective)
    assert WeightedSumConfig(parts=parts).build().needs == {"sources", "magnitudes", "embedding"}
    frames = magnitudes(truth).shape[-1]
    embedding = torch.rand(2, 1, 33, frames, 4, requires_grad=True)
    watched = Estimate(sources=estimate.sources, magnitudes=estimate.magnitudes, embedding=embedding)
    seen = WeightedSumConfig(parts=parts).build()(watched, batch(truth))
    assert seen.total.item() == pytest.approx(loss.total.item())
    assert seen.parts["deep_clustering"] > 0
    seen.total.backward()
    assert embedding.grad is None


def test_sums_survive_json_and_refuse_nonsense() -> None:
    config = WeightedSumConfig(parts=(WeightedObjective(weight=1.0, objective=ClusteringConfig(whitened=True)),))
    assert WeightedSumConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ConfigError, match="parts"):
        parse(WeightedSumConfig, {"parts": []})
    with pytest.raises(ConfigError, match="weight"):
        parse(WeightedSumConfig, {"parts": [{"weight": -1, "objective": {"kind": "clustering"}}]})

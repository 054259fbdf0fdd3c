"""Deep clustering equals its readable twin, forgives whatever a recording may lack, and pulls bins together."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stemtune.objectives import clustering
from stemtune.objectives.clustering import (
    Clustering,
    ClusteringConfig,
    deep_clustering,
    loudest_source,
    magnitude_weights,
    naive_deep_clustering,
    whitened_k_means,
)
from stemtune.signal.scaled_stft import scaled_num_frames
from stemtune.types import Batch, Estimate

AXES, STEMS, POINTS = 5, 3, 40


def problem(seed: int = 0, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = functional.normalize(torch.rand(2, POINTS, AXES, generator=generator, dtype=dtype), dim=-1)
    magnitudes = torch.rand(2, STEMS, 1, 1, POINTS, generator=generator, dtype=dtype)
    magnitudes[..., :4] = 0.0  # silent points belong to no source
    assignment = loudest_source(magnitudes)[:, :, 0, 0].mT
    weight = magnitude_weights(magnitudes.sum(dim=1))[:, 0, 0]
    return {"embedding": embedding, "assignment": assignment, "weight": weight}


@pytest.mark.parametrize("block_values", [1, 64, 1 << 17])
def test_low_rank_equals_its_readable_twin(block_values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "_BLOCK_VALUES", block_values)
    arguments = problem()
    embedding = arguments["embedding"].requires_grad_()
    fast, naive = deep_clustering(**arguments), naive_deep_clustering(**arguments)
    torch.testing.assert_close(fast, naive, rtol=0, atol=1e-12)
    weights = torch.tensor([1.0, 3.0], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((fast * weights).sum(), embedding)
    (expected,) = torch.autograd.grad((naive * weights).sum(), embedding)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)


def test_single_precision_is_enough() -> None:
    single, double = problem(dtype=torch.float32), problem()
    double = {name: value.double() for name, value in single.items()}
    torch.testing.assert_close(deep_clustering(**single).double(), deep_clustering(**double), rtol=1e-5, atol=1e-6)


def test_perfect_embeddings_cost_nothing() -> None:
    arguments = problem()
    perfect = functional.pad(arguments["assignment"], (0, AXES - STEMS))
    silent = arguments["assignment"].sum(dim=-1) == 0
    assert (arguments["weight"][silent] == 0).all()
    assert deep_clustering(**(arguments | {"embedding": perfect})).abs().max() < 1e-12
    assert (deep_clustering(**arguments) > 0.1).all()


def test_names_and_numbers_of_sources_do_not_matter() -> None:
    arguments = problem()
    expected = deep_clustering(**arguments)
    for changed in (arguments["assignment"][..., [2, 0, 1]], functional.pad(arguments["assignment"], (0, 2))):
        torch.testing.assert_close(deep_clustering(**(arguments | {"assignment": changed})), expected)


def test_whitened_k_means_is_least_where_planes_agree() -> None:
    arguments = problem()
    perfect = functional.pad(arguments["assignment"], (0, AXES - STEMS))
    rotation = torch.linalg.qr(torch.randn(AXES, AXES, dtype=torch.float64))[0]
    best = whitened_k_means(**(arguments | {"embedding": perfect}))
    torch.testing.assert_close(whitened_k_means(**(arguments | {"embedding": perfect @ rotation})), best)
    assert (whitened_k_means(**arguments) > best + 0.5).all()


def test_ties_belong_to_nobody() -> None:
    magnitudes = torch.tensor([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0]]).view(1, 2, 1, 1, 3)
    assert loudest_source(magnitudes).flatten(2)[0].tolist() == [[0, 0, 0], [1, 0, 0]]


def test_weights_average_one_and_vanish_in_silence() -> None:
    magnitude = torch.rand(2, 1, 9, 11, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.0]).view(
        2, 1, 1, 1
    )
    weights = magnitude_weights(magnitude)
    assert float(weights[0].mean()) == pytest.approx(1.0, rel=1e-4)
    assert (weights[1] == 0).all()


def batch(sources: Tensor) -> tuple[Estimate, Batch]:
    """Random embeddings for mixtures of sources ``batch stem 1 time`` at a small transform."""
    frames = scaled_num_frames(sources.shape[-1], hop_length=16)
    embedding = torch.rand(sources.shape[0], 1, 33, frames, 4, generator=torch.Generator().manual_seed(3))
    estimate = Estimate(sources=sources, embedding=embedding.requires_grad_())
    names = tuple(f"stem {number}" for number in range(sources.shape[1]))
    return estimate, Batch(mixture=sources.sum(dim=1), sources=sources, stems=names, sample_rate=16000)


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("what", ["sound", "one silent stem", "all silent"])
def test_silence_gives_no_nan(whitened: bool, what: str) -> None:
    sources = 0.1 * torch.randn(3, 2, 1, 900, generator=torch.Generator().manual_seed(1))
    if what == "one silent stem":
        sources[:, 1] = 0.0
    elif what == "all silent":
        sources[1:] = 0.0
    estimate, heard = batch(sources)
    loss = Clustering(ClusteringConfig(n_fft=64, hop_length=16, whitened=whitened))(estimate, heard)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert estimate.embedding is not None
    assert torch.isfinite(estimate.embedding.grad).all()
    if what == "all silent":
        assert (estimate.embedding.grad[1:] == 0).all()


def test_an_absent_stem_changes_nothing() -> None:
    sources = 0.1 * torch.randn(3, 2, 1, 900, generator=torch.Generator().manual_seed(1))
    objective = Clustering(ClusteringConfig(n_fft=64, hop_length=16))
    two, three = objective(*batch(sources)), objective(*batch(functional.pad(sources, (0, 0, 0, 0, 0, 1))))
    assert three.total.item() == pytest.approx(two.total.item(), abs=1e-7)


def test_embeddings_are_brought_to_length_one() -> None:
    sources = 0.1 * torch.randn(2, 2, 1, 900, generator=torch.Generator().manual_seed(1))
    estimate, heard = batch(sources)
    assert estimate.embedding is not None
    unit = Estimate(sources=sources, embedding=functional.normalize(estimate.embedding, dim=-1))
    expected = Clustering(ClusteringConfig(n_fft=64, hop_length=16))(estimate, heard).total
    same = Clustering(ClusteringConfig(n_fft=64, hop_length=16, normalise=False))(unit, heard).total
    assert same.item() == pytest.approx(expected.item(), abs=1e-6)

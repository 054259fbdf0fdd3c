"""Clustering separates what the embedding tells apart, whole tracks included, and knows no names."""

import pytest
import torch
from torch import Tensor

from stemtune.errors import UsageError
from stemtune.evaluation.metrics.order import in_best_order
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.models.chimeranet import ChimeraNet, ChimeraNetConfig
from stemtune.separation.clustering import find_centres, separate_by_clustering
from stemtune.separation.stream import separate_waveform

RATE = 16000


def tones(seconds: float) -> Tensor:
    """A low and a high tone, ``stem channel time``, of which each is silent now and then."""
    time = torch.arange(round(seconds * RATE)) / RATE
    low = torch.sin(2 * torch.pi * 500 * time) * (torch.sin(3 * time) > -0.5)
    high = 0.7 * torch.sin(2 * torch.pi * 3000 * time) * (torch.sin(5 * time) > -0.5)
    return 0.2 * torch.stack((low, high)).unsqueeze(1)


def network() -> ChimeraNet:
    """A network whose embedding says whether a bin is above or below 1500 Hz, as if it had learnt these tones."""
    torch.manual_seed(0)
    model = ChimeraNetConfig(n_fft=256, hop_length=64, hidden_size=4, num_layers=1, embedding_size=2, chunk_seconds=1.0)
    built = model.build().eval()
    with torch.no_grad():
        built.embedding_head.weight.mul_(0.1)
        bias = built.embedding_head.bias.view(129, 2)
        bias[:, 0] = torch.where(torch.arange(129) < 24, 4.0, -4.0)
        bias[:, 1] = -bias[:, 0]
    return built


@pytest.mark.parametrize("seconds", [0.7, 3.3])
def test_what_the_embedding_tells_apart_is_separated(seconds: float) -> None:
    sources = tones(seconds)
    estimate = separate_by_clustering(network(), sources.sum(dim=0), sample_rate=RATE, num_stems=2, seed=3)
    assert estimate.shape == sources.shape
    scores = si_sdr(estimate=in_best_order(estimate=estimate, reference=sources), reference=sources)
    assert (scores > 15).all()
    torch.testing.assert_close(estimate.sum(dim=0), sources.sum(dim=0), rtol=0, atol=1e-4)


def test_stereo_and_other_rates_come_back_as_they_were() -> None:
    mixture = torch.cat((tones(1.0).sum(dim=0), tones(1.0)[0]))
    estimate = separate_by_clustering(network(), mixture, sample_rate=22050, num_stems=3, seed=0)
    assert estimate.shape == (3, 2, RATE)


def test_the_same_seed_gives_the_same_stems() -> None:
    mixture = tones(1.5).sum(dim=0)
    first, second = (
        separate_by_clustering(network(), mixture, sample_rate=RATE, num_stems=2, seed=5) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_silence_stays_silent() -> None:
    silence = torch.zeros(1, 5000)
    assert not separate_by_clustering(network(), silence, sample_rate=RATE, num_stems=2).any()


def test_one_stem_is_refused() -> None:
    with pytest.raises(UsageError, match="at least two"):
        find_centres(network(), tones(0.5).sum(dim=0), num_stems=1)


def test_the_masks_that_were_never_trained_do_not_matter() -> None:
    model, mixture = network(), tones(1.0).sum(dim=0)
    before = separate_by_clustering(model, mixture, sample_rate=RATE, num_stems=2)
    untrained = separate_waveform(model, mixture, sample_rate=RATE)
    with torch.no_grad():
        model.mask_head.weight.mul_(-3)
    assert torch.equal(separate_by_clustering(model, mixture, sample_rate=RATE, num_stems=2), before)
    assert not torch.equal(separate_waveform(model, mixture, sample_rate=RATE), untrained)


def test_the_best_order_is_found() -> None:
    sources = tones(1.0)
    assert torch.equal(in_best_order(estimate=sources[[1, 0]], reference=sources), sources)
    silent = torch.stack((torch.zeros_like(sources[0]), sources[0]))
    assert torch.equal(in_best_order(estimate=silent, reference=sources)[0], sources[0])

"""Oracles are exact where stems do not overlap, sum to the mixture, and bound what they should."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stemtune.data.datasets import open_dataset
from stemtune.errors import InputError
from stemtune.evaluation.metrics import sdr_global
from stemtune.evaluation.oracle import ORACLES, OracleSystem, mixture_as_estimate, oracle_irm, oracle_mwf
from stemtune.evaluation.systems import System

RATE = 8000


def tones(*frequencies: float, num_samples: int = 40000) -> Tensor:
    """Stereo tones, each at its own place between the channels."""
    time = torch.arange(num_samples, dtype=torch.float64) / RATE
    waves = torch.stack([torch.sin(2 * torch.pi * frequency * time) for frequency in frequencies])
    places = torch.linspace(0.2, 0.8, len(frequencies), dtype=torch.float64)
    return waves[:, None] * torch.stack([places, 1 - places], dim=1)[..., None]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("oracle", [oracle_irm, oracle_mwf])
def test_stems_that_do_not_overlap_are_recovered(oracle):
    reference = tones(500, 1500, 3000)
    estimate = oracle(mixture=reference.sum(0), reference=reference)
    assert (sdr_global(estimate=estimate, reference=reference) > 40).all()


@pytest.mark.parametrize("oracle", [oracle_irm, oracle_mwf])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("num_samples", [1, 1000, 2049, 30001])
def test_estimates_are_as_long_as_the_mixture_and_sum_to_it(oracle, channels: int, num_samples: int):
    reference = noise(3, channels, num_samples)
    estimate = oracle(mixture=reference.sum(0), reference=reference)
    assert estimate.shape == reference.shape
    torch.testing.assert_close(estimate.sum(0), reference.sum(0), rtol=0, atol=2e-3)


def test_the_wiener_filter_uses_where_stems_are_and_beats_the_mask():
    panned = noise(2, 1, 60000) * torch.tensor([[[1.0], [0.1]], [[0.1], [1.0]]], dtype=torch.float64)
    mixture = panned.sum(0)
    masked, filtered = (oracle(mixture=mixture, reference=panned) for oracle in (oracle_irm, oracle_mwf))
    nothing = mixture_as_estimate(mixture=mixture, reference=panned)
    scores = [sdr_global(estimate=estimate, reference=panned).mean() for estimate in (nothing, masked, filtered)]
    assert scores[0] + 5 < scores[1]
    assert scores[1] + 5 < scores[2]


def test_long_tracks_are_treated_in_windows_that_leave_no_seam():
    reference = tones(500, 1500, num_samples=900_000)
    estimate = oracle_irm(mixture=reference.sum(0), reference=reference)
    error = (estimate - reference)[..., 2000:-2000].abs().amax()
    assert error < 1e-3


def test_a_power_of_two_gives_the_louder_stem_more():
    reference = noise(2, 1, 20000) * torch.tensor([1.0, 0.3], dtype=torch.float64)[:, None, None]
    quiet = [oracle_irm(mixture=reference.sum(0), reference=reference, power=p)[1].square().sum() for p in (1.0, 2.0)]
    assert quiet[1] < quiet[0]


@pytest.mark.parametrize("oracle", [oracle_irm, oracle_mwf, mixture_as_estimate])
@pytest.mark.parametrize("shape", [(2, 1, 100), (2, 2, 99), (0, 2, 100)])
def test_stems_that_are_not_of_the_mixture_are_refused(oracle, shape: tuple[int, ...]):
    with pytest.raises(InputError, match="not those of a mixture of shape"):
        oracle.__wrapped__(mixture=torch.zeros(2, 100), reference=torch.zeros(shape))


@pytest.mark.parametrize("name", list(ORACLES))
def test_as_a_system_it_knows_all_stems_and_answers_those_that_are_asked_for(songs: Path, name):
    track = open_dataset(songs)[0]
    system = OracleSystem(name)
    assert isinstance(system, System)
    wanted = track.stems.names[1:]
    blocks = list(system.listen(track, wanted))
    heard = torch.cat([block.mixture for block in blocks], dim=-1)
    estimates = torch.cat([block.estimates for block in blocks], dim=-1)
    assert heard.shape == (track.num_channels, track.num_samples)
    assert estimates.shape == (len(wanted), track.num_channels, track.num_samples)
    everything = torch.cat([block.estimates for block in system.listen(track, track.stems.names)], dim=-1)
    assert torch.equal(everything[1:], estimates)

"""Scores of the mixture, and by how much an estimate beats it."""

import inspect
import math

import pytest
import torch

from stemtune.errors import InputError
from stemtune.evaluation.metrics import METRICS, MetricFunction, improvement, mixture_baseline, sdr_v4, si_sdr


def sources() -> torch.Tensor:
    noise = torch.randn(3, 2, 900, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return noise * torch.tensor([1.0, 0.3, 2.0], dtype=torch.float64)[:, None, None]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_the_registry_beats_the_mixture_with_a_better_estimate(name: str):
    function, reference = METRICS[name].function, sources()
    assert isinstance(function, MetricFunction)
    mixture = reference.sum(0)
    estimate = 0.9 * reference + 0.1 * mixture
    gain = improvement(function, estimate=estimate, mixture=mixture, reference=reference, sample_rate=8000)
    assert gain.shape == (3,)
    assert (gain > 0).all()
    alone = function(estimate=estimate, reference=reference)
    assert torch.equal(gain, alone - mixture_baseline(function, mixture=mixture, reference=reference))
    assert METRICS[name].name == name


def test_doing_nothing_improves_nothing():
    reference = sources()
    mixture = reference.sum(0)
    untouched = mixture.unsqueeze(0).expand_as(reference)
    assert improvement(si_sdr, estimate=untouched, mixture=mixture, reference=reference).tolist() == [0.0] * 3


def test_metrics_of_frames_are_compared_frame_by_frame():
    reference = sources()
    mixture = reference.sum(0)
    gain = improvement(sdr_v4, estimate=0.9 * reference, mixture=mixture, reference=reference, sample_rate=300)
    assert gain.shape == (3, 3)
    assert (gain > 0).all()


def test_a_stem_that_is_alone_leaves_nothing_to_improve():
    reference = sources()[:1]
    gain = improvement(si_sdr, estimate=reference, mixture=reference[0], reference=reference)
    assert math.isnan(gain.item())


def test_a_mixture_of_another_length_is_refused():
    reference = sources()
    with pytest.raises(InputError, match="a mixture of shape"):
        # unwrapped, since the shape checker that is on in tests would refuse it first
        inspect.unwrap(mixture_baseline)(si_sdr, mixture=reference.sum(0)[:, :-1], reference=reference)

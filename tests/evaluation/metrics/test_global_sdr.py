"""The MDX definition by hand, against numpy, and as properties."""

import inspect
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stemtune.errors import InputError
from stemtune.evaluation.metrics import GlobalSDR, mixture_baseline, sdr_global


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_value_worked_by_hand():
    reference = torch.tensor([[[3.0, 0.0], [0.0, 4.0]]])  # energy 25 over both channels
    estimate = torch.tensor([[[3.0, 0.5], [0.0, 4.0]]])  # error energy 0.25
    score = sdr_global(estimate=estimate, reference=reference)
    assert score.item() == pytest.approx(20.0, abs=1e-5)


def test_channels_are_added_before_the_ratio_and_not_averaged_after_it():
    reference = torch.tensor([[[10.0], [1.0]]])
    estimate = torch.tensor([[[10.0], [0.0]]])
    assert sdr_global(estimate=estimate, reference=reference).item() == pytest.approx(10 * np.log10(101), abs=1e-5)


@pytest.mark.parametrize(
    ("reference", "estimate", "expected"),
    [
        (0.0, 0.0, 0.0),
        (0.0, 1.0, 10 * np.log10(1e-7 / (8 + 1e-7))),
        (1.0, 0.0, 0.0),
        (1.0, 1.0, 10 * np.log10((8 + 1e-7) / 1e-7)),
        (1.0, 0.5, 10 * np.log10(4)),
        (1.0, -1.0, 10 * np.log10(1 / 4)),
    ],
)
def test_silence_perfection_level_and_polarity(reference: float, estimate: float, expected: float):
    shape = (1, 2, 4)
    score = sdr_global(estimate=torch.full(shape, estimate), reference=torch.full(shape, reference))
    assert score.item() == pytest.approx(expected, abs=1e-6)


def test_no_samples_score_zero_and_nan_stays_nan():
    assert sdr_global(estimate=torch.zeros(2, 1, 0), reference=torch.zeros(2, 1, 0)).tolist() == [0.0, 0.0]
    assert sdr_global(estimate=torch.full((1, 1, 3), torch.nan), reference=torch.ones(1, 1, 3)).isnan().all()


def test_equals_numpy_in_float64():
    reference, estimate = noise(3, 2, 5000), noise(3, 2, 5000, seed=1)
    s, e = reference.numpy().astype(np.float64), estimate.numpy().astype(np.float64)
    expected = 10 * np.log10(((s**2).sum((1, 2)) + 1e-7) / (((s - e) ** 2).sum((1, 2)) + 1e-7))
    np.testing.assert_allclose(sdr_global(estimate=estimate, reference=reference).numpy(), expected, rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=5), seed=st.integers(0, 99))
def test_blocks_of_any_lengths_give_the_score_of_the_whole(cuts: list[int], seed: int):
    reference, estimate = noise(2, 2, 300, seed=seed), noise(2, 2, 300, seed=seed + 100)
    total = GlobalSDR(num_stems=2)
    edges = [0, *sorted(cuts), 300]
    for start, stop in itertools.pairwise(edges):
        total.update(estimate=estimate[..., start:stop], reference=reference[..., start:stop])
    torch.testing.assert_close(total.compute(), sdr_global(estimate=estimate, reference=reference), rtol=0, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(gain=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_a_scaled_copy_scores_what_its_gain_leaves_wrong(gain: float, seed: int):
    reference = noise(1, 1, 200, seed=seed).double()
    score = sdr_global(estimate=gain * reference, reference=reference).item()
    assert score == pytest.approx(-20 * np.log10(1 - gain), abs=1e-4)


def test_order_of_channels_samples_and_polarity_of_both_do_not_matter():
    reference, estimate = noise(1, 2, 100), noise(1, 2, 100, seed=1)
    score = sdr_global(estimate=estimate, reference=reference)
    for change in (lambda x: -x, lambda x: x.flip(1), lambda x: x.flip(2)):
        torch.testing.assert_close(sdr_global(estimate=change(estimate), reference=change(reference)), score)


def test_more_error_scores_less():
    reference, error = noise(1, 2, 100), noise(1, 2, 100, seed=1)
    scores = [sdr_global(estimate=reference + k * error, reference=reference).item() for k in (0.1, 0.2, 0.5, 1, 2)]
    assert scores == sorted(scores, reverse=True)


def test_the_mixture_baseline_scores_the_mixture_as_every_stem():
    sources = noise(3, 2, 400) * torch.tensor([1.0, 0.1, 2.0])[:, None, None]
    baseline = mixture_baseline(sdr_global, mixture=sources.sum(0), reference=sources)
    direct = sdr_global(estimate=torch.stack([sources.sum(0)] * 3), reference=sources)
    assert torch.equal(baseline, direct)


def test_shapes_that_would_broadcast_are_refused():
    # unwrapped, since the shape checker that is on in tests would refuse it first
    with pytest.raises(InputError, match=r"shape \(1, 1, 4\).*shape \(1, 2, 4\)"):
        inspect.unwrap(sdr_global)(estimate=torch.zeros(1, 1, 4), reference=torch.zeros(1, 2, 4))

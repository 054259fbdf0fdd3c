"""SI-SDR by hand, against nussl's formula written again in numpy, and as properties."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stemtune.errors import InputError
from stemtune.evaluation.metrics import sd_sdr, si_sdr, snr


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def nussl_si_sdr(estimate: np.ndarray, reference: np.ndarray) -> float:
    """One stem, ``channel time``, as facts of the reference implementation state it."""
    values = []
    for channel_e, channel_s in zip(estimate, reference, strict=True):
        e, s = channel_e - channel_e.mean(), channel_s - channel_s.mean()
        scaled = (s @ e) / (s @ s) * s
        values.append(10 * np.log10((scaled**2).sum() / ((e - scaled) ** 2).sum()))
    return float(np.mean(values))


def test_a_value_worked_by_hand():
    reference = torch.tensor([[[1.0, -1.0, 1.0, -1.0]]])
    estimate = torch.tensor([[[1.0, -1.0, 1.0, -1.0]]]) + 0.1 * torch.tensor([[[1.0, 1.0, -1.0, -1.0]]])
    assert si_sdr(estimate=estimate, reference=reference).item() == pytest.approx(20.0, abs=1e-5)


def test_equals_nussl_where_nussl_is_defined():
    reference = noise(3, 2, 1000) + 0.3
    estimate = reference + 0.5 * noise(3, 2, 1000, seed=1) - 0.7
    expected = [nussl_si_sdr(e, s) for e, s in zip(estimate.numpy(), reference.numpy(), strict=True)]
    np.testing.assert_allclose(si_sdr(estimate=estimate, reference=reference).numpy(), expected, rtol=1e-10)


def test_without_removing_the_mean_it_is_the_paper_s_equation():
    reference, estimate = noise(1, 1, 500) + 1, noise(1, 1, 500, seed=1) + 2
    e, s = estimate.numpy().ravel(), reference.numpy().ravel()
    scaled = (e @ s) / (s @ s) * s
    expected = 10 * np.log10((scaled @ scaled) / ((e - scaled) @ (e - scaled)))
    score = si_sdr(estimate=estimate, reference=reference, zero_mean=False).item()
    assert score == pytest.approx(expected, rel=1e-10)
    assert score != pytest.approx(si_sdr(estimate=estimate, reference=reference).item(), abs=0.1)


@settings(max_examples=40, deadline=None)
@given(gain=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]), offset=st.floats(-1, 1), seed=st.integers(0, 99))
def test_level_polarity_and_offset_change_nothing(gain: float, sign: int, offset: float, seed: int):
    reference, error = noise(1, 2, 300, seed=seed), noise(1, 2, 300, seed=seed + 100)
    estimate = reference + 0.3 * error
    score = si_sdr(estimate=estimate, reference=reference).item()
    assert si_sdr(estimate=sign * gain * estimate + offset, reference=reference).item() == pytest.approx(
        score, abs=1e-4
    )
    assert si_sdr(estimate=estimate, reference=sign * gain * reference + offset).item() == pytest.approx(
        score, abs=1e-4
    )


@pytest.mark.parametrize("zero_mean", [True, False])
def test_perfect_is_infinite_at_any_level(zero_mean: bool):
    reference = noise(2, 2, 100)
    for gain in (1, 2, -0.5):
        assert si_sdr(estimate=gain * reference, reference=reference, zero_mean=zero_mean).tolist() == [math.inf] * 2


def test_a_silent_reference_has_no_score_and_a_silent_channel_is_left_out():
    reference, estimate = noise(2, 2, 100), noise(2, 2, 100, seed=1)
    one_channel = si_sdr(estimate=estimate[:1, :1], reference=reference[:1, :1])
    reference[0, 1] = 0.0
    reference[1] = 0.1  # constant: silent once its mean is removed
    scores = si_sdr(estimate=estimate, reference=reference)
    assert scores[0].item() == one_channel.item()
    assert math.isnan(scores[1].item())
    assert math.isfinite(si_sdr(estimate=estimate, reference=reference, zero_mean=False)[1].item())


def test_silent_estimate_no_samples_and_values_that_are_not_finite():
    reference = noise(1, 2, 100)
    assert si_sdr(estimate=torch.zeros_like(reference), reference=reference).tolist() == [-math.inf]
    assert si_sdr(estimate=torch.zeros(1, 1, 0), reference=torch.zeros(1, 1, 0)).isnan().all()
    broken = reference.clone()
    broken[0, 0, 3] = math.nan
    assert si_sdr(estimate=broken, reference=reference).isnan().all()
    assert si_sdr(estimate=reference, reference=broken).isnan().all()


def test_float32_input_is_summed_in_float64_and_not_changed():
    reference, estimate = noise(1, 1, 2000).float(), noise(1, 1, 2000, seed=1).float()
    copies = reference.clone(), estimate.clone()
    expected = si_sdr(estimate=estimate.double(), reference=reference.double())
    assert torch.equal(si_sdr(estimate=estimate, reference=reference), expected)
    assert torch.equal(reference, copies[0])
    assert torch.equal(estimate, copies[1])


def test_shapes_that_would_broadcast_are_refused():
    # unwrapped, since the shape checker that is on in tests would refuse it first
    with pytest.raises(InputError, match="same stems, channels and samples"):
        inspect.unwrap(si_sdr)(estimate=torch.zeros(1, 1, 4), reference=torch.zeros(1, 2, 4))


@pytest.mark.parametrize("metric", [si_sdr, sd_sdr, snr])
@pytest.mark.parametrize("zero_mean", [False, True])
def test_a_track_is_looked_at_in_blocks_with_the_same_score(metric, zero_mean: bool, monkeypatch: pytest.MonkeyPatch):
    reference, error = noise(2, 2, 1000) + 0.3, noise(2, 2, 1000, seed=1)
    sounds = {"estimate": 0.7 * reference + 0.1 * error, "reference": reference, "zero_mean": zero_mean}
    whole = metric(**sounds)
    monkeypatch.setattr("stemtune.evaluation.metrics.per_channel._BLOCK_SAMPLES", 96)
    torch.testing.assert_close(metric(**sounds), whole, rtol=0, atol=1e-10)
    late = torch.zeros_like(reference)
    late[..., -1] = 1.0
    assert metric(estimate=late + 0.1 * error, reference=late, zero_mean=zero_mean).isfinite().all()

"""BSSEval version 4 and 3 as properties, at their edges, and with what cannot be scored."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stemtune.errors import InputError
from stemtune.evaluation.metrics.bss_eval import (
    StemPair,
    bss_eval_v3_images,
    bss_eval_v3_sources,
    bss_eval_v4,
    bss_eval_v4_streamed,
    median_over_frames,
    sdr_v4,
    sdr_v4_streamed,
)

RATE = 500
FEW_TAPS = {"sample_rate": RATE, "filter_taps": 16}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(stems: int = 2, channels: int = 2, num_samples: int = 1700, seed: int = 0) -> tuple[Tensor, Tensor]:
    """An estimate and a reference."""
    reference = noise(stems, channels, num_samples, seed=seed)
    estimate = 0.8 * reference + 0.2 * reference.roll(1, 0) + 0.1 * noise(stems, channels, num_samples, seed=seed + 1)
    return estimate, reference


def close(a: Tensor, b: Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance, equal_nan=True)


@settings(max_examples=15, deadline=None)
@given(level_db=st.floats(-40, 80), seed=st.integers(0, 99))
def test_noise_at_a_known_level_gives_that_sdr(level_db: float, seed: int):
    reference, error = noise(2, 2, 3, RATE, seed=seed), noise(2, 2, 3, RATE, seed=seed + 100)
    frames = {"dim": (1, 3), "keepdim": True}
    error = error * (reference.square().sum(**frames) / error.square().sum(**frames)).sqrt() * 10 ** (-level_db / 20)
    estimate, reference = (reference + error).flatten(2), reference.flatten(2)
    expected = torch.full((2, 3), level_db, dtype=torch.float64)
    found = bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS)
    close(found.sdr, expected)
    close(sdr_v4(estimate=estimate, reference=reference, sample_rate=RATE), expected)


@settings(max_examples=15, deadline=None)
@given(gain=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]), seed=st.integers(0, 99))
def test_the_level_of_both_changes_nothing_and_that_of_the_estimate_neither_sir_nor_sar(
    gain: float, sign: int, seed: int
):
    estimate, reference = pair(seed=seed)
    before = bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS)
    both = bss_eval_v4(estimate=sign * gain * estimate, reference=sign * gain * reference, **FEW_TAPS)
    for name, values in both.ratios.items():
        close(values, before.ratios[name], 1e-6)
    one = bss_eval_v4(estimate=sign * gain * estimate, reference=reference, **FEW_TAPS)
    close(one.sir, before.sir, 1e-6)
    close(one.sar, before.sar, 1e-6)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations([0, 1, 2]), seed=st.integers(0, 99))
def test_the_order_of_stems_and_channels_does_not_matter(order: list[int], seed: int):
    estimate, reference = pair(stems=3, seed=seed)
    before = bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS)
    after = bss_eval_v4(estimate=estimate[order].flip(1), reference=reference[order].flip(1), **FEW_TAPS)
    for name, values in after.ratios.items():
        close(values, before.ratios[name][order])


def test_a_filtered_reference_is_spatial_distortion_and_nothing_else():
    reference = noise(2, 2, 4 * RATE)
    reference[..., -5:] = 0  # so that the filter's end is heard
    estimate = reference + 0.5 * reference.roll(5, -1)
    found = bss_eval_v4(estimate=estimate, reference=reference, window_seconds=math.inf, **FEW_TAPS)
    close(found.isr, torch.full_like(found.isr, 20 * math.log10(2)))
    assert (found.sir > 200).all()
    assert (found.sar > 200).all()


def test_what_leaks_in_is_interference_and_what_no_reference_holds_is_artefacts():
    reference = noise(2, 1, 20 * RATE)
    leaky = bss_eval_v4(estimate=reference + 0.1 * reference.roll(1, 0), reference=reference, **FEW_TAPS)
    close(median_over_frames(leaky.sir), torch.full((2,), 20.0, dtype=torch.float64), 0.3)
    assert (leaky.sar > 100).all()
    noisy = bss_eval_v4(estimate=reference + 0.1 * noise(2, 1, 20 * RATE, seed=5), reference=reference, **FEW_TAPS)
    close(median_over_frames(noisy.sar), torch.full((2,), 20.0, dtype=torch.float64), 0.3)
    assert median_over_frames(noisy.sir).min() > 30


def test_more_noise_scores_less():
    _, reference = pair()
    scores = [
        bss_eval_v4(estimate=reference + k * noise(2, 2, 1700, seed=9), reference=reference, **FEW_TAPS).sar.mean()
        for k in (0.01, 0.1, 0.5, 2.0)
    ]
    assert scores == sorted(scores, reverse=True)


def test_a_frame_in_which_anything_is_silent_has_no_score():
    estimate, reference = pair(num_samples=6 * RATE)
    reference[0, :, RATE : 2 * RATE] = 0
    estimate[1, :, 2 * RATE : 3 * RATE] = 0
    reference[1, 1, 4 * RATE : 5 * RATE] = -reference[1, 0, 4 * RATE : 5 * RATE]
    found = bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS)
    for values in (*found.ratios.values(), sdr_v4(estimate=estimate, reference=reference, sample_rate=RATE)):
        assert values.isnan().tolist() == [[False, True, True, False, True, False]] * 2
    assert torch.isfinite(median_over_frames(found.sdr)).all()


def test_numbers_do_not_depend_on_the_number_of_threads():
    estimate, reference = pair(num_samples=40 * RATE)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].sir, found[1].sir)
    assert torch.equal(found[0].sar, found[1].sar)


def test_any_type_and_layout_of_samples_gives_the_same_and_none_is_changed():
    estimate, reference = (x.float() for x in pair())
    expected = bss_eval_v4(estimate=estimate.double(), reference=reference.double(), **FEW_TAPS)
    before = estimate.clone(), reference.clone()
    transposed = reference.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    read_only = reference.numpy().copy()
    read_only.flags.writeable = False
    backwards = np.ascontiguousarray(reference.numpy()[::-1])[::-1]
    for other in (reference, transposed, reference.numpy(), read_only, backwards, reference.double().numpy()):
        assert torch.equal(bss_eval_v4(estimate=estimate, reference=other, **FEW_TAPS).sir, expected.sir)
    assert torch.equal(estimate, before[0])
    assert torch.equal(reference, before[1])
    assert torch.isfinite(bss_eval_v4(estimate=estimate.half(), reference=reference.half(), **FEW_TAPS).sir).all()


def test_gradients_are_not_followed():
    estimate, reference = pair()
    assert not bss_eval_v4(estimate=estimate.requires_grad_(), reference=reference, **FEW_TAPS).sdr.requires_grad


def test_a_perfect_stem_beside_an_imperfect_one():
    estimate, reference = pair()
    estimate[0] = reference[0]
    found = bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS)
    assert (found.sdr[0] == math.inf).all()
    assert torch.isfinite(found.sdr[1]).all()
    assert (found.isr[0] > 200).all()


def test_medians_leave_out_what_is_not_finite_and_take_the_mean_of_the_middle_two():
    values = torch.tensor([[1.0, 4.0, math.nan, math.inf], [math.nan] * 4, [3.0, 9.0, 1.0, math.inf]])
    expected = [2.5, math.nan, 3.0]
    np.testing.assert_array_equal(median_over_frames(values.double()).numpy(), expected)


@pytest.mark.parametrize("score", [bss_eval_v4, sdr_v4, bss_eval_v3_images, bss_eval_v3_sources])
class TestWhatCannotBeScored:
    @pytest.mark.parametrize(
        ("estimate", "complaint"),
        [
            (torch.zeros(2, 2, 99), r"shape \(2, 2, 99\) cannot .* \(2, 2, 100\)"),
            (torch.zeros(2, 1, 100), r"shape \(2, 1, 100\)"),
            (torch.zeros(3, 2, 100), r"shape \(3, 2, 100\)"),
            (torch.zeros(2, 100), "must have the axes stem, channel, time"),
            (torch.zeros(2, 2, 100, dtype=torch.int16), "must hold floating-point samples; it holds torch.int16"),
            (np.zeros((2, 2, 100), dtype=np.int16), "must hold floating-point samples; it holds int16"),
            ([[1.0]], "must be a tensor or a numpy array; it is a list"),
        ],
    )
    def test_other_shapes_and_types(self, score, estimate, complaint: str):
        # unwrapped, since the shape checker that is on in tests would refuse it first
        with pytest.raises(InputError, match=complaint):
            inspect.unwrap(score)(estimate=estimate, reference=noise(2, 2, 100), sample_rate=RATE)

    @pytest.mark.parametrize("shape", [(2, 2, 0), (0, 2, 100), (2, 0, 100)])
    def test_nothing(self, score, shape: tuple[int, ...]):
        with pytest.raises(InputError, match="needs a stem, a channel and a sample"):
            score(estimate=torch.zeros(shape), reference=torch.zeros(shape), sample_rate=RATE)

    @pytest.mark.parametrize("which", ["estimate", "reference"])
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_samples_that_are_no_numbers(self, score, which: str, value: float):
        sounds = dict(zip(("estimate", "reference"), pair(), strict=True))
        sounds[which][1, 0, 1650] = value  # in no frame
        with pytest.raises(InputError, match=f"the {which} of stem 1 is not finite at sample 1650"):
            score(**sounds, sample_rate=RATE)

    @pytest.mark.parametrize("which", ["estimate", "reference"])
    @pytest.mark.parametrize("opposite", [False, True])
    def test_a_stem_that_is_silent_throughout(self, score, which: str, opposite: bool):
        sounds = dict(zip(("estimate", "reference"), pair(), strict=True))
        sounds[which][1, 0] = -sounds[which][1, 1] if opposite else 0
        sounds[which][1, 1] = -sounds[which][1, 0]
        with pytest.raises(InputError, match=f"the {which} of stem 1 is silent throughout"):
            score(**sounds, sample_rate=RATE)

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"sample_rate": 0}, "a sample rate must be positive"),
            ({"sample_rate": -44100}, "a sample rate must be positive"),
            ({"window_seconds": 0.0}, "the window must last a sample at least"),
            ({"hop_seconds": -1.0}, "the hop must last a sample at least"),
            ({"hop_seconds": 1e-9}, "the hop must last a sample at least"),
            ({"window_seconds": math.nan}, "the window must last a sample at least"),
        ],
    )
    def test_rates_and_frames(self, score, options: dict[str, float], complaint: str):
        estimate, reference = pair()
        with pytest.raises(InputError, match=complaint):
            score(estimate=estimate, reference=reference, **({"sample_rate": RATE} | options))


@pytest.mark.parametrize("score", [bss_eval_v4, bss_eval_v3_images, bss_eval_v3_sources])
def test_filters_without_length_are_refused(score):
    estimate, reference = pair()
    with pytest.raises(InputError, match="filters need a tap at least"):
        score(estimate=estimate, reference=reference, sample_rate=RATE, filter_taps=0)


def test_a_stem_that_only_sounds_in_no_frame_is_not_silent_but_has_no_score():
    estimate, reference = pair()
    reference[0, :, : 3 * RATE] = 0
    assert sdr_v4(estimate=estimate, reference=reference, sample_rate=RATE).isnan().all()
    assert bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS).sar.isnan().all()


def test_exactly_dependent_references_are_explained_as_well_as_independent_ones():
    estimate, reference = pair(num_samples=3000)
    twins = torch.cat([reference[:, :1], reference[:, :1]], dim=1)
    both = torch.cat([estimate[:, :1], estimate[:, :1]], dim=1)
    expected = bss_eval_v4(estimate=estimate[:, :1], reference=reference[:, :1], **FEW_TAPS)
    found = bss_eval_v4(estimate=both, reference=twins, **FEW_TAPS)
    for name, values in found.ratios.items():
        close(values, expected.ratios[name], 1e-8)


class TestStreams:
    def reader(self, estimate: Tensor, reference: Tensor):
        return lambda start, stop: StemPair(estimate[..., start:stop], reference[..., start:stop])

    def test_are_scored_as_arrays_are(self):
        estimate, reference = pair()
        read = self.reader(estimate, reference)
        streamed = bss_eval_v4_streamed(read, num_samples=1700, **FEW_TAPS)
        assert torch.equal(streamed.sar, bss_eval_v4(estimate=estimate, reference=reference, **FEW_TAPS).sar)
        assert torch.equal(
            sdr_v4_streamed(read, num_samples=1700, sample_rate=RATE),
            sdr_v4(estimate=estimate, reference=reference, sample_rate=RATE),
        )

    @pytest.mark.parametrize("score", [bss_eval_v4_streamed, sdr_v4_streamed])
    def test_must_be_as_long_as_they_say(self, score):
        estimate, reference = pair()
        with pytest.raises(InputError, match=r"between samples \d+ and 1701 has the shape .*expected \(2, 2, "):
            score(self.reader(estimate, reference), num_samples=1701, sample_rate=RATE)
        with pytest.raises(InputError, match="a sample at least; the track has 0"):
            score(self.reader(estimate, reference), num_samples=0, sample_rate=RATE)


class TestVersion3:
    def test_sources_forgive_a_filter_that_images_blame(self):
        reference = noise(2, 1, 3000)
        reference[..., -2:] = 0
        options = {"estimate": reference - 0.7 * reference.roll(2, -1), "reference": reference, **FEW_TAPS}
        assert (bss_eval_v3_sources(**options).sdr > 200).all()
        assert (bss_eval_v3_images(**options).sdr < 5).all()

    def test_there_is_no_isr_of_sources(self):
        estimate, reference = pair()
        assert bss_eval_v3_sources(estimate=estimate, reference=reference, **FEW_TAPS).isr.isnan().all()

    def test_over_the_whole_track_images_are_those_of_version_4(self):
        estimate, reference = pair()
        new = bss_eval_v4(estimate=estimate, reference=reference, window_seconds=math.inf, **FEW_TAPS)
        old = bss_eval_v3_images(estimate=estimate, reference=reference, **FEW_TAPS)
        assert old.sdr.shape == (2, 1)
        for name, values in old.ratios.items():
            close(values, new.ratios[name])

    def test_windows_with_silence_have_no_score(self):
        estimate, reference = pair(num_samples=3000)
        reference[0, :, 1000:2000] = 0
        options = {"window_seconds": 2.0, "hop_seconds": 2.0, **FEW_TAPS}
        found = bss_eval_v3_sources(estimate=estimate, reference=reference, **options)
        assert found.sdr.isnan().tolist() == [[False, True, False]] * 2

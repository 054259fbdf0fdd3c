"""Ratio masks, mixture consistency and the Wiener filter, against plain loops and against what they promise."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stemtune.signal.masking import mixture_consistency, ratio_mask, wiener_em


def spectrogram(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.complex(torch.randn(*shape, generator=generator), torch.randn(*shape, generator=generator))


def wiener_in_loops(estimate: Tensor, mixture: Tensor, iterations: int, eps: float) -> np.ndarray:
    """The equations of the module's docstring, bin by bin."""
    level = max(1.0, float(mixture.abs().max()) / 10)
    y, x = estimate.numpy().astype(np.complex128) / level, mixture.numpy().astype(np.complex128) / level
    stems, channels, bins, frames = y.shape
    for _ in range(iterations):
        power = (np.abs(y) ** 2).mean(axis=1)
        refined = np.zeros_like(y)
        for f in range(bins):
            covariances = []
            for j in range(stems):
                outer = sum(np.outer(y[j, :, f, n], y[j, :, f, n].conj()) for n in range(frames))
                covariances.append(outer / (eps + power[j, f].sum()))
            for n in range(frames):
                mixed = sum(power[j, f, n] * covariances[j] for j in range(stems)) + eps**0.5 * np.eye(channels)
                for j in range(stems):
                    refined[j, :, f, n] = power[j, f, n] * covariances[j] @ np.linalg.inv(mixed) @ x[:, f, n]
        y = refined
    return y * level


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("gain", [0.01, 1.0, 100.0])
def test_wiener_is_what_its_equations_say(channels: int, gain: float) -> None:
    mixture = gain * spectrogram(channels, 3, 7)
    estimate = torch.rand(4, *mixture.shape) * mixture
    refined = wiener_em(estimate=estimate, mixture=mixture, iterations=2)
    expected = torch.from_numpy(wiener_in_loops(estimate, mixture, 2, 1e-10)).to(refined.dtype)
    torch.testing.assert_close(refined, expected, rtol=1e-4, atol=1e-5 * gain)


def test_wiener_of_a_batch_is_wiener_of_its_examples() -> None:
    mixture = spectrogram(3, 2, 5, 8) * torch.tensor([0.1, 1.0, 50.0]).view(3, 1, 1, 1)
    estimate = torch.rand(3, 4, 2, 5, 8) * mixture.unsqueeze(1)
    together = wiener_em(estimate=estimate, mixture=mixture)
    for index in range(3):
        torch.testing.assert_close(together[index], wiener_em(estimate=estimate[index], mixture=mixture[index]))


def test_wiener_windows_are_filtered_independently() -> None:
    mixture = spectrogram(2, 5, 20)
    estimate = torch.rand(3, 2, 5, 20) * mixture
    windows = wiener_em(estimate=estimate, mixture=mixture, window_frames=8)
    for start in (0, 8, 16):
        part = slice(start, start + 8)
        torch.testing.assert_close(
            windows[..., part], wiener_em(estimate=estimate[..., part], mixture=mixture[..., part])
        )


def test_wiener_leaves_its_arguments_alone_and_needs_no_iterations() -> None:
    mixture = 100 * spectrogram(2, 5, 6)
    estimate = torch.rand(3, 2, 5, 6) * mixture
    before = (mixture.clone(), estimate.clone())
    wiener_em(estimate=estimate, mixture=mixture, iterations=2)
    assert torch.equal(mixture, before[0])
    assert torch.equal(estimate, before[1])
    assert torch.equal(wiener_em(estimate=estimate, mixture=mixture, iterations=0), estimate)


def test_wiener_stems_sum_to_the_mixture_where_there_is_energy() -> None:
    mixture = 10 * spectrogram(2, 5, 40)
    estimate = torch.rand(4, 2, 5, 40) * mixture
    torch.testing.assert_close(wiener_em(estimate=estimate, mixture=mixture).sum(dim=0), mixture, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("side", [0.0, 1e-4])
def test_wiener_of_mono_music_on_two_channels(side: float) -> None:
    mono = 100 * spectrogram(1, 5, 40)
    mixture = torch.cat([mono, mono + side * spectrogram(1, 5, 40, seed=1)])
    refined = wiener_em(estimate=torch.tensor([0.25, 0.75]).view(2, 1, 1, 1) * mixture, mixture=mixture)
    torch.testing.assert_close(refined.sum(dim=0), mixture, rtol=1e-3, atol=1e-2)


def test_wiener_of_silence_is_silence() -> None:
    silence = torch.zeros(2, 5, 6, dtype=torch.complex64)
    refined = wiener_em(estimate=silence.expand(3, -1, -1, -1), mixture=silence, iterations=2)
    assert torch.equal(refined, torch.zeros_like(refined))


def test_wiener_passes_gradients() -> None:
    mixture = spectrogram(2, 3, 4)
    masks = torch.rand(2, 2, 3, 4, requires_grad=True)
    wiener_em(estimate=masks * mixture, mixture=mixture).abs().sum().backward()
    assert masks.grad is not None
    assert torch.isfinite(masks.grad).all()


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_ratio_masks_share_every_bin(power: float) -> None:
    magnitudes = spectrogram(2, 3, 1, 4, 5).abs()
    masks = ratio_mask(magnitudes=magnitudes, power=power)
    assert (masks >= 0).all()
    torch.testing.assert_close(masks.sum(dim=1), torch.ones(2, 1, 4, 5))
    torch.testing.assert_close(masks[:, 0] * magnitudes[:, 1] ** power, masks[:, 1] * magnitudes[:, 0] ** power)
    assert torch.equal(ratio_mask(magnitudes=torch.zeros(3, 1, 4, 5)), torch.zeros(3, 1, 4, 5))


def test_consistent_stems_sum_to_the_mixture() -> None:
    mixture, estimate = torch.randn(2, 2, 100), torch.randn(2, 4, 2, 100)
    before = estimate.clone()
    consistent = mixture_consistency(estimate=estimate, mixture=mixture)
    torch.testing.assert_close(consistent.sum(dim=1), mixture)
    torch.testing.assert_close(mixture_consistency(estimate=consistent, mixture=mixture), consistent)
    assert torch.equal(estimate, before)
    changes = consistent - estimate
    torch.testing.assert_close(changes[:, :1].expand_as(changes), changes)

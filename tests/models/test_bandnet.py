"""BandNet beyond the common examination: its masks, its level, its bands."""

import pytest
import torch

from stemtune.errors import ConfigError
from stemtune.models.bandnet import BandNet, BandNetConfig
from tests.training.miniature import tiny_model


def network() -> BandNet:
    torch.manual_seed(0)
    return tiny_model().build().eval()


def test_masks_sum_to_one_and_estimates_to_the_mixture() -> None:
    mixture = torch.randn(2, 1, 5000)
    with torch.inference_mode():
        estimate = network()(mixture)
    assert estimate.masks is not None
    torch.testing.assert_close(estimate.masks.sum(dim=1), torch.ones_like(estimate.masks[:, 0]))
    torch.testing.assert_close(estimate.sources.sum(dim=1), mixture, atol=1e-5, rtol=1e-4)


def test_how_loud_the_mixture_is_makes_no_difference_to_the_masks() -> None:
    mixture = torch.randn(1, 1, 5000)
    with torch.inference_mode():
        loud, quiet = network()(mixture).masks, network()(mixture * 1e-3).masks
    torch.testing.assert_close(loud, quiet, atol=1e-4, rtol=1e-4)


def test_bins_above_the_last_band_take_its_mean_mask() -> None:
    with torch.inference_mode():
        masks = network()(torch.randn(1, 1, 5000)).masks
    assert masks is not None
    assert masks.shape[-2] == 129
    torch.testing.assert_close(masks[..., 128, :], masks[..., 96:128, :].mean(dim=-2))


def test_bands_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="the bands cover 130 bins, the spectrogram has only 129"):
        tiny_model().override({"bands": [[1, 130]]})


def test_the_default_has_as_many_parameters_as_its_card_says() -> None:
    assert sum(parameter.numel() for parameter in BandNetConfig().build().parameters()) == 1_802_288

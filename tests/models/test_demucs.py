"""Demucs beyond the common examination: the preprint's sizes, its lengths, its scales, its two ways of computing."""

import math

import pytest
import torch
from torch import Tensor

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.models.demucs import Demucs, DemucsConfig, demucs_v2
from stemtune.nn.scaled_conv import ScaledConv


def small(**changes: object) -> Demucs:
    torch.manual_seed(0)
    return parse(DemucsConfig, {"width": 4, "depth": 3} | changes).build().eval()


def noise(*shape: int) -> Tensor:
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_default_sizes_are_the_preprints() -> None:
    with torch.device("meta"):
        model = DemucsConfig().build()
    assert sum(parameter.numel() for parameter in model.parameters()) == 152_610_488
    assert model.config.layer_channels == (2, 48, 96, 192, 384, 768, 1536)
    assert model.stems == ("drums", "bass", "other", "vocals")


def test_valid_lengths_are_the_published_ones() -> None:
    with torch.device("meta"):
        model = DemucsConfig().build()
    assert model.valid_length(5 * 44100) == 234836
    assert model.valid_length(10 * 44100) == 451924


@pytest.mark.parametrize("context_frames", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [4, 8, 12])
@pytest.mark.parametrize("skip", ["concat", "add"])
def test_any_kernel_and_context_fits(context_frames: int, kernel_size: int, skip: str) -> None:
    model = small(context_frames=context_frames, kernel_size=kernel_size, skip=skip)
    for num_samples in (1, 63, 64, 1000):
        with torch.no_grad():
            assert model(noise(2, 2, num_samples)).sources.shape == (2, 4, 2, num_samples)


@pytest.mark.parametrize("changes", [{}, {"skip": "add", "bottom_relu": False}, {"glu": False}, {"resample": True}])
@pytest.mark.parametrize("num_samples", [1000, 30000])
def test_blocks_and_cores_do_not_change_the_estimate(changes: dict[str, object], num_samples: int) -> None:
    model, mixture = small(**changes), noise(2, 2, num_samples)
    whole = model(mixture).sources.detach()
    with torch.no_grad():
        one = model(mixture).sources
        torch.set_num_threads(2)
        try:
            two = model(mixture).sources
        finally:
            torch.set_num_threads(1)
    torch.testing.assert_close(one, whole, rtol=1e-4, atol=1e-6)
    assert torch.equal(one, two)


def test_estimates_are_aligned_with_the_mixture() -> None:
    """A click moves the estimate most where it is."""
    model = small(lstm_layers=0, normalise=False)
    silence = torch.zeros(1, 2, 4001)
    click = silence.clone()
    click[..., 2000] = 1.0
    with torch.no_grad():
        moved = (model(click).sources - model(silence).sources).abs().sum(dim=(0, 1, 2))
    reach = moved.nonzero().flatten()
    assert abs(int(reach[0] + reach[-1]) / 2 - 2000) <= 4**3
    assert reach[-1] - 2000 < model.valid_length(1)


@pytest.mark.parametrize("rescaling", ["equalised", "none"])
def test_equalising_changes_no_function_only_the_stored_scale(rescaling: str) -> None:
    torch.manual_seed(0)
    plain = small(rescaling="none")
    model = small(rescaling=rescaling)
    with torch.no_grad():
        torch.testing.assert_close(model(noise(1, 2, 999)).sources, plain(noise(1, 2, 999)).sources)


def test_the_stored_scale_is_the_geometric_mean_with_the_reference() -> None:
    torch.manual_seed(0)
    layer = ScaledConv(2, 8, 48, fan_in=16, rescaling="equalised", reference=0.1)
    drawn = 1 / math.sqrt(3 * 16)  # .144: the first layer of the preprint's network
    assert layer.gain == pytest.approx(math.sqrt(drawn / 0.1))
    assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(0.1 * drawn), rel=0.05)


def test_the_release_starts_with_smaller_weights_and_biases() -> None:
    torch.manual_seed(0)
    layer = ScaledConv(1, 1536, 64, fan_in=1536, rescaling="initial", reference=0.1)
    assert layer.gain == 1.0
    assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(0.1 / math.sqrt(3 * 1536)), rel=0.05)


def test_the_release_is_named() -> None:
    config = demucs_v2(width=4)
    assert (config.skip, config.bottom_relu, config.rescaling, config.resample) == ("add", False, "initial", True)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kernel_size": 7}, "multiple of the stride"),
        ({"stems": ("bass", "bass")}, "distinct"),
        ({"stems": ()}, "stems"),
        ({"depth": 0}, "depth"),
        ({"skip": "none"}, "skip"),
    ],
)
def test_configurations_that_make_no_network_are_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        small(**changes)

"""X-UMX beyond the common examination: its sizes, its bridges, its two ways of computing."""

import pytest
import torch
from torch import Tensor

from stemtune.config import parse
from stemtune.errors import ConfigError
from stemtune.models.xumx import XUMX, XUMXConfig
from stemtune.nn.precision import autocast

WINDOWS_OF_ASTEROID = 4096  # it counts the analysis window, shared by both transforms, as a parameter


def small(**changes: object) -> XUMX:
    torch.manual_seed(0)
    sizes = {"n_fft": 128, "hop_length": 32, "num_bins": 40, "hidden_size": 16, "num_layers": 2}
    model = parse(XUMXConfig, sizes | changes).build()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def noise(*shape: int) -> Tensor:
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_default_sizes_are_the_references() -> None:
    config = XUMXConfig()
    assert sum(parameter.numel() for parameter in config.build().parameters()) == 35_577_488 - WINDOWS_OF_ASTEROID
    assert config.stems == ("bass", "drums", "vocals", "other")
    assert (config.n_fft, config.hop_length, config.num_bins, config.sample_rate) == (4096, 1024, 1487, 44100)


@pytest.mark.parametrize("changes", [{}, {"bridged": False}, {"wiener_iterations": 2}, {"wiener_window_frames": 7}])
@pytest.mark.parametrize("num_samples", [1, 40, 5000, 128 * 32 - 1, 128 * 32, 130 * 32 + 5, 20000])
def test_blocks_equal_the_whole(changes: dict[str, object], num_samples: int) -> None:
    model = small(**{"wiener_iterations": 1, "wiener_window_frames": 50} | changes)
    mixture = noise(2, 2, num_samples)
    whole = model(mixture)
    with torch.no_grad():
        blocks = model(mixture)
    for name in model.offers:
        torch.testing.assert_close(getattr(blocks, name), getattr(whole, name).detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"bridged": False}, {"wiener_iterations": 1, "wiener_window_frames": 50}])
def test_cores_do_not_change_a_bit(changes: dict[str, object]) -> None:
    model, mixture = small(**changes), noise(2, 2, 20000)
    with torch.no_grad():
        one = model(mixture)
        torch.set_num_threads(2)
        try:
            two = model(mixture)
        finally:
            torch.set_num_threads(1)
    for name in model.offers:
        assert torch.equal(getattr(one, name), getattr(two, name)), name


@pytest.mark.parametrize("bridged", [True, False])
def test_only_bridged_stems_hear_each_other(bridged: bool) -> None:
    model, mixture = small(bridged=bridged), noise(1, 2, 3000)
    with torch.no_grad():
        before = model(mixture).sources
        model.networks[1].encoder.linear.weight.mul_(-1)
        after = model(mixture).sources
    assert not torch.allclose(before[:, 1], after[:, 1])
    assert torch.equal(before[:, 0], after[:, 0]) is not bridged


def test_what_is_offered_fits_together() -> None:
    model, mixture = small(), noise(2, 2, 3000)
    with torch.no_grad():
        estimate = model(mixture)
    assert estimate.masks is not None
    assert estimate.magnitudes is not None
    assert estimate.latents is not None
    spectrogram = torch.stft(
        mixture.flatten(0, 1), 128, 32, window=torch.hann_window(128), return_complex=True
    ).unflatten(0, (2, 2))
    torch.testing.assert_close(estimate.magnitudes, estimate.masks * spectrogram.abs().unsqueeze(1))
    assert (estimate.masks >= 0).all()
    assert estimate.latents.shape == (2, 4, 32, spectrogram.shape[-1])
    assert estimate.latents[:, :, :16].abs().max() <= 1


def test_masks_of_one_are_the_identity() -> None:
    model, mixture = small(), noise(1, 2, 5001)
    with torch.no_grad():
        for network in model.networks:
            network.expand.output_scale.zero_()
        sources = model(mixture).sources
    torch.testing.assert_close(sources, mixture.unsqueeze(1).expand_as(sources))


def test_bfloat16_keeps_transforms_exact() -> None:
    model, mixture = small(), noise(1, 2, 5001)
    with torch.no_grad(), autocast("cpu", "bfloat16"):
        for network in model.networks:
            network.expand.output_scale.zero_()
        sources = model(mixture).sources
    assert sources.dtype == torch.float32
    torch.testing.assert_close(sources, mixture.unsqueeze(1).expand_as(sources))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"num_bins": 66}, "at most n_fft // 2"),
        ({"n_fft": 127}, "even"),
        ({"hop_length": 65}, "hop_length must be at most"),
        ({"hidden_size": 15}, "must be even"),
        ({"stems": ("bass", "bass")}, "distinct"),
        ({"stems": ()}, "stems"),
        ({"dropout_probability": 1.0}, "dropout_probability"),
    ],
)
def test_configurations_that_make_no_network_are_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        small(**changes)

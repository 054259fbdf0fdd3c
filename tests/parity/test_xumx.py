"""X-UMX, Open-Unmix and the Wiener filter give what asteroid 0.6.0, openunmix 1.3.0 and norbert 0.2.1 give."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.hub.convert import from_asteroid_xumx, from_open_unmix
from stemtune.models.xumx import XUMX
from stemtune.signal.masking import wiener_em
from stemtune.signal.stft import stft
from tests.golden import make_xumx
from tests.parity import references

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # norbert imports an old name of scipy's
    import norbert

MAGNITUDE_TOLERANCE = 1e-5
WIENER_TOLERANCE = 1e-4

asteroid_installed = pytest.mark.skipif(
    bool(references.why_missing("asteroid")), reason=references.why_missing("asteroid")
)
openunmix_installed = pytest.mark.skipif(
    bool(references.why_missing("openunmix")), reason=references.why_missing("openunmix")
)


def relative_difference(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate.detach() - reference).norm() / reference.norm())


def states(golden: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    return {
        stem: {
            name.removeprefix(f"state/{stem}/"): value
            for name, value in golden.items()
            if name.startswith(f"state/{stem}/")
        }
        for stem in make_xumx.STEMS
    }


def with_wiener(model: XUMX, iterations: int, window_frames: int = 300) -> XUMX:
    changes = {"wiener_iterations": iterations, "wiener_window_frames": window_frames}
    other = model.config.override(changes).build().eval()
    other.load_state_dict(model.state_dict())
    return other


@pytest.mark.parametrize("gradients", [False, True])
def test_golden_magnitudes_of_asteroid(gradients: bool) -> None:
    golden = load_file(make_xumx.FOLDER / "asteroid_xumx.safetensors")
    model = from_asteroid_xumx(
        {name.removeprefix("state/"): value for name, value in golden.items() if "state/" in name}
    )
    with torch.set_grad_enabled(gradients):
        estimate = model(golden["mixture"])
    assert model.stems == make_xumx.STEMS
    assert estimate.magnitudes is not None
    assert relative_difference(estimate.magnitudes, golden["magnitudes"]) < MAGNITUDE_TOLERANCE


@pytest.mark.parametrize("gradients", [False, True])
def test_golden_magnitudes_and_sources_of_open_unmix(gradients: bool) -> None:
    golden = load_file(make_xumx.FOLDER / "open_unmix.safetensors")
    model = from_open_unmix(states(golden))
    with torch.set_grad_enabled(gradients):
        for iterations in (0, 1, 2):
            estimate = with_wiener(model, iterations, window_frames=make_xumx.WINDOW_FRAMES)(golden["mixture"])
            assert estimate.magnitudes is not None
            assert relative_difference(estimate.magnitudes, golden["magnitudes"]) < MAGNITUDE_TOLERANCE
            assert relative_difference(estimate.sources, golden[f"sources/{iterations}"]) < WIENER_TOLERANCE


@asteroid_installed
def test_golden_file_of_asteroid_is_what_asteroid_gives() -> None:
    assert_same(load_file(make_xumx.FOLDER / "asteroid_xumx.safetensors"), make_xumx.make_asteroid())


@openunmix_installed
def test_golden_file_of_open_unmix_is_what_open_unmix_gives() -> None:
    assert_same(load_file(make_xumx.FOLDER / "open_unmix.safetensors"), make_xumx.make_open_unmix())


def assert_same(stored: dict[str, Tensor], made: dict[str, Tensor]) -> None:
    assert stored.keys() == made.keys()
    for name, value in stored.items():
        torch.testing.assert_close(made[name], value, rtol=1e-4, atol=1e-5 * float(value.float().abs().max()))


@asteroid_installed
@pytest.mark.filterwarnings("ignore:stft with return_complex=False")
def test_full_size_against_asteroid() -> None:
    reference = references.asteroid_xumx()(["bass", "drums", "vocals", "other"], max_bin=1487)
    references.randomise(reference, seed=1)
    model = from_asteroid_xumx(reference.state_dict())
    mixture = noise(2, 2, 30011)
    with torch.no_grad():
        expected, _ = reference.eval()(mixture)
        magnitudes = model(mixture).magnitudes
    assert model.config == type(model.config)()
    assert magnitudes is not None
    assert relative_difference(magnitudes, expected.permute(2, 0, 3, 4, 1)) < MAGNITUDE_TOLERANCE


@openunmix_installed
@pytest.mark.parametrize(
    ("hidden_size", "unidirectional", "channels"), [(512, False, 2), (1024, False, 2), (64, True, 1)]
)
def test_full_size_against_open_unmix(hidden_size: int, unidirectional: bool, channels: int) -> None:
    reference = references.open_unmix()
    targets = {
        stem: reference.OpenUnmix(2049, channels, hidden_size, unidirectional=unidirectional, max_bin=1487)
        for stem in ("vocals", "drums")
    }
    for seed, target in enumerate(targets.values()):
        references.randomise(target, seed=seed)
    model = from_open_unmix({stem: target.state_dict() for stem, target in targets.items()})
    mixture = noise(1, channels, 40009)
    for iterations in (0, 1):
        separator = reference.Separator(targets, niter=iterations, nb_channels=channels).eval()
        with torch.no_grad():
            expected = separator(mixture.clone())
            estimate = with_wiener(model, iterations)(mixture)
        assert relative_difference(estimate.sources, expected) < WIENER_TOLERANCE


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_wiener_against_norbert(channels: int, iterations: int) -> None:
    spectrogram = stft(30 * noise(channels, 4000), n_fft=128, hop_length=32, window=torch.hann_window(128))
    masks = torch.rand(3, *spectrogram.shape, generator=torch.Generator().manual_seed(3))
    expected = norbert.wiener(
        np.asarray((masks * spectrogram.abs()).permute(3, 2, 1, 0), dtype=np.float64).copy(),
        np.asarray(spectrogram.permute(2, 1, 0), dtype=np.complex128).copy(),
        iterations,
        use_softmask=False,
        eps=1e-10,
    )
    refined = wiener_em(estimate=masks * spectrogram, mixture=spectrogram, iterations=iterations)
    assert relative_difference(refined.permute(3, 2, 1, 0), torch.from_numpy(expected)) < WIENER_TOLERANCE


def noise(*shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(5))

"""VGGish gives what torchvggish 0.2 gives, from the front end to the quantised features."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.errors import WeightsError
from stemtune.hub.convert.torchvggish import from_torchvggish
from tests.golden import make_vggish
from tests.parity import references

LOG_MEL_TOLERANCE, NETWORK_TOLERANCE = 1e-5, 1e-4
installed = pytest.mark.skipif(
    bool(references.why_missing("torchvggish")), reason=references.why_missing("torchvggish")
)


def golden_state() -> dict[str, Tensor]:
    golden = load_file(make_vggish.FILE)
    return {name.removeprefix("state/"): value for name, value in golden.items() if name.startswith("state/")}


def principal_axes(size: int = make_vggish.FEATURES) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        "pca_eigen_vectors": torch.randn(size, size, generator=generator),
        "pca_means": torch.rand(size, 1, generator=generator),
    }


def test_golden() -> None:
    golden = load_file(make_vggish.FILE)
    listener = from_torchvggish(golden_state())
    heard = make_vggish.waveform().float()[None]
    patches = listener.patches(heard)
    assert torch.allclose(patches[0], golden["patches"][:, 0], atol=LOG_MEL_TOLERANCE, rtol=0)
    with torch.no_grad():
        features = listener(heard)
    assert features.shape == (1, make_vggish.FEATURES, 2)
    assert features.any()
    assert torch.allclose(features[0].T, golden["features"], rtol=NETWORK_TOLERANCE, atol=NETWORK_TOLERANCE)


@installed
def test_the_golden_file_is_what_the_reference_gives() -> None:
    golden, made = load_file(make_vggish.FILE), make_vggish.make()
    assert golden.keys() == made.keys()
    assert all(torch.allclose(made[name], value, atol=1e-6) for name, value in golden.items())


@installed
@pytest.mark.parametrize("num_samples", [15_600, 15_680, 94_400, 96_000])
def test_the_front_end_at_any_length(num_samples: int) -> None:
    waveform = make_vggish.waveform(num_samples)
    expected = references.torchvggish().examples(waveform.T.numpy(), 16000).detach()[:, 0]
    patches = from_torchvggish(golden_state()).patches(waveform.float()[None])[0]
    assert patches.shape == expected.shape
    assert torch.allclose(patches, expected, atol=LOG_MEL_TOLERANCE, rtol=0)


@installed
@pytest.mark.slow
def test_the_network_at_full_size() -> None:
    model = make_vggish.reference(full_size=True)
    listener = from_torchvggish(model.state_dict())
    assert sum(parameter.numel() for parameter in listener.parameters()) == 72_141_184
    waveform = make_vggish.waveform(16_000).float()[None]
    with torch.no_grad():
        expected = model(listener.patches(waveform).transpose(0, 1))
        assert torch.allclose(listener(waveform)[0].T, expected, rtol=NETWORK_TOLERANCE, atol=1e-7)


@pytest.mark.parametrize("quantise", ["bytes", "steps"])
def test_whitening_and_quantisation(quantise: str) -> None:
    """The published post-processing, step by step in double precision."""
    pca = principal_axes()
    plain = from_torchvggish(golden_state())
    listener = from_torchvggish(golden_state(), pca, quantise=quantise)
    waveform = make_vggish.waveform().float()[None]
    with torch.no_grad():
        raw = plain(waveform)[0].double().numpy()
        answer = listener(waveform)[0].double().numpy()
    white = pca["pca_eigen_vectors"].double().numpy() @ (raw - pca["pca_means"].double().numpy())
    steps = np.round((np.clip(white, -2, 2) + 2) * 255 / 4)
    assert np.array_equal(answer, steps) if quantise == "bytes" else np.allclose(answer, steps * 4 / 255 - 2, atol=1e-6)
    assert len(np.unique(steps)) > 4
    assert from_torchvggish(golden_state(), pca).config.quantise == "bytes"


def test_what_does_not_fit_is_named() -> None:
    state = golden_state()
    with pytest.raises(WeightsError, match=r"principal axes are \(5, 5\)"):
        from_torchvggish(state, principal_axes(5))
    with pytest.raises(WeightsError, match="has no 'pca_means'"):
        from_torchvggish(state, {"pca_eigen_vectors": torch.eye(8)})
    with pytest.raises(WeightsError, match=r"layers\.0\.weight: shape \(7, 5\), expected"):
        from_torchvggish(state | {"embeddings.0.weight": torch.zeros(7, 5)})
    del state["features.6.bias"]
    with pytest.raises(WeightsError, match=r"no tensor 'features\.6\.bias'"):
        from_torchvggish(state)

"""Demucs gives what demucs 2.0.3 gives, and its sinc interpolation what julius gives."""

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.hub.convert import from_demucs_v2
from tests.golden import make_demucs
from tests.parity import references

TOLERANCE = 1e-5

installed = pytest.mark.skipif(bool(references.why_missing("demucs")), reason=references.why_missing("demucs"))


def difference(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate.detach() - reference.detach()).norm() / reference.detach().norm())


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("resample", [False, True])
def test_golden_sources(resample: bool, gradients: bool) -> None:
    prefix = f"resample={resample}/"
    golden = {
        name.removeprefix(prefix): value
        for name, value in load_file(make_demucs.FOLDER / "demucs_v2.safetensors").items()
        if name.startswith(prefix)
    }
    state = {name.removeprefix("state/"): value for name, value in golden.items() if name.startswith("state/")}
    model = from_demucs_v2(state, resample=resample, stems=make_demucs.STEMS, normalise=False)
    with torch.set_grad_enabled(gradients):
        sources = model(golden["mixture"]).sources
    assert difference(sources, golden["sources"]) < TOLERANCE


@installed
def test_golden_file_is_what_the_reference_gives() -> None:
    stored, made = load_file(make_demucs.FOLDER / "demucs_v2.safetensors"), make_demucs.make()
    assert stored.keys() == made.keys()
    for name, value in stored.items():
        torch.testing.assert_close(made[name], value, rtol=1e-4, atol=1e-5)


@installed
@pytest.mark.parametrize("resample", [False, True])
@pytest.mark.parametrize("num_samples", [1, 777, 20000])
def test_live_sources_gradients_and_lengths(resample: bool, num_samples: int) -> None:
    torch.manual_seed(0)
    reference = references.demucs()(["a", "b"], channels=8, depth=4, resample=resample).eval()
    model = from_demucs_v2(reference.state_dict(), resample=resample, stems=("a", "b"), normalise=False)
    assert model.valid_length(num_samples) == reference.valid_length(num_samples)
    given = 0.3 * torch.randn(2, 2, num_samples) + 0.05
    expected = make_demucs.trimmed(reference, given)
    sources = model(given).sources
    assert difference(sources, expected) < TOLERANCE
    sources.square().sum().backward()
    expected.square().sum().backward()
    gradients = from_demucs_v2_gradients(reference, model.config.resample)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert (parameter.grad - gradients[name]).norm() < 1e-3 * gradients[name].norm(), name


def from_demucs_v2_gradients(reference: torch.nn.Module, resample: bool) -> dict[str, Tensor]:
    """The reference's gradients under our names, in our layout: the converter does not care what it converts."""
    gradients = {name: p.grad for name, p in reference.named_parameters() if p.grad is not None}
    return dict(from_demucs_v2(gradients, resample=resample, stems=("a", "b")).named_parameters())


@installed
def test_full_size() -> None:
    torch.manual_seed(0)
    reference = references.demucs()(["drums", "bass", "other", "vocals"], channels=48, resample=True).eval()
    model = from_demucs_v2(reference.state_dict(), normalise=False)
    given = 0.3 * torch.randn(1, 2, 20000)
    with torch.inference_mode():
        assert difference(model(given).sources, make_demucs.trimmed(reference, given)) < TOLERANCE


def test_normalisation_is_by_the_mono_mixture_and_undone() -> None:
    golden = load_file(make_demucs.FOLDER / "demucs_v2.safetensors")
    prefix = "resample=False/state/"
    state = {name.removeprefix(prefix): value for name, value in golden.items() if name.startswith(prefix)}
    inside = from_demucs_v2(state, resample=False, stems=make_demucs.STEMS)
    outside = from_demucs_v2(state, resample=False, stems=make_demucs.STEMS, normalise=False)
    mixture = make_demucs.mixture(900)[:1]
    mean, deviation = mixture.mean(dim=1).mean(), mixture.mean(dim=1).std()
    with torch.no_grad():
        expected = outside((mixture - mean) / (1e-5 + deviation)).sources * deviation + mean
        assert difference(inside(mixture).sources, expected) < TOLERANCE

"""The scattering transform gives what kymatio 0.3.0 gives, but for its powers of two."""

import importlib

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stemtune.signal.scattering import scatter, wavelets
from tests.golden import make_scattering
from tests.parity import references

installed = pytest.mark.skipif(
    bool(references.why_missing("kymatio")) or importlib.util.find_spec("scipy") is None,
    reason=references.why_missing("kymatio") or "scipy is not installed",
)


def divided_as_kymatio_does(ours: Tensor) -> Tensor:
    first, second = wavelets(scale=8, per_octave=8), wavelets(scale=8, per_octave=1)
    rates = [wavelet.octaves for wavelet in first]
    after = [wavelet.octaves for wavelet in second if wavelet.octaves > rates[0]]
    divisors = torch.ones(7, 54, 1)
    for row, rate in enumerate(rates):
        divisors[0, row] = 2**rate
        for channel, octaves in enumerate(after, start=1):
            divisors[channel, row] = 2 ** (rate + octaves)
    return ours / divisors


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    scale = theirs.abs().amax(dim=(1, 2), keepdim=True)
    assert ((divided_as_kymatio_does(ours) - theirs).abs() / scale).max() < 2e-5
    assert torch.equal(ours == 0, theirs == 0)


def test_golden_file() -> None:
    golden = load_file(make_scattering.FOLDER / "scattering.safetensors")
    frames = golden["frames"]
    assert_same(scatter(make_scattering.waveform())[..., :: make_scattering.EVERY], frames)


@installed
def test_live() -> None:
    torch.manual_seed(0)
    waveform = torch.randn(131072)
    assert_same(scatter(waveform), make_scattering.kymatio_frames(waveform))


@installed
def test_golden_file_is_what_kymatio_gives() -> None:
    golden = load_file(make_scattering.FOLDER / "scattering.safetensors")
    torch.testing.assert_close(make_scattering.make()["frames"], golden["frames"], rtol=1e-4, atol=1e-6)

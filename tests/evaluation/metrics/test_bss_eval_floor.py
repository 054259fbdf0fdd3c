import pytest
import torch

from stemtune.evaluation.metrics.bss_eval import bss_eval_v4
from stemtune.evaluation.metrics.bss_eval.floor import with_noise_floor
from stemtune.signal.resample import resample

RATE = 8000


@pytest.fixture
def narrow() -> torch.Tensor:
    """Two sources of four seconds that came from four fifths of the rate, and swell: nothing above 3.2 kHz."""
    rate = RATE * 4 // 5
    noise = torch.randn(2, 1, 4 * rate, generator=torch.Generator().manual_seed(3))
    sources = resample(noise, source_rate=rate, target_rate=RATE)
    return sources * torch.linspace(0, 1, sources.shape[-1]).sin()


def test_empty_bands_no_longer_decide_sir_and_sar(narrow: torch.Tensor) -> None:
    """A tenth of the other source leaks: SIR is about 20 dB."""
    noise = 0.1 * torch.randn(narrow.shape, generator=torch.Generator().manual_seed(4))
    estimate = narrow + 0.1 * narrow.flip(0) + noise
    bare, floored = (
        bss_eval_v4(estimate=estimate, reference=reference, sample_rate=RATE).medians()
        for reference in (narrow, with_noise_floor(narrow, floor_db=-60.0))
    )
    assert bool((bare["sir"] < 0).all() and (bare["sar"] < 1).all())  # what the floor is there for
    assert torch.allclose(floored["sir"], torch.full_like(floored["sir"], 20.0), atol=3.0)
    assert bool((floored["sar"] > 10).all())
    assert torch.allclose(bare["sdr"], floored["sdr"], atol=0.01)


def test_level_is_relative_to_the_mixture_and_the_noise_is_always_the_same(narrow: torch.Tensor) -> None:
    changed = with_noise_floor(narrow, floor_db=-40.0)
    rms = (changed - narrow).square().mean(dim=-1).sqrt()
    expected = 0.01 * narrow.sum(dim=0).square().mean().sqrt()
    assert torch.allclose(rms, expected.expand_as(rms), rtol=0.05)
    assert torch.equal(changed, with_noise_floor(narrow, floor_db=-40.0))


def test_silence_stays_silent(narrow: torch.Tensor) -> None:
    narrow[1] = 0.0
    assert not with_noise_floor(narrow, floor_db=-40.0)[1].any()

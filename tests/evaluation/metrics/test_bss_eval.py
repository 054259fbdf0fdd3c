"""BSSEval version 4 as properties, at its edges, and with what cannot be scored."""

import numpy as np
import pytest
import torch

from stemtune.errors import InputError
from stemtune.evaluation.metrics.bss_eval import bss_eval_v4, sdr_v4

RATE = 500


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_noise_at_a_known_level_gives_that_sdr():
    reference, error = noise(2, 2, 1500), noise(2, 2, 1500, seed=1)
    frames = reference.unflatten(2, (3, RATE)).square().sum(dim=(1, 3), keepdim=True)
    error = error.unflatten(2, (3, RATE))
    error = (error * (frames / error.square().sum(dim=(1, 3), keepdim=True)).sqrt() * 10 ** (-17 / 20)).flatten(2)
    found = bss_eval_v4(estimate=reference + error, reference=reference, sample_rate=RATE, filter_taps=8)
    torch.testing.assert_close(found.sdr, torch.full((2, 3), 17.0, dtype=torch.float64))
    torch.testing.assert_close(
        found.sdr, sdr_v4(estimate=reference + error, reference=reference, sample_rate=RATE), rtol=0, atol=1e-9
    )


def test_numpy_and_tensors_give_the_same():
    reference, estimate = noise(2, 1, 900), noise(2, 1, 900, seed=1)
    a = bss_eval_v4(estimate=estimate, reference=reference, sample_rate=RATE, filter_taps=8)
    b = bss_eval_v4(estimate=np.asarray(estimate), reference=np.asarray(reference), sample_rate=RATE, filter_taps=8)
    assert torch.equal(a.sir, b.sir)


def test_a_stem_that_is_silent_throughout_is_refused():
    reference, estimate = noise(2, 2, 900), noise(2, 2, 900, seed=1)
    reference[1, 0] = -reference[1, 1]
    with pytest.raises(InputError, match="the reference of stem 1 is silent throughout"):
        bss_eval_v4(estimate=estimate, reference=reference, sample_rate=RATE)

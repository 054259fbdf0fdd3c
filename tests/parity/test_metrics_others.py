"""BSSEval version 3 and SI-SDR give the numbers of three more packages, each of which computes them in its own way.

They score single channels: a filter of one channel explains it. torchmetrics' SDR needs no other references than the
stem's own, and is the SDR of version 3 for sources all the same.
"""

import warnings

import numpy as np
import pytest
import torch

from stemtune.evaluation.metrics import si_sdr, snr
from stemtune.evaluation.metrics.bss_eval import bss_eval_v3_sources
from tests.golden.make_museval import music, separated
from tests.parity import references

RATE = 8000
TOLERANCE_DB = 1e-9


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(references.why_missing(package)), reason=references.why_missing(package))


def sounds(channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Estimate and reference, three stems."""
    reference = music(31, 3, channels, 9001)
    return separated(reference, 32), reference


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=TOLERANCE_DB)


@needs("fast_bss_eval")
def test_version_3_is_that_of_fast_bss_eval():
    estimate, reference = sounds()
    found = bss_eval_v3_sources(estimate=estimate, reference=reference, sample_rate=RATE)
    pair = (torch.from_numpy(x[:, 0]) for x in (reference, estimate))
    expected = references.fast_bss_eval().bss_eval_sources(*pair, compute_permutation=False)
    for ratio, other in zip((found.sdr, found.sir, found.sar), expected, strict=True):
        close(ratio[:, 0], other)


@needs("mir_eval")
def test_version_3_is_that_of_mir_eval():
    estimate, reference = sounds()
    found = bss_eval_v3_sources(estimate=estimate, reference=reference, sample_rate=RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = references.mir_eval_separation().bss_eval_sources
        *expected, _ = score(reference[:, 0], estimate[:, 0], compute_permutation=False)
    for ratio, other in zip((found.sdr, found.sir, found.sar), expected, strict=True):
        close(ratio[:, 0], other)


@needs("torchmetrics")
def test_torchmetrics_sdr_is_that_of_version_3():
    estimate, reference = sounds()
    found = bss_eval_v3_sources(estimate=estimate, reference=reference, sample_rate=RATE)
    score = references.torchmetrics_audio().signal_distortion_ratio
    close(found.sdr, score(torch.from_numpy(estimate), torch.from_numpy(reference)))


@needs("torchmetrics")
@pytest.mark.parametrize("zero_mean", [False, True])
def test_ratios_of_channels_are_those_of_torchmetrics(zero_mean: bool):
    estimate, reference = sounds(channels=2)
    estimate, reference = 0.1 + 0.5 * estimate, reference - 0.2  # both at other levels, and with an offset
    pair = {"preds": torch.from_numpy(estimate), "target": torch.from_numpy(reference), "zero_mean": zero_mean}
    package = references.torchmetrics_audio()
    ours = {"estimate": estimate, "reference": reference, "zero_mean": zero_mean}
    close(si_sdr(**ours), package.scale_invariant_signal_distortion_ratio(**pair).mean(dim=1))
    close(snr(**ours), package.signal_noise_ratio(**pair).mean(dim=1))

"""BSSEval version 3: filters fitted anew to each window, and, for "sources", references that filters may improve.

    sources:  sdr = 10 log10( |s + e_spat|^2 / |e_interf + e_artif|^2 )
              sir = 10 log10( |s + e_spat|^2 / |e_interf|^2 )
              sar = 10 log10( |s + e_spat + e_interf|^2 / |e_artif|^2 )
    images:   the ratios of version 4

with the parts of `stemtune.evaluation.metrics.bss_eval.v4`. For sources, what a filter of 512 taps makes of a
reference counts as right, whatever it did to the spectrum: an estimate without any treble is not blamed for it, and
scores are higher than those of any other definition. Tables from before 2018 hold such numbers; do not compare them
with others.

Conventions:
    Decibels, higher is better; one window over the whole track by default. Stems are scored together, and are not
    permuted. Of several channels, any may be explained by all channels of the references, as in museval; for scores
    of single channels, as mir_eval and fast_bss_eval give, score one channel at a time
    (``estimate=estimate[:, :1], reference=reference[:, :1]``).

Edge cases:
    Those of version 4. A window over 40 times 512 samples long is needed for filters that mean anything; in a window
    of few samples they explain everything.

References:
    Vincent, Gribonval and Fevotte, "Performance measurement in blind audio source separation", IEEE TASLP 14(4), 2006
    (sources); Vincent et al., "First stereo audio source separation evaluation campaign", 2007 (images); museval
    0.4.1: ``bss_eval_sources`` and ``bss_eval_images`` with their ``_framewise`` variants, whose numbers these are.

Deviations:
    None known beyond those of version 4; isr, which is not defined for sources, is NaN, as in museval.
"""

import math

import numpy as np
from jaxtyping import Float64

from stemtune.evaluation.metrics.bss_eval.correlations import lag_correlations
from stemtune.evaluation.metrics.bss_eval.energies import Energies, frame_energies
from stemtune.evaluation.metrics.bss_eval.filters import fit_filters
from stemtune.evaluation.metrics.bss_eval.framing import Framing
from stemtune.evaluation.metrics.bss_eval.result import BSSEval, decibels, from_ratios
from stemtune.evaluation.metrics.bss_eval.stems import SoundStems, from_memory
from stemtune.evaluation.metrics.bss_eval.v4 import FILTER_TAPS, images_ratios, require_taps
from stemtune.evaluation.metrics.inputs import Samples

__all__ = ["bss_eval_v3_images", "bss_eval_v3_sources"]


def bss_eval_v3_sources(
    *,
    estimate: Samples,
    reference: Samples,
    sample_rate: int,
    window_seconds: float = math.inf,
    hop_seconds: float = math.inf,
    filter_taps: int = FILTER_TAPS,
) -> BSSEval:
    """Score all stems together by the definition for sources; see the module for what it forgives.

    Args:
        estimate: what a separator answered, for all stems.
        reference: the truth, of the same shape.
        sample_rate: of both, in Hz.
        window_seconds: length of a window; infinite for the whole track.
        hop_seconds: from the beginning of one window to that of the next.
        filter_taps: length of the distortion filters, in samples.

    Raises:
        InputError: as `stemtune.evaluation.metrics.bss_eval.v4.bss_eval_v4`.
    """
    return _windowwise(estimate, reference, sample_rate, window_seconds, hop_seconds, filter_taps, sources=True)


def bss_eval_v3_images(
    *,
    estimate: Samples,
    reference: Samples,
    sample_rate: int,
    window_seconds: float = math.inf,
    hop_seconds: float = math.inf,
    filter_taps: int = FILTER_TAPS,
) -> BSSEval:
    """Score all stems together by the definition for images; museval's mode ``v3`` with windows of a second.

    Args:
        estimate: what a separator answered, for all stems.
        reference: the truth, of the same shape.
        sample_rate: of both, in Hz.
        window_seconds: length of a window; infinite for the whole track.
        hop_seconds: from the beginning of one window to that of the next.
        filter_taps: length of the distortion filters, in samples.

    Raises:
        InputError: as `stemtune.evaluation.metrics.bss_eval.v4.bss_eval_v4`.
    """
    return _windowwise(estimate, reference, sample_rate, window_seconds, hop_seconds, filter_taps, sources=False)


def _windowwise(
    estimate: object,
    reference: object,
    sample_rate: int,
    window_seconds: float,
    hop_seconds: float,
    taps: int,
    *,
    sources: bool,
) -> BSSEval:
    require_taps(taps)
    read, num_samples = from_memory(estimate=estimate, reference=reference)
    windows = Framing(num_samples, window_seconds, hop_seconds, sample_rate)
    stems = SoundStems(read, num_samples)
    stems.look_through()
    ratios, largest = np.full((4, stems.num_stems, len(windows)), math.nan), 0.0
    for number, window in enumerate(windows):
        filters = fit_filters(lag_correlations(stems, window, taps), stems.num_stems)
        largest = max(largest, filters.largest_coefficient)
        for energies in frame_energies(stems, filters, [window], longest=window):
            if energies is not None:
                ratios[..., number] = _sources_ratios(energies) if sources else images_ratios(energies)
    return from_ratios(ratios, windows, largest_coefficient=largest)


def _sources_ratios(energies: Energies) -> Float64[np.ndarray, "ratio stem"]:
    """sdr, isr (which there is none of), sir and sar of a window."""
    return np.stack(
        [
            decibels(energies.filtered, energies.rest),
            np.full_like(energies.filtered, math.nan),
            decibels(energies.filtered, energies.interference),
            decibels(energies.explained, energies.artefacts),
        ]
    )

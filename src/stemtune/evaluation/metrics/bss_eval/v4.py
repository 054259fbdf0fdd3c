"""BSSEval version 4: an estimate is its target, plus what a filter does to it, plus what leaks in, plus the rest.

    e = s + e_spat + e_interf + e_artif
    sdr = 10 log10( |s|^2 / |e_spat + e_interf + e_artif|^2 )
    isr = 10 log10( |s|^2 / |e_spat|^2 )
    sir = 10 log10( |s + e_spat|^2 / |e_interf|^2 )
    sar = 10 log10( |s + e_spat + e_interf|^2 / |e_artif|^2 )

s + e_spat is the projection of the estimate e on the delays 0 to 511 of its own reference's channels, and
s + e_spat + e_interf that on the delays of all references' channels: filters that are fitted once, to the whole track,
and then applied to each frame by itself. The three errors sum to e - s, so sdr needs no filters (`sdr_v4`); it is not
invariant to the estimate's level.

Conventions:
    Decibels, higher is better; energies are summed over channels and samples. Stems are scored together: a stem's
    interference is what the others explain, so a score depends on which others were given. Frames of a second,
    one after the other, the incomplete one at the end left out; see `median_over_frames` for their aggregation.
    Everything is computed in double precision.

Edge cases:
    A frame in which any reference or any estimate is silent has no score: NaN for all stems and ratios. Silence is
    when the sum of the channels is zero at every sample, so opposite channels are silent, too. An error of exactly
    zero: inf. A stem that is silent in the whole track, samples that are not finite, no samples: `InputError`. A track
    that is shorter than a frame is one frame. A perfect estimate has an sdr of inf, and an isr, sir and sar of 200 dB
    or more, which mean nothing but rounding.

References:
    Vincent et al., "First stereo audio source separation evaluation campaign", 2007 (images, isr); Stoeter, Liutkus
    and Ito, "The 2018 signal separation evaluation campaign", LVA/ICA 2018 (version 4); museval 0.4.1, whose numbers
    these are.

Deviations:
    museval pads or cuts estimates of another length, which is refused here. Its sdr of a perfect estimate is finite
    (rounding, about 300 dB). Filters are solved for by Cholesky's method where museval uses Gaussian elimination.
    Where references hardly sound in some band, as lossy codecs leave them, or two channels are the same, the filters
    are indeterminate in double precision: the numbers then differ from museval's as much as museval's own do when
    stems are put in another order.
"""

import math

import numpy as np
from jaxtyping import Float64

from stemtune.errors import InputError
from stemtune.evaluation.metrics.bss_eval.correlations import lag_correlations
from stemtune.evaluation.metrics.bss_eval.energies import Energies, frame_energies
from stemtune.evaluation.metrics.bss_eval.filters import fit_filters
from stemtune.evaluation.metrics.bss_eval.framing import Frame, Framing
from stemtune.evaluation.metrics.bss_eval.result import BSSEval, decibels, from_ratios
from stemtune.evaluation.metrics.bss_eval.stems import ReadStems, SoundStems, from_memory
from stemtune.evaluation.metrics.inputs import Samples

__all__ = ["FILTER_TAPS", "bss_eval_v4", "bss_eval_v4_streamed", "images_ratios", "require_taps"]

FILTER_TAPS = 512


def bss_eval_v4(
    *,
    estimate: Samples,
    reference: Samples,
    sample_rate: int,
    window_seconds: float = 1.0,
    hop_seconds: float = 1.0,
    filter_taps: int = FILTER_TAPS,
) -> BSSEval:
    """Score all stems of a whole track together; see the module for conventions and edge cases.

    Args:
        estimate: what a separator answered, for all stems.
        reference: the truth, of the same shape.
        sample_rate: of both, in Hz.
        window_seconds: length of a frame; infinite for the whole track.
        hop_seconds: from the beginning of one frame to that of the next.
        filter_taps: length of the distortion filters, in samples.

    Raises:
        InputError: if the shapes differ or are empty, samples are not finite, a stem is silent throughout, or window,
            hop or filters are shorter than a sample.
    """
    read, num_samples = from_memory(estimate=estimate, reference=reference)
    return bss_eval_v4_streamed(
        read,
        num_samples=num_samples,
        sample_rate=sample_rate,
        window_seconds=window_seconds,
        hop_seconds=hop_seconds,
        filter_taps=filter_taps,
    )


def bss_eval_v4_streamed(
    read: ReadStems,
    *,
    num_samples: int,
    sample_rate: int,
    window_seconds: float = 1.0,
    hop_seconds: float = 1.0,
    filter_taps: int = FILTER_TAPS,
) -> BSSEval:
    """The same for a track that need not fit into memory: it is read twice, from its beginning to its end.

    Args:
        read: gives the samples between two places of the track.
        num_samples: of the track.
        sample_rate: in Hz.
        window_seconds: length of a frame; infinite for the whole track.
        hop_seconds: from the beginning of one frame to that of the next.
        filter_taps: length of the distortion filters, in samples.

    Raises:
        InputError: as `bss_eval_v4`.
    """
    require_taps(filter_taps)
    frames = Framing(num_samples, window_seconds, hop_seconds, sample_rate)
    stems = SoundStems(read, num_samples)
    correlations = lag_correlations(stems, Frame(0, num_samples), filter_taps)
    stems.require_sound()
    filters = fit_filters(correlations, stems.num_stems)
    ratios = np.full((4, stems.num_stems, len(frames)), math.nan)
    for number, energies in enumerate(frame_energies(stems, filters, frames, longest=frames.longest)):
        if energies is not None:
            ratios[..., number] = images_ratios(energies)
    return from_ratios(ratios, frames, largest_coefficient=filters.largest_coefficient)


def images_ratios(energies: Energies) -> Float64[np.ndarray, "ratio stem"]:
    """sdr, isr, sir and sar of a frame, as defined for images."""
    return np.stack(
        [
            decibels(energies.target, energies.error),
            decibels(energies.target, energies.spatial),
            decibels(energies.filtered, energies.interference),
            decibels(energies.explained, energies.artefacts),
        ]
    )


def require_taps(taps: int) -> None:
    """Refuse filters without length.

    Raises:
        InputError: if there is not a tap at least.
    """
    if taps < 1:
        raise InputError(f"filters need a tap at least; they have {taps}")

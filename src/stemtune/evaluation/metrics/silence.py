"""How much is heard where a stem is silent, and how much is missed where its estimate is: dB where no ratio exists.

    predicted_energy_at_silence = mean over frames in which the reference is silent of 10 log10( |e|^2 + 1e-12 )
    energy_at_predicted_silence = mean over frames in which only the estimate is silent of 10 log10( |s|^2 + 1e-12 )

Ratios such as BSSEval's are not defined for a silent reference, which half of all vocals are for minutes; a separator
that leaks there goes unpunished. The first number is that leak, the second one what a separator that mutes too much
takes away.

Conventions:
    Decibels of energy, summed over the channels and samples of a frame of a second, relative to one sample of
    amplitude 1: a full-scale sine of a second at 44.1 kHz has 43.4 dB. **Lower is better** for both. The incomplete
    frame at the end is left out, as in BSSEval. Silent is a frame in which every sample of every channel is zero, or,
    with ``silent_below_dbfs``, one whose mean square is below that: recordings and lossy codecs are never quite silent.

Edge cases:
    -120 dB for silence where silence is right. NaN for a stem without any such frame, which is good news for
    the second number and no news for the first. Values that are not finite: `InputError`.

References:
    Schulze-Forster, Doire, Richard and Badeau, "Weakly informed audio source separation", WASPAA 2019 (PES and EPS).

Deviations:
    The paper's signals are mono, and its frames end with an incomplete one or not; the threshold is ours.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from stemtune.evaluation.metrics.bss_eval.framing import Framing
from stemtune.evaluation.metrics.inputs import Samples, checked_pair, require_finite

__all__ = ["SilenceEnergies", "energy_at_predicted_silence", "energy_at_silence", "predicted_energy_at_silence"]

_FLOOR = 1e-12


@dataclass(frozen=True)
class SilenceEnergies:
    """Energies in dB of every frame; NaN in frames to which they do not apply.

    Attributes:
        predicted_at_silence: of the estimate, where the reference is silent.
        missed: of the reference, where the estimate is silent and the reference is not.
    """

    predicted_at_silence: Float64[Tensor, "stem frame"]
    missed: Float64[Tensor, "stem frame"]


def energy_at_silence(
    *,
    estimate: Samples,
    reference: Samples,
    sample_rate: int,
    window_seconds: float = 1.0,
    hop_seconds: float = 1.0,
    silent_below_dbfs: float = -math.inf,
) -> SilenceEnergies:
    """Both energies, frame by frame.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: of both, in Hz.
        window_seconds: length of a frame.
        hop_seconds: from the beginning of one frame to that of the next.
        silent_below_dbfs: the mean square below which a frame counts as silent, in dB relative to 1.

    Raises:
        InputError: if the shapes differ, samples are not finite, or frames are shorter than a sample.
    """
    estimates, references = checked_pair(estimate=estimate, reference=reference)
    require_finite(estimate=estimates, reference=references)
    frames = Framing(references.shape[-1], window_seconds, hop_seconds, sample_rate)
    loudest_silence = 10 ** (silent_below_dbfs / 10)
    rows = [list(_energies(samples, frames)) for samples in (estimates, references)]
    predicted, true = (torch.stack(row, dim=-1) for row in rows)
    num_values = torch.tensor([frame.num_samples * references.shape[1] for frame in frames])
    silent, muted = (energy / num_values.clamp(min=1) <= loudest_silence for energy in (true, predicted))
    return SilenceEnergies(
        predicted_at_silence=_decibels(predicted).where(silent, math.nan),
        missed=_decibels(true).where(muted & ~silent, math.nan),
    )


def predicted_energy_at_silence(*, estimate: Samples, reference: Samples, sample_rate: int) -> Float64[Tensor, "stem"]:
    """The mean energy of every stem's estimate in seconds in which the reference is silent; lower is better.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: of both, in Hz.

    Returns:
        dB per stem; NaN for a stem that is never silent.

    Raises:
        InputError: as `energy_at_silence`.
    """
    found = energy_at_silence(estimate=estimate, reference=reference, sample_rate=sample_rate)
    return found.predicted_at_silence.nanmean(dim=-1)


def energy_at_predicted_silence(*, estimate: Samples, reference: Samples, sample_rate: int) -> Float64[Tensor, "stem"]:
    """The mean energy of every stem in seconds in which its estimate is wrongly silent; lower is better.

    Args:
        estimate: what a separator answered.
        reference: the truth, of the same shape.
        sample_rate: of both, in Hz.

    Returns:
        dB per stem; NaN for an estimate that is never wrongly silent.

    Raises:
        InputError: as `energy_at_silence`.
    """
    return energy_at_silence(estimate=estimate, reference=reference, sample_rate=sample_rate).missed.nanmean(dim=-1)


def _energies(samples: Tensor, frames: Framing) -> Iterator[Tensor]:
    for frame in frames:
        yield samples[..., frame.start : frame.stop].cpu().double().square().sum(dim=(1, 2))


def _decibels(energy: Tensor) -> Tensor:
    return 10 * torch.log10(energy + _FLOOR)

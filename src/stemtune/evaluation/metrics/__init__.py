"""How good an estimate is: one metric per module, all called ``metric(estimate=..., reference=..., sample_rate=...)``.

A score is a number of dB per stem, higher is better, and has a name that says which definition it is: there is no
plain "SDR" here. `METRICS` holds what gives one number per track, each stem by itself; BSSEval scores all stems
together, frame by frame (`stemtune.evaluation.metrics.bss_eval`). Energies where a stem is silent are dB, too, but no
scores: lower is better (`stemtune.evaluation.metrics.silence`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float64
from torch import Tensor

from stemtune.evaluation.metrics.baseline import improvement, mixture_baseline
from stemtune.evaluation.metrics.bss_eval import BSSEval, bss_eval_v4, sdr_v4
from stemtune.evaluation.metrics.global_sdr import GlobalSDR, sdr_global
from stemtune.evaluation.metrics.inputs import Samples
from stemtune.evaluation.metrics.si_sdr import si_sdr
from stemtune.evaluation.metrics.silence import energy_at_predicted_silence, predicted_energy_at_silence
from stemtune.evaluation.metrics.snr import sd_sdr, snr

__all__ = [
    "METRICS",
    "BSSEval",
    "GlobalSDR",
    "Metric",
    "MetricFunction",
    "bss_eval_v4",
    "energy_at_predicted_silence",
    "improvement",
    "mixture_baseline",
    "predicted_energy_at_silence",
    "sd_sdr",
    "sdr_global",
    "sdr_v4",
    "si_sdr",
    "snr",
]


@runtime_checkable
class MetricFunction(Protocol):
    """What a metric of whole tracks looks like to its caller."""

    def __call__(
        self, *, estimate: Samples, reference: Samples, sample_rate: int | None = None
    ) -> Float64[Tensor, "stem"]:
        """Score per stem, in dB."""
        ...


@dataclass(frozen=True)
class Metric:
    """A metric with the words that are printed wherever its numbers are."""

    name: str
    function: MetricFunction
    definition: str


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "sdr_global",
            sdr_global,
            "10 log10 of the stem's energy over its error's, over all channels of the whole track (MDX definition); "
            "mean over tracks; not museval's SDR",
        ),
        Metric(
            "si_sdr",
            si_sdr,
            "10 log10 of the energy of the best-scaled copy of the stem over that of the rest of the estimate, per "
            "channel without its mean, averaged over channels of the whole track; mean over tracks",
        ),
        Metric(
            "sd_sdr",
            sd_sdr,
            "10 log10 of the energy of the best-scaled copy of the stem over its error's, the error being that of the "
            "estimate as loud as it is, per channel, averaged over channels of the whole track; mean over tracks",
        ),
        Metric(
            "snr",
            snr,
            "10 log10 of the stem's energy over its error's, per channel, averaged over channels of the whole track; "
            "mean over tracks",
        ),
    )
}

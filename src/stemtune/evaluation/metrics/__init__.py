"""How good an estimate is: one metric per module, all called ``metric(estimate=..., reference=...)``.

Each gives one number of dB per stem, higher is better, and each has a name that says which definition it is: there
is no plain "SDR" here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Float64
from torch import Tensor

from stemtune.evaluation.metrics.global_sdr import GlobalSDR, sdr_global
from stemtune.evaluation.metrics.si_sdr import si_sdr

__all__ = ["METRICS", "GlobalSDR", "Metric", "MetricFunction", "mixture_baseline", "sdr_global", "si_sdr"]


@runtime_checkable
class MetricFunction(Protocol):
    """What every metric looks like to its caller."""

    def __call__(
        self, *, estimate: Float[Tensor, "stem channel time"], reference: Float[Tensor, "stem channel time"]
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
    )
}


def mixture_baseline(
    metric: MetricFunction,
    *,
    mixture: Float[Tensor, "channel time"],
    reference: Float[Tensor, "stem channel time"],
) -> Float64[Tensor, "stem"]:
    """What the unprocessed mixture scores as the estimate of every stem: the least that a separator must beat."""
    return metric(estimate=mixture.unsqueeze(0).expand_as(reference), reference=reference)

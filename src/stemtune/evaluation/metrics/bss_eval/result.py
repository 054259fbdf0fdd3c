"""What BSSEval finds: four ratios for every stem and frame, and their median over frames.

    aggregate(ratio, stem) = median over frames of the values that are finite.

A frame in which anything is silent has no score (NaN), and an infinite ratio counts as none when frames are
aggregated, as in museval's files. The median over tracks, which published tables show, is the protocol's.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from stemtune.evaluation.metrics.bss_eval.framing import Framing

__all__ = ["BSSEval", "decibels", "energy", "from_ratios", "median_over_frames"]


@dataclass(frozen=True)
class BSSEval:
    """Ratios in dB, each ``stem frame``; NaN where they are not defined, infinite where an error is exactly zero.

    Attributes:
        sdr: source to distortion, everything that is wrong.
        isr: source image to spatial distortion, what filtering the reference explains.
        sir: source to interference, what the other references explain.
        sar: source to artefacts, what no reference explains.
        window_seconds: length of a frame.
        hop_seconds: from the beginning of one frame to that of the next.
        largest_coefficient: of all filters; 1 to 30 for songs stored without loss. Where it is in the hundreds, some
            reference hardly sounds in some band, as lossy codecs leave it, filters amplify what is not there, and
            isr, sir and sar say little.
    """

    sdr: Float64[Tensor, "stem frame"]
    isr: Float64[Tensor, "stem frame"]
    sir: Float64[Tensor, "stem frame"]
    sar: Float64[Tensor, "stem frame"]
    window_seconds: float
    hop_seconds: float
    largest_coefficient: float

    @property
    def ratios(self) -> dict[str, Float64[Tensor, "stem frame"]]:
        """The four of them by name."""
        return {"sdr": self.sdr, "isr": self.isr, "sir": self.sir, "sar": self.sar}

    def medians(self) -> dict[str, Float64[Tensor, "stem"]]:
        """Of every ratio over frames; NaN for a stem without any score."""
        return {name: median_over_frames(values) for name, values in self.ratios.items()}


def from_ratios(
    ratios: Float64[np.ndarray, "ratio stem frame"], frames: Framing, *, largest_coefficient: float
) -> BSSEval:
    """The result, from sdr, isr, sir and sar in this order."""
    sdr, isr, sir, sar = torch.from_numpy(ratios)
    return BSSEval(
        sdr=sdr,
        isr=isr,
        sir=sir,
        sar=sar,
        window_seconds=frames.window_seconds,
        hop_seconds=frames.hop_seconds,
        largest_coefficient=largest_coefficient,
    )


def median_over_frames(values: Float64[Tensor, "stem frame"]) -> Float64[Tensor, "stem"]:
    """The median of the finite values of each stem; the mean of the two middle ones if their number is even.

    NaN for a stem that has none. (torch's own median takes the lower of the two.)
    """
    rows = [row[torch.isfinite(row)] for row in values]
    medians = [float(np.median(row.numpy())) if len(row) else float("nan") for row in rows]
    return torch.tensor(medians, dtype=torch.float64)


def decibels(signal: Float64[np.ndarray, "*axes"], error: Float64[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
    """10 log10 of a ratio of energies; inf where there is no error at all, -inf where there is nothing else."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0, np.inf, 10 * np.log10(signal / error))


def energy(samples: Float64[np.ndarray, "stem *axes"]) -> Float64[np.ndarray, "stem"]:
    """The sum of the squares of each stem, over up to three more axes."""
    axes = "scbt"[: samples.ndim]
    return cast("np.ndarray[tuple[int], np.dtype[np.float64]]", np.einsum(f"{axes},{axes}->s", samples, samples))
